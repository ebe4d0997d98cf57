//! The signals a supervisor acts upon. They stay blocked and are waited for, so that no handler
//! runs and none is lost between two looks.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use super::fork::{Disposition, disposition};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod signalfd;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod sigwait;

#[cfg(any(target_os = "linux", target_os = "android"))]
use signalfd::Waiter;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use sigwait::Waiter;

/// The end of a child, what asks the server to stop, and what asks for other workers.
const AWAITED: [Signal; 8] = [
    Signal::SIGCHLD,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGUSR2,
];

/// What has ended a wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Awaited {
    Signal(Signal),
    /// A worker has rung, perhaps.
    Ring,
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code, reason = "elsewhere it looks around so often that none is told of")
    )]
    Deadline,
}

/// The awaited signals, blocked for as long as this lives.
#[derive(Debug)]
pub(super) struct Signals {
    waiter: Waiter,
    before: SigSet,
}

impl Signals {
    /// Blocks the signals in this thread. If a predecessor in this process has done so, which has
    /// left them like that, they count as not blocked before.
    pub(super) fn block(by_predecessor: bool) -> io::Result<Self> {
        let set: SigSet = AWAITED.into_iter().filter(|&signal| is_ours(signal)).collect();
        let waiter = Waiter::new(&set)?;
        let mut before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        if by_predecessor {
            AWAITED.into_iter().for_each(|signal| before.remove(signal));
        }
        Ok(Self { waiter, before })
    }

    /// Has the signals come through that a predecessor in this process has blocked, where nobody
    /// is to wait for them.
    pub(super) fn unblock() {
        let set: SigSet = AWAITED.into_iter().collect();
        // It fails for a set that is none.
        let _ = set.thread_unblock();
    }

    /// What was blocked before, and is to be in a worker.
    pub(super) fn mask_before(&self) -> &SigSet {
        &self.before
    }

    /// Waits for the next signal, a ring on one of the wires, or the deadline.
    pub(super) fn wait(
        &self,
        deadline: Option<Instant>,
        wires: &[BorrowedFd<'_>],
    ) -> io::Result<Awaited> {
        self.waiter.wait(deadline, wires)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It fails for a set that is none.
        let _ = self.before.thread_set_mask();
    }
}

/// A shell starts a script's background commands with the terminal's signals ignored: Ctrl-C is
/// not meant for them.
fn is_ours(signal: Signal) -> bool {
    let from_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT);
    !(from_terminal && disposition(signal as _) == Some(Disposition::Ignored))
}
