//! A worker does not outlive its supervisor: nobody could stop or replace it, and it would keep
//! the port.
//!
//! Linux and FreeBSD kill a process on request when its parent ends. Elsewhere a thread of the
//! worker waits at the end of a pipe whose other end only the supervisor holds; this runs in a
//! unit test, but nobody has tried it on those systems.

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
