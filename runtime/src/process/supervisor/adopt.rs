//! Gives the listeners of a worker that cannot accept to another worker.

use std::time::Instant;

use crate::log;

use super::Supervisor;
use super::slot::{Process, Slot};
use super::stop::Stage;

/// How many workers may be started during shutdown for the queues of workers that have all died.
const LAST_TRIES: u32 = 3;

impl Supervisor {
    /// Gives each slot without a serving worker to a worker that can serve it, and takes it back
    /// once the slot has a worker again. During shutdown, each worker serves its slots to the end;
    /// if one dies meanwhile, another worker gets its slots.
    pub(super) fn assign(&mut self) {
        match self.shutdown.stage {
            Stage::Serving => {}
            Stage::Stopping { .. } if self.owns_listeners() => self.start_last(),
            Stage::Stopping { .. } | Stage::Killing => return,
        }
        let mut rings = Vec::new();
        for id in 0..self.slots.len() {
            let before = self.slots[id].adopter;
            let after = if self.is_orphaned(id) { self.adopter_of(id) } else { None };
            if before != after {
                self.slots[id].adopter = after;
                self.slots[id].pages[0].set_adopter(after);
                rings.extend(before.into_iter().chain(after));
            } else if after.is_none() && self.is_serving() {
                self.abandon_queue(id);
            }
        }
        for page in rings {
            if let Some((id, index)) = self.find(|process| process.page.index() == page) {
                self.slots[id].processes[index].ring();
            }
        }
    }

    /// Returns whether no worker accepts new clients of this slot, or, during shutdown, the waiting
    /// ones.
    fn is_orphaned(&self, id: usize) -> bool {
        let slot = &self.slots[id];
        if self.is_serving() {
            return slot.has_listened && !slot.is_served();
        }
        let serves = |process: &Process| process.can_serve_last() && process.page.accepts_last();
        self.sockets.listens(id) && !slot.processes.iter().any(serves)
    }

    /// Returns the page of the worker that should serve this slot in place of its own.
    fn adopter_of(&self, id: usize) -> Option<usize> {
        let is_able = |process: &&Process| match self.shutdown.stage {
            Stage::Serving => process.is_healthy() && process.page.adopts(),
            _ => process.can_serve_last() && process.page.adopts(),
        };
        let workers = self.slots.iter().flat_map(|slot| &slot.processes).filter(is_able);
        let load =
            |page: usize| self.slots.iter().filter(|slot| slot.adopter == Some(page)).count();
        // A worker that has the slot already keeps it.
        workers.map(|process| process.page.index()).min_by_key(|&page| {
            let is_new = self.slots[id].adopter != Some(page);
            (is_new, if is_new { load(page) } else { 0 })
        })
    }

    /// If all workers have died during shutdown, starts one for the clients that still wait in
    /// their queues, and closes the others.
    fn start_last(&mut self) {
        let is_there =
            |slot: &Slot| slot.is_starting() || slot.processes.iter().any(Process::can_serve_last);
        if !self.has_adopters || self.shutdown.status != 0 || self.slots.iter().any(is_there) {
            return;
        }
        for id in 0..self.slots.len() {
            if !self.sockets.holds_clients(id, !self.shutdown.has_drained) {
                self.sockets.retire(id);
            } else if self.shutdown.last_tries == LAST_TRIES {
                self.shutdown.last_tries += 1;
                let text = "those who wait to be accepted are lost: the last workers have died";
                return log::error(log::GENERAL, format_args!("{text}"));
            } else if self.shutdown.last_tries < LAST_TRIES && self.slots[id].free_page().is_some()
            {
                self.shutdown.last_tries += 1;
                let text = format_args!("starting worker {id} for those who wait in its queue");
                log::info(log::GENERAL, text);
                self.slots[id].due = Some(Instant::now());
                return;
            }
        }
    }

    /// Where no worker ever adopts and none will come, connections are refused rather than left
    /// to wait for ever.
    fn abandon_queue(&mut self, id: usize) {
        // The server that handed it over serves it as well.
        if !self.owns_listeners() {
            return;
        }
        let is_able = |slot: &Slot| slot.processes.iter().any(|process| process.page.adopts());
        let may_help = |slot: &Slot| slot.is_starting() || is_able(slot);
        let slot = &self.slots[id];
        if slot.has_listened && slot.is_over() && !self.slots.iter().any(may_help) {
            self.slots[id].has_listened = false;
            self.sockets.retire(id);
        }
    }
}
