//! Decides what to do when a worker has ended.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::log;

use super::Supervisor;
use super::slot::{Goal, Phase, Process, Slot};
use super::stop::Stage;
use crate::process::supervisor::death::Death;
use crate::process::supervisor::restarts::{LONGEST_DELAY, LONGEST_PATIENCE, delay};

/// How many replacements may fail before the workers that are there are kept as they are.
const RELOAD_TRIES: u32 = 3;

impl Supervisor {
    pub(super) fn ended(&mut self, id: usize, process: &Process, death: Death) {
        let is_expected = match process.is_ordered {
            true => death.is_normal() || death.is_by(Signal::SIGTERM),
            // One that was ended because it hangs has not ended by itself, whatever it says.
            false => death.is_normal() && !process.was_aborted(),
        };
        // No client waits any more if this worker accepted from all queues.
        self.has_drained |= !self.is_serving() && death.is_normal() && process.page.accepts_last();
        process.page.end(is_expected || matches!(self.stage, Stage::Killing));
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
        self.tell_exit_hook(id, process, death);
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
        if cannot_start && !self.is_announced && self.others.is_empty() {
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
        self.status = 1;
        self.stop();
    }

    /// Describes the request of a worker that ended unasked, or with an error.
    fn was_serving(&self, process: &Process, is_told: bool) -> Option<String> {
        if is_told { None } else { self.options.describe.and_then(|hook| hook(&process.page)) }
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
