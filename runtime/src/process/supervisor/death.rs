//! How a worker ended.

use std::fmt;

use nix::libc::WCOREDUMP;
use nix::sys::signal::Signal;
use rustix::process::WaitStatus;

use crate::process::guard::signal_name;

/// What the system says of a process that is no more.
#[derive(Clone, Copy)]
pub(crate) struct Death(pub(crate) WaitStatus);

impl Death {
    pub(crate) fn is_normal(self) -> bool {
        self.0.exit_status() == Some(0)
    }

    pub(crate) fn is_by(self, signal: Signal) -> bool {
        self.0.terminating_signal() == Some(signal as i32)
    }

    /// The status that it exited with, and the number of the signal that killed it.
    pub(crate) fn parts(self) -> (Option<i32>, Option<i32>) {
        (self.0.exit_status(), self.0.terminating_signal())
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (Some(0), _) => f.write_str("exited normally"),
            (Some(status), _) => write!(f, "exited with status {status}"),
            (_, Some(signal)) => {
                write!(f, "was killed by {}", signal_name(signal))?;
                if WCOREDUMP(self.0.as_raw()) { f.write_str(" (core written)") } else { Ok(()) }
            }
            _ => write!(f, "ended with {:?}", self.0),
        }
    }
}
