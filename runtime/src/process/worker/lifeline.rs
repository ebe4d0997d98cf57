//! Ends a worker when its supervisor is gone. Otherwise no process could stop or replace the
//! worker, and it would keep the port.
//!
//! On request, Linux and FreeBSD kill a process when its parent ends. On other systems, a thread of
//! the worker waits at the end of a pipe whose other end only the supervisor holds. That code runs
//! in a unit test, but has not been tried on those systems.

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod kernel;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
mod pipe;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) use kernel::Lifeline;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) use pipe::Lifeline;

use rustix::process::Signal;

/// Ends this process as the supervisor would: at once.
pub(crate) fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
}
