//! Squall's event loop.

pub mod log;
pub mod process;
pub mod signal;

mod blocking;
mod budget;
mod executor;
mod fd;
mod io_loop;
mod net;
mod periodic;
mod reactor;
mod slab;
mod task;
#[cfg(test)]
mod testing;
mod timer;

// The public interface is:
pub use fd::{AsyncFd, PeerClosed};
pub use io_loop::{IOLoop, IOLoopHandle, LoopClosed, TimeoutHandle};
pub use net::{
    BindAddress, BindOptions, DuplexStream, Listener, Sockets, TcpListener, TcpStream,
    UnixListener, UnixStream, bind_sockets, duplex, resolve,
};
pub use periodic::PeriodicCallback;
pub use task::{JoinError, Task, yield_now};
pub use timer::{Deadline, Sleep, TimedOut, Timeout, sleep, sleep_until, timeout};
