//! The signals a supervisor acts upon. They stay blocked and are waited for, so that no handler
//! runs and none is lost between two looks.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::process::is_ignored;

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

/// The event that ended a wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Awaited {
    Signal(Signal),
    /// A worker has rung, perhaps.
    Ring,
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code, reason = "elsewhere it looks around so often that none is told of")
    )]
    Deadline,
}

/// Signals that must not stay blocked in a worker, because the supervisor sends them to workers
/// and nothing in a worker may have registered for them yet. `SIGABRT` ends one that hangs.
const SENT: [Signal; 2] = [Signal::SIGTERM, Signal::SIGABRT];

/// The awaited signals, blocked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Signals {
    waiter: Waiter,
    /// The mask of the workers.
    unblocked: SigSet,
}

impl Signals {
    /// Blocks the signals in this thread.
    ///
    /// Treats them as not blocked before, even if they were: a predecessor in this process leaves
    /// them blocked, and so may the parent process.
    pub(crate) fn block() -> io::Result<Self> {
        let set: SigSet = AWAITED.into_iter().filter(|&signal| is_ours(signal)).collect();
        let waiter = Waiter::new(&set)?;
        let mut unblocked = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        AWAITED.into_iter().chain(SENT).for_each(|signal| unblocked.remove(signal));
        Ok(Self { waiter, unblocked })
    }

    /// Unblocks the signals that a predecessor in this process has blocked, where there is no
    /// supervisor to wait for them.
    pub(crate) fn unblock() {
        let set: SigSet = AWAITED.into_iter().collect();
        // It fails only for an invalid argument.
        let _ = set.thread_unblock();
    }

    /// Returns the mask for workers and for the next program: the signals that were blocked before,
    /// without the signals of a supervisor.
    pub(crate) fn unblocked(&self) -> &SigSet {
        &self.unblocked
    }

    /// Waits for the next signal, a ring on one of the wires, or the deadline.
    pub(crate) fn wait(
        &self,
        deadline: Option<Instant>,
        wires: &[BorrowedFd<'_>],
    ) -> io::Result<Awaited> {
        self.waiter.wait(deadline, wires)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It fails only for an invalid argument.
        let _ = self.unblocked.thread_set_mask();
    }
}

/// A shell starts a script's background commands with the terminal's signals ignored: Ctrl-C is
/// not meant for them.
fn is_ours(signal: Signal) -> bool {
    let from_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT);
    !(from_terminal && is_ignored(signal as _))
}
