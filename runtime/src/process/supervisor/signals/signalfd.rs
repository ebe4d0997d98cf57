//! Linux: a descriptor that is readable when a signal is pending.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::Awaited;

#[derive(Debug)]
pub(crate) struct Waiter(SignalFd);

impl Waiter {
    pub(crate) fn new(set: &SigSet) -> io::Result<Self> {
        Ok(Self(SignalFd::with_flags(set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    pub(crate) fn wait(
        &self,
        deadline: Option<Instant>,
        wires: &[BorrowedFd<'_>],
    ) -> io::Result<Awaited> {
        let mut fds: Vec<_> = wires.iter().map(|wire| PollFd::new(wire, PollFlags::IN)).collect();
        fds.push(PollFd::new(&self.0, PollFlags::IN));
        loop {
            if let Some(info) = self.0.read_signal()? {
                return Ok(Awaited::Signal(Signal::try_from(info.ssi_signo.cast_signed())?));
            }
            let timeout = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return Ok(Awaited::Deadline),
                // Longer than the system can count is as good as for ever.
                left => left.and_then(|left| Timespec::try_from(left).ok()),
            };
            match rustix::event::poll(&mut fds, timeout.as_ref()) {
                Err(Errno::INTR) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            // A pending signal comes first, because it may explain why a wire has ended.
            let (wires, signals) = fds.split_at(wires.len());
            let is_quiet = |fds: &[PollFd<'_>]| fds.iter().all(|fd| fd.revents().is_empty());
            if is_quiet(signals) && !is_quiet(wires) {
                return Ok(Awaited::Ring);
            }
        }
    }
}
