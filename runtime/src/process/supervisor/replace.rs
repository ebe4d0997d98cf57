//! Replaces workers, and changes their number. The old worker serves until the new one does.

use std::time::Instant;

use crate::log;

use super::Supervisor;
use super::slot::{Goal, Process, Slot};

impl Supervisor {
    /// Has every worker that there is now replaced, one after the other.
    pub(super) fn reload(&mut self) {
        if self.is_serving() {
            log::info(log::GENERAL, format_args!("SIGHUP: replacing the workers one by one"));
            self.reload_before = self.generation + 1;
            self.presence.reload_ordered(self.wanted());
            // Whatever has failed so far may be mended by now.
            for slot in &mut self.slots {
                slot.early_deaths.forget();
                slot.due = slot.due.filter(|_| slot.serving().is_none());
            }
        }
    }

    /// Begins with the replacement of the next worker that is to be replaced, if none is being
    /// replaced.
    pub(super) fn replace_next(&mut self) {
        let is_replacing = |slot: &Slot| slot.serving().is_some() && slot.is_starting();
        if !self.is_serving() || self.slots.iter().any(is_replacing) {
            return;
        }
        let mark = self.reload_before;
        let is_outdated = |process: &Process| {
            process.page.generation() < mark || process.page.wants_replacement()
        };
        let is_next = |slot: &&mut Slot| {
            slot.goal == Goal::Served
                && slot.processes.len() == 1
                && slot.serving().is_some_and(is_outdated)
        };
        if let Some(slot) = self.slots.iter_mut().find(is_next) {
            slot.due = Some(Instant::now());
            return;
        }
        let is_old = |slot: &Slot| slot.processes.iter().any(|one| one.page.generation() < mark);
        if mark > 0 && !self.slots.iter().any(is_old) {
            self.reload_before = 0;
            log::info(log::GENERAL, format_args!("all workers were replaced"));
        }
    }

    /// One worker more, if there is a slot for it.
    pub(super) fn one_more(&mut self) {
        if !self.is_serving() {
            return;
        }
        match self.slots.iter_mut().enumerate().find(|(_, slot)| slot.goal != Goal::Served) {
            Some((id, slot)) => {
                slot.goal = Goal::Served;
                slot.due = Some(Instant::now());
                slot.early_deaths.forget();
                log::info(log::GENERAL, format_args!("SIGTTIN: one more worker, worker {id}"));
            }
            None => {
                let most = self.slots.len();
                let text = format_args!("SIGTTIN: there are {most} workers, which is the limit");
                log::warn(log::GENERAL, text);
            }
        }
    }

    /// One worker fewer, if there are two. Its listeners stay open, and another worker serves
    /// them.
    pub(super) fn one_fewer(&mut self) {
        let is_served = |slot: &Slot| slot.goal == Goal::Served;
        if !self.is_serving() || self.slots.iter().filter(|slot| is_served(slot)).count() < 2 {
            return log::warn(log::GENERAL, format_args!("SIGTTOU: one worker must stay"));
        }
        let Some(id) = self.slots.iter().rposition(is_served) else { return };
        log::info(log::GENERAL, format_args!("SIGTTOU: one worker fewer, worker {id} ends"));
        let slot = &mut self.slots[id];
        slot.goal = Goal::Retired;
        slot.due = None;
        slot.has_listened |= !slot.processes.is_empty();
        slot.processes.iter_mut().for_each(Process::order_to_leave);
    }
}
