//! The system kills the worker.

use std::io;

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use crate::log;

/// Ties workers to the process that made it.
#[derive(Debug)]
pub(crate) struct Lifeline {
    supervisor: Pid,
}

impl Lifeline {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { supervisor: getpid() })
    }

    /// Called in the worker: the system kills it, or `die` is called if it is too late to ask for
    /// that. A change of user or group undoes it, so that a worker that gives up
    /// rights must call it again.
    pub(crate) fn hold(&mut self, die: impl FnOnce()) {
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            let text = format_args!("a worker may outlive its supervisor: {error}");
            log::warn(log::GENERAL, text);
        }
        // The supervisor may have ended just before.
        if getppid() != Some(self.supervisor) {
            die();
        }
    }
}
