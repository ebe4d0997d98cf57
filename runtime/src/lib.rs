//! The event loop of Squall: one thread that runs tasks and waits for sockets, timers, signals and
//! other threads. It knows nothing about HTTP. The framework, the `squall` crate, is built on it
//! and re-exports the items that its users need.
//!
//! ```
//! use std::io;
//!
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use squall_runtime::{IOLoop, TcpListener, TcpStream};
//!
//! async fn shout(mut client: TcpStream) -> io::Result<()> {
//!     let mut text = String::new();
//!     client.read_to_string(&mut text).await?;
//!     client.write_all(text.to_uppercase().as_bytes()).await
//! }
//!
//! IOLoop::current().run_sync(async {
//!     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
//!     let address = listener.local_addr()?;
//!     IOLoop::current().spawn_callback(async move {
//!         while let Ok((client, _)) = listener.accept().await {
//!             IOLoop::current().spawn(shout(client)).detach();
//!         }
//!     });
//!
//!     let mut server = TcpStream::connect(address).await?;
//!     server.write_all(b"hello").await?;
//!     server.close().await?; // Ends the stream for the other side.
//!     let mut reply = String::new();
//!     server.read_to_string(&mut reply).await?;
//!     assert_eq!(reply, "HELLO");
//!     io::Result::Ok(())
//! })??;
//! # io::Result::Ok(())
//! ```
//!
//! # Where to begin
//!
//! | task | item |
//! |---|---|
//! | run the loop, and tasks in it | [`IOLoop`], [`Task`], [`yield_now`] |
//! | wait for a time | [`sleep`], [`timeout`], [`Deadline`], [`PeriodicCallback`], [`IOLoop::call_later`] |
//! | use the network | [`TcpStream`], [`TcpListener`], [`UnixStream`], [`UnixListener`], [`resolve`] |
//! | wait for any descriptor | [`AsyncFd`] |
//! | read and send files | [`RegularFile`], [`FilePart`] |
//! | run code that blocks | [`IOLoop::run_in_executor`], [`ThreadPool`] |
//! | call the loop from another thread | [`IOLoop::handle`] |
//! | receive signals | [`signal`] |
//! | use all cores | [`process`], [`bind_sockets`] |
//! | test without waiting | [`IOLoop::use_virtual_time`], [`duplex`] |
//!
//! # One turn of the loop
//!
//! 1. Each ready task runs once. A task that it wakes runs in the next turn, so tasks that keep
//!    each other busy do not keep the loop from its sockets. A task whose sockets are always ready
//!    must wait after 128 operations. One turn takes at most 256 callbacks and wakes of other
//!    threads.
//! 2. The kernel reports which descriptors are ready. The loop waits for this until the next timer,
//!    and not at all if tasks are ready.
//! 3. The loop reads the clock. The whole next turn happens at that [time](IOLoop::time).
//! 4. Tasks whose descriptor is ready or whose timer is due become ready.
//!
//! # Costs
//!
//! System calls are most of the cost of a small request. On Linux:
//!
//! | operation | system calls | why so few |
//! |---|---|---|
//! | a turn | 1, `epoll_wait` | the loop calls it itself; `polling`, which owns the epoll instance, would make 5 |
//! | a read or a write | 1 each | it is tried at once. A TCP read that does not fill its buffer has emptied the socket, so the next one waits for an event. A Unix socket takes one more read, which finds nothing |
//! | the first wait to read | 1, `epoll_ctl` | edge-triggered, so once in the life of a socket; a second one when a write first has to wait |
//! | further waits, and closing | 0 | nothing is re-armed, and closing removes a descriptor from epoll |
//! | setting, moving or cancelling a timer | 0 | the timers are in a wheel, and the wait of the turn ends in time. Timers have a precision of a millisecond and are never early |
//! | spawning or waking a task | 0 | a queue |
//! | the same from another thread | 1, `write`, if the loop sleeps; otherwise 0 | one atomic holds whether it sleeps |
//!
//! So a request on a kept connection costs three calls (wait, receive, send), and little more than
//! two among many that are ready together. [`performance`] has the reasons, and the attempts that
//! did not pay. On systems other than Linux, `polling` does all of this.
//!
//! # Traps
//!
//! - **Code that blocks stops everything.** Nothing else runs until a task awaits something that is
//!   not ready. Move long work to [`IOLoop::run_in_executor`], or [yield](yield_now) in between.
//! - **Dropping cancels.** Dropping a [`Task`], even with a `;`, cancels it:
//!   [`detach`](Task::detach) it instead. A future that loses a [`timeout`] is dropped at its
//!   `await`, together with the data that it has read.
//! - **A loop cannot run inside itself.** [`IOLoop::run_sync`] in a task panics. Use `await`
//!   instead.
//! - **Other tasks run at each `await`.** If a `RefCell` stays borrowed across an `await`, another
//!   task that borrows it panics.
//! - **Most types are not `Send`.** Sockets, tasks and timers belong to the thread that made them.
//!   [`IOLoopHandle`] reaches the loop from other threads.
//! - **No loop before the fork.** [`IOLoop::current`], a socket or an [`AsyncFd`] makes the loop of
//!   its thread. [`process::fork_processes`] then refuses to fork, because all workers would share
//!   the epoll instance.
//! - **One waiting task per direction.** A second task that waits to read from a socket takes the
//!   place of the first.
//! - **The end of the thread** drops its tasks. The end of `run_sync` does not: they continue when
//!   the loop runs again.
//!
//! # Layout
//!
//! From the bottom to the top. A module uses only modules above it in this list.
//!
//! - [`log`], `panic_hook`, `slab`, `budget`: used everywhere. `pulse`: the turns of the loop, as
//!   the supervisor sees them.
//! - `executor`: tasks and their queues, with the protocol between threads in `executor/wake.rs`.
//!   `timer`: clock and wheel. `reactor`: descriptors and their waiters. These three do not know
//!   each other.
//! - `thread_pool`: threads for jobs that block.
//! - `io_loop`: connects them; the turn is in `io_loop/run.rs`. `task`, and `fd`: any descriptor on
//!   the loop.
//! - `net`, [`signal`], `periodic`, `file`: built on these.
//! - [`process`]: workers and their supervisor.

pub mod log;
pub mod performance;
pub mod process;
pub mod signal;

mod budget;
mod executor;
mod fd;
mod file;
mod io_loop;
mod net;
mod panic_hook;
mod periodic;
mod pulse;
mod reactor;
mod slab;
mod task;
#[cfg(test)]
mod testing;
mod thread_pool;
mod timer;

// The public interface:
#[doc(hidden)]
pub use budget::cooperate;
pub use fd::{AsyncFd, PeerClosed};
pub use file::RegularFile;
#[doc(hidden)]
pub use io_loop::{AfterPoll, Polled};
pub use io_loop::{IOLoop, IOLoopHandle, LoopClosed, TimeoutHandle};
pub use net::{
    Adoption, Adoptions, BindAddress, BindOptions, DuplexStream, FilePart, Listener, SocketStream,
    Sockets, StreamSocket, TcpListener, TcpStream, UnixListener, UnixStream, duplex, resolve,
};
pub use panic_hook::panic_location;
pub use periodic::PeriodicCallback;
pub use process::bind_sockets;
pub use task::{JoinError, Task, yield_now};
pub use thread_pool::{ThreadPool, ThreadPoolError};
pub use timer::{Deadline, Moment, Sleep, TimedOut, Timeout, sleep, sleep_until, timeout};

// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
