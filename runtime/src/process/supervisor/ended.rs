//! Waits for children that have ended, and decides what to do when a worker has.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::libc::WCOREDUMP;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus, wait};

use crate::log;

use super::slot::{Goal, Phase, Process, Slot};
use super::stop::Stage;
use super::{Supervisor, exit};
use crate::process::fork::{Forked, fork_worker};
use crate::process::guard::signal_name;
use crate::process::options::WorkerExit;
use crate::process::supervisor::restarts::{LONGEST_DELAY, LONGEST_PATIENCE, delay};

/// How many replacements may fail before the workers that are there are kept as they are.
const RELOAD_TRIES: u32 = 3;

/// How long a function of [`ForkOptions::on_worker_exit`] may take.
///
/// [`ForkOptions::on_worker_exit`]: crate::process::ForkOptions::on_worker_exit
const EXIT_HOOK_LIMIT: Duration = Duration::from_secs(10);

impl Supervisor {
    /// Reaps every child that has ended or was suspended. One `SIGCHLD` may mean several.
    pub(super) fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED) {
                Ok(Some((pid, status))) => {
                    self.child_changed(Pid::from_raw(pid.as_raw_nonzero().get()), status);
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Handles the new state of a child: it has ended, was suspended, or was continued.
    fn child_changed(&mut self, pid: Pid, status: WaitStatus) {
        let is_over = !status.stopped() && !status.continued();
        if is_over {
            self.checks.hooks.retain(|hook| hook.0 != pid);
            self.takeover.others.retain(|other| *other != pid);
            self.handover.successor.take_if(|successor| successor.0 == pid);
            if self.successor_ended(pid, Death(status)) {
                return;
            }
        }
        if status.stopped() {
            self.resume_others(pid);
        }
        // A process that is not found is a child of the program from before the fork or, in the
        // first process of a container, an orphan.
        let Some((id, index)) = self.find(|process| process.pid == pid) else { return };
        let process = &mut self.slots[id].processes[index];
        if status.stopped() {
            return process.was_suspended();
        }
        if status.continued() {
            return process.was_continued();
        }
        let mut process = self.slots[id].processes.remove(index);
        process.note_what_was_not_heard();
        self.worker_ended(id, &process, Death(status));
    }

    /// Handles the end of a worker: replaces the worker, gives up, or only logs it.
    fn worker_ended(&mut self, id: usize, process: &Process, death: Death) {
        let is_expected = match process.is_ordered {
            true => death.is_normal() || death.is_by(Signal::SIGTERM),
            // One that was ended because it hangs has not ended by itself, whatever it says.
            false => death.is_normal() && !process.was_aborted(),
        };
        // No client waits any more if this worker accepted from all queues.
        self.shutdown.has_drained |=
            !self.is_serving() && death.is_normal() && process.page.accepts_last();
        process.page.end(is_expected || matches!(self.shutdown.stage, Stage::Killing));
        self.slots[id].has_listened = true;
        let is_told = is_expected && (process.is_ordered || !self.is_serving());
        let end = End { id, process, death, was_serving: self.was_serving(process, is_told) };
        if is_told {
            log::info(log::GENERAL, format_args!("{end}"));
        } else if is_expected {
            self.is_done(id, &end);
        } else if !self.is_serving() && process.page.cannot_start() {
            // The worker has logged the cause itself.
            log::info(log::GENERAL, format_args!("{end}"));
        } else if !self.is_serving() || self.slots[id].goal != Goal::Served || process.is_ordered {
            log::warn(log::GENERAL, format_args!("{end}"));
        } else {
            self.died(id, &end);
        }
        self.call_exit_hook(id, process, death);
    }

    /// A worker has ended by itself, and as one that has done its work.
    fn is_done(&mut self, id: usize, end: &End<'_>) {
        let slot = &mut self.slots[id];
        // One that it has replaced may be on its way out still.
        let is_last = slot.processes.iter().all(|other| other.is_ordered);
        if is_last {
            slot.goal = Goal::Done;
            slot.due = None;
        }
        // A program that has forgotten to start its loop.
        let hint = match end.process.ready {
            None if self.sockets.count() > 0 => {
                " without having served what is bound: is its loop started?"
            }
            _ => "",
        };
        let follows = match is_last {
            true => Follows::Nobody(self.wanted()),
            false => Follows::Another,
        };
        log::warn(log::GENERAL, format_args!("{end}{hint}; {follows}"));
    }

    /// A worker has ended that should not have.
    fn died(&mut self, id: usize, end: &End<'_>) {
        let now = Instant::now();
        let chance = self.random.next_fraction();
        let served = end.process.ready.map(|ready| now - ready);
        let slot = &mut self.slots[id];
        let others = slot.processes.iter().filter_map(|other| other.ready);
        let early = slot.early_deaths.note(now, served, others);
        // What it was to replace goes on, and so does the server.
        if slot.serving().is_some() {
            return self.replacement_died(id, end, early);
        }
        let cannot_start = end.process.page.cannot_start();
        if cannot_start && !self.takeover.is_announced && self.takeover.others.is_empty() {
            return self.give_up(end, format_args!("the server cannot start"));
        }
        if cannot_start && self.slots.iter().any(Slot::is_served) {
            // The server goes on, however often this fails.
            return self.restart(id, end, delay(early, LONGEST_PATIENCE, chance));
        }
        let (most, window) = (self.options.max_restarts, self.options.restart_window);
        if !self.restarts.allow(now) {
            return self.give_up(end, format_args!("too many restarts ({most} within {window:?})"));
        }
        if served.is_none() && !self.failed_starts.allow(now) {
            let reason = "too many workers have failed to start";
            return self.give_up(end, format_args!("{reason}"));
        }
        self.restart(id, end, delay(early, LONGEST_DELAY, chance));
    }

    /// Starts another worker after `delay`, unless one is starting already.
    fn restart(&mut self, id: usize, end: &End<'_>, delay: Duration) {
        let slot = &mut self.slots[id];
        if !slot.processes.iter().any(|process| process.phase == Phase::Starting) {
            slot.due = Some(Instant::now() + delay);
        }
        log::warn(log::GENERAL, format_args!("{end}, restarting{}", In(delay)));
    }

    /// A worker has ended that was to replace one that serves.
    fn replacement_died(&mut self, id: usize, end: &End<'_>, early: u32) {
        let is_hopeless = early >= RELOAD_TRIES || end.process.page.cannot_start();
        if is_hopeless && self.reload_before > 0 {
            self.reload_before = 0;
            let text = "the workers that are there are kept: their replacement fails";
            return log::error(log::GENERAL, format_args!("{end}; {text}"));
        }
        let delay = delay(early, LONGEST_PATIENCE, self.random.next_fraction());
        self.slots[id].due = Some(Instant::now() + delay);
        let text =
            format_args!("{end}; the one it was to replace goes on, restarting{}", In(delay));
        log::warn(log::GENERAL, text);
    }

    fn give_up(&mut self, end: &End<'_>, reason: fmt::Arguments<'_>) {
        log::error(log::GENERAL, format_args!("{end}; {reason}, giving up"));
        self.shutdown.status = 1;
        self.stop();
    }

    /// Describes the request of a worker that ended unasked, or with an error.
    fn was_serving(&self, process: &Process, is_told: bool) -> Option<String> {
        if is_told { None } else { self.options.describe.and_then(|hook| hook(&process.page)) }
    }

    /// Calls the program's function for the end of a worker, in a process of its own: the
    /// supervisor runs no code of the program.
    fn call_exit_hook(&mut self, id: usize, process: &Process, death: Death) {
        let Some(hook) = self.options.hooks.worker_exit.clone() else { return };
        let (status, signal) = death.parts();
        let pid = process.pid.as_raw().unsigned_abs();
        let told = WorkerExit { id, pid, status, signal };
        match fork_worker(&mut self.lifeline, self.signals.unblocked()) {
            Ok(Forked::Worker) => {
                let result = catch_unwind(AssertUnwindSafe(|| hook(&told)));
                exit(i32::from(result.is_err()))
            }
            Ok(Forked::Supervisor(pid)) => {
                self.checks.hooks.push((pid, Instant::now() + EXIT_HOOK_LIMIT));
            }
            Err(error) => {
                let text = format_args!("cannot run the exit hook of worker {id}: {error}");
                log::error(log::GENERAL, text);
            }
        }
    }

    /// Kills the exit hooks that have run for too long.
    pub(super) fn kill_overdue_hooks(&mut self, now: Instant) {
        self.checks.hooks.retain(|&(pid, limit)| {
            if limit <= now {
                let text =
                    format_args!("killing an exit hook that has run for {EXIT_HOOK_LIMIT:?}");
                log::error(log::GENERAL, text);
                let _ = kill(pid, Signal::SIGKILL);
            }
            limit > now
        });
    }
}

/// Which worker has ended, and how.
struct End<'a> {
    id: usize,
    process: &'a Process,
    death: Death,
    was_serving: Option<String>,
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (pid {}) {}", self.id, self.process.pid, self.death)?;
        match &self.was_serving {
            Some(what) => write!(f, " while serving {what}"),
            None => Ok(()),
        }
    }
}

/// What takes the place of a worker that is done.
enum Follows {
    /// As many serve as there are left.
    Nobody(usize),
    /// One was started before it had ended.
    Another,
}

impl fmt::Display for Follows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(0) => f.write_str("it is not replaced, no worker is left"),
            Self::Nobody(1) => f.write_str("it is not replaced, 1 worker is left"),
            Self::Nobody(left) => write!(f, "it is not replaced, {left} workers are left"),
            Self::Another => f.write_str("another one has its place"),
        }
    }
}

/// After which time; nothing for none.
struct In(Duration);

impl fmt::Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() { Ok(()) } else { write!(f, " in {} ms", self.0.as_millis()) }
    }
}

/// The kernel's report of how a process ended.
#[derive(Clone, Copy)]
pub(super) struct Death(WaitStatus);

impl Death {
    pub(super) fn is_normal(self) -> bool {
        self.0.exit_status() == Some(0)
    }

    pub(super) fn is_by(self, signal: Signal) -> bool {
        self.0.terminating_signal() == Some(signal as i32)
    }

    /// The status that it exited with, and the number of the signal that killed it.
    pub(super) fn parts(self) -> (Option<i32>, Option<i32>) {
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
