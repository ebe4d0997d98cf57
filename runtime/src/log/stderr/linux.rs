//! Linux: writes that do not wait, whatever standard error is.
//!
//! | standard error is | how |
//! |---|---|
//! | a regular file | a plain write, because it needs no reader |
//! | a socket | `send` with `MSG_DONTWAIT` |
//! | a pipe, since Linux 6.5 | `pwritev2` with `RWF_NOWAIT` |
//! | a terminal, or a pipe on older kernels | it is opened once more through `/proc`, with `O_NONBLOCK` |
//! | a pipe or terminal of another user, before Linux 6.5 or without `/proc` | a plain write after a check for room |
//!
//! Only in the last case can a write wait: if another process takes the room in between.

use std::io::{self, IoSlice};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::SendFlags;

/// Writes as much as there is room for.
pub(super) fn write(bytes: &[u8]) -> io::Result<usize> {
    let stderr = io::stderr();
    let mode = rustix::fs::fstat(&stderr)?.st_mode;
    match FileType::from_raw_mode(mode) {
        FileType::Fifo | FileType::CharacterDevice => write_to_device(&stderr, bytes),
        FileType::Socket => {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            Ok(rustix::net::send(&stderr, bytes, flags)?)
        }
        _ => Ok(rustix::io::write(&stderr, bytes)?),
    }
}

/// Returns whether there is room now.
pub(super) fn has_room() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let stderr = io::stderr();
    let ready = rustix::event::poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now));
    ready.is_ok_and(|count| count > 0)
}

fn write_to_device(stderr: &io::Stderr, bytes: &[u8]) -> io::Result<usize> {
    match write_nowait(stderr, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
        result => return Ok(result?),
    }
    // Opened for each message. A descriptor that stays open would keep a pipe open after the
    // program has replaced descriptor 2, and the pipe's reader would wait for its end.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open("/proc/self/fd/2", flags, Mode::empty()) {
        Ok(own) => Ok(rustix::io::write(own, bytes)?),
        Err(_) if has_room() => Ok(rustix::io::write(stderr, bytes)?),
        Err(_) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn write_nowait(stderr: &io::Stderr, bytes: &[u8]) -> rustix::io::Result<usize> {
    const CURRENT_POSITION: u64 = u64::MAX;
    let slices = [IoSlice::new(bytes)];
    rustix::io::pwritev2(stderr, &slices, CURRENT_POSITION, ReadWriteFlags::NOWAIT)
}
