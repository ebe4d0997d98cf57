//! Other systems: a plain write after a check for room. It can wait if another process takes the
//! room in between.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Writes `bytes` if there is room.
pub(super) fn write(bytes: &[u8]) -> io::Result<usize> {
    match has_room() {
        true => Ok(rustix::io::write(io::stderr(), bytes)?),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Returns whether there is room now.
pub(super) fn has_room() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let stderr = io::stderr();
    let ready = rustix::event::poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now));
    ready.is_ok_and(|count| count > 0)
}
