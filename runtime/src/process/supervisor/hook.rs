//! What the program wants to do when a worker has ended: in a process of its own, for the
//! supervisor runs no code of the user's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::log;

use super::slot::Process;
use super::{Supervisor, exit};
use crate::process::fork::{Forked, fork_worker};
use crate::process::options::WorkerExit;
use crate::process::supervisor::death::Death;

/// How long the hook may take.
const LIMIT: Duration = Duration::from_secs(10);

impl Supervisor {
    pub(super) fn tell_exit_hook(&mut self, id: usize, process: &Process, death: Death) {
        let Some(hook) = self.options.hooks.worker_exit.clone() else { return };
        let (status, signal) = death.parts();
        let pid = process.pid.as_raw().unsigned_abs();
        let told = WorkerExit { id, pid, status, signal };
        match fork_worker(&mut self.lifeline, self.signals.unblocked()) {
            Ok(Forked::Worker) => {
                let result = catch_unwind(AssertUnwindSafe(|| hook(&told)));
                exit(i32::from(result.is_err()))
            }
            Ok(Forked::Supervisor(pid)) => self.hooks.push((pid, Instant::now() + LIMIT)),
            Err(error) => {
                let text = format_args!("cannot call the hook of worker {id}'s end: {error}");
                log::error(log::GENERAL, text);
            }
        }
    }

    pub(super) fn end_hooks(&mut self, now: Instant) {
        self.hooks.retain(|&(pid, limit)| {
            if limit <= now {
                let text = format_args!("a hook of a worker's end takes over {LIMIT:?}: killed");
                log::error(log::GENERAL, text);
                let _ = kill(pid, Signal::SIGKILL);
            }
            limit > now
        });
    }
}
