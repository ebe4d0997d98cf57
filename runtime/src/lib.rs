//! Squall's event loop.

pub mod log;
pub mod process;

mod budget;
mod executor;
mod fd;
mod io_loop;
mod net;
mod reactor;
mod slab;
mod task;
mod timer;

// The public interface is:
pub use fd::{AsyncFd, PeerClosed};
pub use io_loop::{IOLoop, IOLoopHandle, LoopClosed, TimeoutHandle};
pub use net::{BindAddress, BindOptions, DuplexStream, Listener, Sockets, bind_sockets, duplex};
pub use task::{JoinError, Task, yield_now};
pub use timer::{Deadline, Sleep, TimedOut, Timeout, sleep, sleep_until, timeout};
