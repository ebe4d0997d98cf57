//! Who serves a slot whose worker cannot.

use super::Supervisor;
use super::slot::{Process, Slot};

impl Supervisor {
    /// Gives each slot that nobody serves to a worker that can, and takes it back once it has
    /// one of its own again.
    pub(super) fn assign(&mut self) {
        // While all stop, each serves what it has to the end.
        if !self.is_serving() {
            return;
        }
        let mut rings = Vec::new();
        for id in 0..self.slots.len() {
            let before = self.slots[id].adopter;
            let after = self.adopter_of(id);
            if before != after {
                self.slots[id].adopter = after;
                self.slots[id].pages[0].set_adopter(after);
                rings.extend(before.into_iter().chain(after));
            } else if after.is_none() {
                self.abandon_queue(id);
            }
        }
        for page in rings {
            if let Some((id, index)) = self.find(|process| process.page.index() == page) {
                self.slots[id].processes[index].ring();
            }
        }
    }

    /// The page of who is to serve this slot in place of its own worker.
    fn adopter_of(&self, id: usize) -> Option<usize> {
        let slot = &self.slots[id];
        if !slot.has_listened || slot.is_served() {
            return None;
        }
        let able = |process: &&Process| process.is_healthy() && process.page.adopts();
        let workers = self.slots.iter().flat_map(|slot| &slot.processes).filter(able);
        let mut workers = workers.map(|process| process.page.index());
        // Who has it keeps it.
        if let Some(adopter) = workers.clone().find(|&page| slot.adopter == Some(page)) {
            return Some(adopter);
        }
        let load =
            |page: usize| self.slots.iter().filter(|slot| slot.adopter == Some(page)).count();
        let first = workers.next()?;
        Some(workers.fold(first, |best, page| if load(page) < load(best) { page } else { best }))
    }

    /// Where no worker ever adopts and none will come, connections are refused rather than left
    /// to wait for ever.
    fn abandon_queue(&mut self, id: usize) {
        // Who hands it over serves it as well.
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
