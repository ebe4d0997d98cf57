//! A slot, and the processes that it has.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stall::Stall;
use crate::process::shared::scoreboard::{Scoreboard, SlotPage, State};
use crate::process::shared::wire::{Heard, Wire};
use crate::process::supervisor::restarts::EarlyDeaths;

/// The place of one worker. For a while it has two: one that leaves, and the one that replaces
/// it.
pub(super) struct Slot {
    pub(super) pages: [SlotPage; 2],
    /// The oldest first.
    pub(super) processes: Vec<Process>,
    pub(super) goal: Goal,
    /// When to start a process. It waits for room as well: there are never more than two.
    pub(super) due: Option<Instant>,
    pub(super) early_deaths: EarlyDeaths,
    /// A worker may have listened here, so that clients may wait in the queue.
    pub(super) has_listened: bool,
    /// The page of the worker that serves here in place of one of its own.
    pub(super) adopter: Option<usize>,
}

/// The goal for a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Goal {
    /// It has a worker.
    Served,
    /// Its worker has ended by itself, and is not replaced.
    Done,
    /// There are more slots than workers.
    Retired,
}

/// A worker's process.
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) page: SlotPage,
    /// `None` once the process has closed its end.
    pub(super) wire: Option<Wire>,
    pub(super) phase: Phase,
    /// It was asked to end.
    pub(super) is_ordered: bool,
    pub(super) started: Instant,
    /// When it became ready.
    pub(super) ready: Option<Instant>,
    /// Its loop or the whole process makes no progress: others serve its listeners.
    pub(super) is_stalled: bool,
    /// How long its loop has been in a turn.
    pub(super) stall: Stall,
    /// When it was suspended by a signal.
    pub(super) suspended: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Starting,
    Ready,
    /// It ends, because it was asked to or by itself.
    Leaving {
        since: Instant,
    },
    /// It was sent `SIGABRT`, and the kernel may be writing its memory to a core file.
    Aborted {
        since: Instant,
    },
    /// It was killed, and has not been waited for.
    Killed,
}

impl Slot {
    pub(super) fn new(scoreboard: &Scoreboard, id: usize, goal: Goal) -> Self {
        Self {
            pages: scoreboard.pages_of(id),
            processes: Vec::new(),
            goal,
            due: None,
            early_deaths: EarlyDeaths::default(),
            has_listened: false,
            adopter: None,
        }
    }

    /// A page that no process has.
    pub(super) fn free_page(&self) -> Option<SlotPage> {
        let is_free = |page: &&SlotPage| {
            self.processes.iter().all(|process| process.page.index() != page.index())
        };
        self.pages.iter().find(is_free).copied()
    }

    /// When the process that is due can be started.
    pub(super) fn startable(&self) -> Option<Instant> {
        self.due.filter(|_| self.free_page().is_some())
    }

    /// Returns whether a worker accepts new clients here.
    pub(super) fn is_served(&self) -> bool {
        self.processes.iter().any(Process::is_healthy)
    }

    /// The process that serves, if there is one, or is meant to.
    pub(super) fn serving(&self) -> Option<&Process> {
        self.processes.iter().find(|process| process.phase == Phase::Ready)
    }

    pub(super) fn is_starting(&self) -> bool {
        self.due.is_some() || self.processes.iter().any(|one| one.phase == Phase::Starting)
    }

    /// Nothing is left to be waited for.
    pub(super) fn is_over(&self) -> bool {
        self.due.is_none() && self.processes.is_empty()
    }
}

impl Process {
    /// Whether clients that are sent to it are accepted.
    pub(super) fn is_healthy(&self) -> bool {
        self.phase == Phase::Ready && !self.is_stalled && self.suspended.is_none()
    }

    /// Returns whether it can accept the waiting clients of other listeners during shutdown.
    pub(super) fn can_serve_last(&self) -> bool {
        self.ready.is_some() && !self.is_doomed() && !self.is_stalled && self.suspended.is_none()
    }

    /// Asks it to end, once. If it was suspended, it is continued, so that it can.
    pub(super) fn order_to_leave(&mut self) {
        if !self.is_ordered {
            self.is_ordered = true;
            if !self.is_doomed() {
                self.phase = Phase::Leaving { since: Instant::now() };
            }
            self.page.set_ordered();
            self.signal(Signal::SIGTERM);
        }
        self.resume();
    }

    /// Continues it if it is suspended.
    pub(super) fn resume(&mut self) {
        self.signal(Signal::SIGCONT);
        // Whether its loop turns is seen later.
        (self.suspended, self.is_stalled) = (None, false);
    }

    /// Has it look at the scoreboard.
    pub(super) fn ring(&self) {
        if let Some(wire) = &self.wire {
            wire.ring();
        }
    }

    /// Whether it has rung.
    pub(super) fn has_rung(&mut self) -> bool {
        match self.wire.as_ref().map(Wire::listen) {
            Some(Ok(Heard::Ring)) => true,
            // The exit status says how it ended. A process that continues has closed a wire that it
            // does not know.
            Some(Ok(Heard::End) | Err(_)) => {
                self.wire = None;
                false
            }
            Some(Ok(Heard::Nothing)) | None => false,
        }
    }

    /// Reads the page of a process that has ended, and may have been ready just before without its
    /// ring being noticed.
    pub(super) fn note_what_was_not_heard(&mut self) {
        if matches!(self.page.state(), State::Ready | State::Stopping) {
            self.ready.get_or_insert_with(Instant::now);
        }
    }

    /// Whether it can do nothing more.
    fn is_doomed(&self) -> bool {
        matches!(self.phase, Phase::Aborted { .. } | Phase::Killed)
    }

    /// Returns whether it was aborted because it hangs.
    pub(super) fn was_aborted(&self) -> bool {
        matches!(self.phase, Phase::Aborted { .. })
    }

    pub(super) fn abort(&mut self) {
        self.phase = Phase::Aborted { since: Instant::now() };
        self.signal(Signal::SIGABRT);
        self.signal(Signal::SIGCONT);
    }

    pub(super) fn kill(&mut self) {
        self.phase = Phase::Killed;
        self.signal(Signal::SIGKILL);
    }

    /// One that has ended was not yet waited for, so that the number is still its own and
    /// nothing can fail.
    fn signal(&self, signal: Signal) {
        let _ = kill(self.pid, signal);
    }
}
