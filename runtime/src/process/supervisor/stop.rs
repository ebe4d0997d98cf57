//! The end of all workers.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::log::{self, Target};

use super::slot::{Goal, Process, Slot};
use super::{Supervisor, exit};

/// Orders to stop that come this close to each other are one: `timeout`, for one, signals a
/// process and then its whole group.
const ONE_ORDER: Duration = Duration::from_millis(100);

/// The state of stopping the server.
#[derive(Debug, Default)]
pub(super) struct Shutdown {
    pub(super) stage: Stage,
    /// The exit status of the supervisor when all workers have ended.
    pub(super) status: i32,
    /// A worker has accepted all waiting clients before it ended.
    pub(super) has_drained: bool,
    /// How many workers were started for the queues of workers that died during shutdown.
    pub(super) last_tries: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Stage {
    #[default]
    Serving,
    /// The workers were asked to end.
    Stopping { since: Instant },
    /// The workers were killed.
    Killing,
}

impl Supervisor {
    /// The first order asks the workers to end, the next one ends them.
    pub(super) fn stop_ordered(&mut self, order: Signal) {
        if self.pass_on(order) {
            return;
        }
        match self.shutdown.stage {
            Stage::Serving => {
                let timeout = self.options.stop_limit();
                let text = format_args!("{order}: stopping the workers, within {timeout:?}");
                log::info(log::GENERAL, text);
                self.stop();
            }
            Stage::Stopping { since } if since.elapsed() < ONE_ORDER => {}
            Stage::Stopping { .. } | Stage::Killing => self.kill_all(format_args!("{order} again")),
        }
    }

    pub(super) fn stop(&mut self) {
        self.shutdown.stage = Stage::Stopping { since: Instant::now() };
        self.start_no_more();
        self.each_process(|_, process| process.order_to_leave());
        self.reject(format_args!("the server ends"));
        self.dismiss_others();
    }

    pub(super) fn kill_all(&mut self, reason: fmt::Arguments<'_>) {
        self.kill_all_as(log::warn, reason);
    }

    fn kill_all_as(&mut self, log: fn(Target, fmt::Arguments<'_>), reason: fmt::Arguments<'_>) {
        self.shutdown.stage = Stage::Killing;
        self.start_no_more();
        self.kill_successor();
        self.kill_others();
        self.each_process(|id, process| {
            let pid = process.pid;
            log(log::GENERAL, format_args!("{reason}: killing worker {id} (pid {pid})"));
            process.kill();
        });
    }

    pub(super) fn stop_deadline(&self) -> Option<Instant> {
        match self.shutdown.stage {
            Stage::Stopping { since } => since.checked_add(self.options.stop_limit()),
            Stage::Serving | Stage::Killing => None,
        }
    }

    pub(super) fn stop_overdue(&mut self, now: Instant) {
        if self.stop_deadline().is_some_and(|deadline| deadline <= now) {
            let timeout = self.options.stop_limit();
            self.kill_all_as(log::error, format_args!("not stopped within {timeout:?}"));
        }
    }

    /// All workers have ended.
    pub(super) fn leave(mut self) -> ! {
        // They ended without being asked.
        if self.is_serving() {
            let text = "all workers have ended by themselves: the server ends, with status 0";
            log::warn(log::GENERAL, format_args!("{text}"));
        }
        self.presence.leave();
        self.pass_on_pending();
        exit(self.shutdown.status)
    }

    /// Whether the server goes on.
    pub(super) fn is_serving(&self) -> bool {
        matches!(self.shutdown.stage, Stage::Serving)
    }

    fn start_no_more(&mut self) {
        if self.owns_listeners() {
            self.scoreboard.set_stopping();
        }
        for slot in &mut self.slots {
            slot.goal = Goal::Retired;
            slot.due = None;
        }
    }

    pub(super) fn each_process(&mut self, act: impl FnMut(usize, &mut Process)) {
        each_process(&mut self.slots, act);
    }
}

pub(super) fn each_process(slots: &mut [Slot], mut act: impl FnMut(usize, &mut Process)) {
    for (id, slot) in slots.iter_mut().enumerate() {
        slot.processes.iter_mut().for_each(|process| act(id, process));
    }
}
