//! Squall's event loop: one thread that runs tasks and waits for sockets, timers, signals and other
//! threads. It knows nothing of HTTP; the `squall` crate, the framework, stands on it and re-exports
//! what its users need.
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
//!     server.close().await?; // Says that no more will come.
//!     let mut answer = String::new();
//!     server.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "HELLO");
//!     io::Result::Ok(())
//! })??;
//! # io::Result::Ok(())
//! ```
//!
//! # Where to begin
//!
//! | to | see |
//! |---|---|
//! | run the loop and what runs in it | [`IOLoop`], [`Task`], [`yield_now`] |
//! | wait for a time | [`sleep`], [`timeout`], [`Deadline`], [`PeriodicCallback`], [`IOLoop::call_later`] |
//! | speak with others | [`TcpStream`], [`TcpListener`], [`UnixStream`], [`UnixListener`], [`resolve`] |
//! | wait for any descriptor | [`AsyncFd`] |
//! | read and send files | [`RegularFile`], [`FilePart`] |
//! | do what blocks | [`IOLoop::run_in_executor`], [`ThreadPool`] |
//! | come from another thread | [`IOLoop::handle`] |
//! | hear signals | [`signal`] |
//! | use all cores | [`process`], [`bind_sockets`] |
//! | test without waiting | [`IOLoop::use_virtual_time`], [`duplex`] |
//!
//! # One turn of the loop
//!
//! 1. Each task that is ready runs once. A task that it wakes runs in the next turn, so that tasks that
//!    keep each other busy do not keep the loop from its sockets. A task that finds its sockets
//!    always ready has to wait after 128 operations. At most 256 callbacks and wakes of other threads
//!    are taken in one turn.
//! 2. The system is asked which descriptors are ready: for as long as it takes until the next timer,
//!    or without waiting, if tasks are ready.
//! 3. The clock is read. All of the next turn happens at that [time](IOLoop::time).
//! 4. Tasks whose descriptor is ready or whose timer is due become ready.
//!
//! # What it costs
//!
//! System calls are most of what a small request costs, so they are counted. On Linux:
//!
//! | | system calls | why so few |
//! |---|---|---|
//! | a turn | 1, `epoll_wait` | it is asked directly: `polling`, which owns the epoll instance, would make 5 |
//! | reading or writing | 1 each | it is tried at once. A TCP read that does not fill its buffer has taken all there was, and is not tried again before an event. On a Unix socket one more read finds nothing |
//! | waiting to read, for the first time | 1, `epoll_ctl` | edge-triggered: once in the life of a socket; a second one when a write must wait first |
//! | waiting again, and closing | 0 | nothing is armed anew, and what is closed leaves epoll by itself |
//! | a timer, set, moved or cancelled | 0 | it lies in a wheel; the wait of the turn ends in time for it. It has the precision of a millisecond and is never early |
//! | a task spawned or woken | 0 | a queue |
//! | the same from another thread | 1, `write`, if the loop sleeps; else 0 | one atomic tells |
//!
//! So a request on a connection that is kept costs three, wait, receive and send, and among many
//! that are ready together little more than two. Why it is so, and what was tried to make it less, is
//! told in [`performance`]. Elsewhere than on Linux `polling` does all of it.
//!
//! # Traps
//!
//! - **What blocks, blocks all.** Nothing else runs until a task awaits something that is not ready
//!   yet. Long work goes to [`IOLoop::run_in_executor`], or [yields](yield_now) in between.
//! - **Dropping is cancelling.** A [`Task`] that is dropped is cancelled, also by a `;`:
//!   [`detach`](Task::detach) it. A future that loses a [`timeout`] is dropped where it waits, and
//!   what it had read is gone with it.
//! - **A loop cannot run inside itself.** [`IOLoop::run_sync`] in a task panics; `await` instead.
//! - **Between two `await`s a task is alone, across one it is not.** A `RefCell` that stays borrowed
//!   across an `await` makes whoever borrows it meanwhile panic.
//! - **Nothing here is `Send`** but [`IOLoopHandle`]: sockets, tasks and timers belong to the thread
//!   that made them.
//! - **No loop before the fork.** [`IOLoop::current`], a socket or an [`AsyncFd`] makes the loop of
//!   its thread; [`process::fork_processes`] refuses then, for all workers would share its epoll.
//! - **One waits per direction.** A second task that waits to read from the same socket takes the
//!   place of the first.
//! - **The end of the thread** drops its tasks where they wait. The end of `run_sync` does not: they
//!   stay, and go on when the loop runs again.
//!
//! # Layout
//!
//! From the bottom to the top; no module uses one that stands below it in this list.
//!
//! - [`log`], `panic_hook`, `slab`, `budget`: what all use. `pulse`: what a supervisor sees of the loop.
//! - `executor`: tasks and their queues, `executor/wake.rs` the protocol between threads; `timer`:
//!   clock and wheel; `reactor`: descriptors and who waits for them. These three do not know each
//!   other.
//! - `thread_pool`: threads for jobs that block.
//! - `io_loop`: brings them together; `io_loop/run.rs` is the turn. `task`, and `fd`, any descriptor
//!   on the loop.
//! - `net`, [`signal`], `periodic`, `file`: what is built of these.
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

// The public interface is:
pub use fd::{AsyncFd, PeerClosed};
pub use file::RegularFile;
pub use io_loop::{AfterPoll, IOLoop, IOLoopHandle, LoopClosed, Polled, TimeoutHandle};
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

// Its examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
