//! Finds workers that take too long to start, to take their turn or to end, and workers that take
//! too much memory.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::log;

use super::Supervisor;
use super::slot::{Phase, Process};
use super::stall::LOOK;
use super::stop::{Stage, each_process};
use crate::process::shared::scoreboard::{SlotPage, State};
use crate::process::supervisor::stuck::{self, OwnMemory};

/// How often to look how much memory the workers have.
const MEASURE: Duration = Duration::from_secs(5);

/// The checks of the supervisor that are due at certain times.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) memory: OwnMemory,
    /// When to check next whether a worker hangs.
    next_look: Option<Instant>,
    /// When to measure next how much memory the workers have.
    next_measure: Option<Instant>,
    /// Processes that run [`ForkOptions::on_worker_exit`], and when they must have ended.
    ///
    /// [`ForkOptions::on_worker_exit`]: crate::process::ForkOptions::on_worker_exit
    pub(super) hooks: Vec<(Pid, Instant)>,
}

impl Checks {
    pub(super) fn new(memory: OwnMemory) -> Self {
        Self { memory, next_look: None, next_measure: None, hooks: Vec::new() }
    }
}

impl Supervisor {
    pub(super) fn watch_deadline(&self) -> Option<Instant> {
        let processes = self.slots.iter().flat_map(|slot| &slot.processes);
        let limits = processes.filter_map(|process| self.limit_of(process));
        let hooks = self.checks.hooks.iter().map(|hook| hook.1);
        limits.chain(hooks).chain(self.checks.next_look).chain(self.checks.next_measure).min()
    }

    pub(super) fn watch(&mut self) {
        let now = Instant::now();
        self.stop_overdue(now);
        self.upgrade_overdue(now);
        self.others_overdue(now);
        self.presence.sign_of_life(now);
        self.kill_overdue_hooks(now);
        self.kill_overdue(now);
        self.look_for_stalls(now);
        self.measure_memory(now);
    }

    /// When this process must have started, or ended.
    fn limit_of(&self, process: &Process) -> Option<Instant> {
        match process.phase {
            // It cannot start.
            Phase::Starting if process.suspended.is_some() => None,
            Phase::Starting => process.started.checked_add(self.options.start_limit()?),
            // Then all are stopped together.
            Phase::Leaving { .. } if !self.is_serving() => None,
            Phase::Leaving { since, .. } => since.checked_add(self.options.stop_limit()),
            Phase::Aborted { since } => since.checked_add(self.options.stop_limit()),
            Phase::Ready | Phase::Killed => None,
        }
    }

    fn kill_overdue(&mut self, now: Instant) {
        for id in 0..self.slots.len() {
            for index in 0..self.slots[id].processes.len() {
                let process = &self.slots[id].processes[index];
                if self.limit_of(process).is_none_or(|limit| limit > now) {
                    continue;
                }
                let (what, limit) = match process.phase {
                    Phase::Starting => ("ready", self.options.start_limit().unwrap_or_default()),
                    Phase::Aborted { .. } => ("aborted", self.options.stop_limit()),
                    _ => ("stopped", self.options.stop_limit()),
                };
                let pid = process.pid;
                let text =
                    format_args!("not {what} within {limit:?}: killing worker {id} (pid {pid})");
                log::error(log::GENERAL, text);
                self.slots[id].processes[index].kill();
            }
        }
    }

    fn look_for_stalls(&mut self, now: Instant) {
        let (timeout, adopt_after) = (self.options.stall_timeout, self.options.adopt_after);
        if timeout.is_none() && adopt_after.is_none() {
            return;
        }
        if self.checks.next_look.is_some_and(|at| at > now) {
            return;
        }
        self.checks.next_look =
            (!matches!(self.shutdown.stage, Stage::Killing)).then(|| now + LOOK);
        let clock = SlotPage::now();
        for slot in &mut self.slots {
            // One that takes its time to start may have begun to listen.
            let is_slow =
                |process: &Process| adopt_after.is_some_and(|limit| now - process.started >= limit);
            slot.has_listened |= slot.processes.iter().any(is_slow);
        }
        let (describe, memory) = (self.options.describe, &self.checks.memory);
        each_process(&mut self.slots, |id, process| {
            let turn = process.page.turn().filter(|_| process.page.state() != State::Empty);
            let is_stopped =
                turn.is_some() && (process.suspended.is_some() || stuck::is_stopped(process.pid));
            if is_stopped {
                process.stall.suspended();
            }
            let stall = process.stall.look(clock, turn);
            process.is_stalled = adopt_after.is_some_and(|limit| is_stopped || stall >= limit);
            let is_over = timeout.is_some_and(|limit| stall >= limit);
            if process.phase == Phase::Ready && is_over && !is_stopped {
                let pid = process.pid;
                let serving = describe.and_then(|describe| describe(&process.page));
                let text = format_args!(
                    "worker {id} (pid {pid}) has not turned for {} s, replacing it; {}",
                    stall.as_secs(),
                    stuck::report(&process.page, serving.as_deref(), memory),
                );
                log::error(log::GENERAL, text);
                process.abort();
            }
        });
    }

    fn measure_memory(&mut self, now: Instant) {
        let Some(limit) = self.options.max_memory else { return };
        if self.checks.next_measure.is_some_and(|at| at > now) {
            return;
        }
        self.checks.next_measure = self.is_serving().then(|| now + MEASURE);
        self.each_process(|id, process| {
            if process.phase != Phase::Ready || process.page.wants_replacement() {
                return;
            }
            let Some(memory) = stuck::memory(process.pid) else { return };
            // A share of its own for each, so that not all are replaced at once.
            let share = process.page.generation() % 8;
            if memory >= limit - limit / 64 * share {
                let text = format_args!("worker {id} (pid {}) has {memory} bytes", process.pid);
                log::info(log::GENERAL, format_args!("{text}, replacing it"));
                process.page.want_replacement();
            }
        });
    }
}
