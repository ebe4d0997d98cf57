//! Linux: the kernel copies a file from its cache into a socket.

use std::fs::File;
use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::io::Errno;

use super::{End, Sent};

pub(super) const HAS_SENDFILE: bool = true;

/// Sends up to `length` bytes of `file` from `offset` on, until the socket is full.
pub(super) fn send(socket: &OwnedFd, file: &File, offset: u64, length: u64) -> Sent {
    without_signal(|| copy(socket, file, offset, length))
}

fn copy(socket: &OwnedFd, file: &File, mut offset: u64, length: u64) -> Sent {
    let begin = offset;
    let end = loop {
        let left = length - (offset - begin);
        if left == 0 {
            break End::Done;
        }
        match rustix::fs::sendfile(socket, file, Some(&mut offset), left as usize) {
            Ok(0) => break End::FileEnded,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break End::SocketFull,
            // The file system has no pages to send from.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if offset == begin => {
                break End::Unsupported;
            }
            Err(error @ (Errno::IO | Errno::STALE | Errno::NOMEM)) => {
                break End::FileFailed(error.into());
            }
            Err(error) => break End::SocketFailed(error.into()),
        }
    };
    Sent { count: offset - begin, end }
}

/// Calls `work` and discards its SIGPIPE. Unlike `send`, `sendfile` has no flag against it.
fn without_signal(work: impl FnOnce() -> Sent) -> Sent {
    let pipe = SigSet::from_iter([Signal::SIGPIPE]);
    let before = pipe.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let sent = work();
    if let End::SocketFailed(error) = &sent.end
        && error.kind() == std::io::ErrorKind::BrokenPipe
    {
        // The signal is pending for this thread. Reading it discards it.
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let _ = SignalFd::with_flags(&pipe, flags).and_then(|waiting| waiting.read_signal());
    }
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    sent
}
