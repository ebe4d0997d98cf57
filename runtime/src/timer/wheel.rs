//! The wheel of timers: what is due when. Pure: time is a number that callers pass in, of ticks; only
//! timers know the nanosecond at which they are due, for it is compared more often than it is put
//! into its tick.
//!
//! Level 0 has a slot for each of the 64 ticks of the present block; level 1 has one for each
//! block of 64 ticks in the present block of 64 × 64; and so on. A timer lies at the lowest
//! level that still tells its time from now, so all occupied slots lie ahead of the present one,
//! and the first slot of the lowest occupied level is the next to come: one `trailing_zeros`.
//! When the time of a slot of a higher level comes, its timers move down; that is also when a
//! timer that has meanwhile been put off finds its new place. So putting a timer off, which each
//! request does with its connection's, is one store.

use super::clock::tick_from;
use crate::executor::Waiter;
use crate::slab::{NONE, Slab};

/// With seven levels a wheel of milliseconds turns once in 139 years, so that no timer needs a
/// place outside of it.
const LEVELS: usize = 7;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// The last tick of the wheel. What is due later is due never.
const END: u64 = (1 << (BITS * LEVELS as u32)) - 1;
/// Due never; in ticks and in nanoseconds.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Wheel {
    /// All ticks before this one have been dealt with.
    now: u64,
    /// The tick at which the first occupied slot begins; `NEVER` if there is none.
    next: u64,
    /// One bit for each level: is there a timer in it?
    occupied: u8,
    levels: [Level; LEVELS],
    timers: Slab<Timer>,
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot: is there a timer in it?
    occupied: u64,
    slots: [List; SLOTS],
}

/// The ends of a list of timers, or `NONE` twice.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

#[derive(Debug)]
struct Timer {
    previous: u32,
    next: u32,
    /// The nanosecond at which the timer is due; the slot it lies in may come earlier.
    due: u64,
    /// Where the timer lies; `None` if it is not armed or has expired.
    place: Option<Place>,
    waiter: Option<Waiter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    level: u8,
    slot: u8,
}

impl Wheel {
    pub(crate) const fn new() -> Self {
        const EMPTY: List = List { first: NONE, last: NONE };
        Self {
            now: 0,
            next: NEVER,
            occupied: 0,
            levels: [const { Level { occupied: 0, slots: [EMPTY; SLOTS] } }; LEVELS],
            timers: Slab::new(),
        }
    }

    /// Makes a timer that is not armed.
    pub(crate) fn insert(&mut self) -> u32 {
        let timer = Timer { previous: NONE, next: NONE, due: NEVER, place: None, waiter: None };
        self.timers.insert(timer)
    }

    /// Removes a timer. Who waits for it is returned to be dropped where nothing is borrowed.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Waiter> {
        self.unlink(index);
        self.timers.remove(index)?.waiter
    }

    /// Makes a timer due at a nanosecond. False: it lies in no slot that comes in time, and has to be
    /// [moved](Self::move_up).
    #[inline]
    pub(crate) fn set(&mut self, index: u32, due: u64) -> bool {
        let Some(timer) = self.timers.at_mut(index) else { return true };
        let before = std::mem::replace(&mut timer.due, due);
        timer.place.is_some() && before <= due
    }

    /// As [`set`](Self::set) and [`wait`](Self::wait) one after the other, for a timer that lies in a
    /// slot that comes in time. If it does not, or there is no such timer, nothing happens.
    #[inline]
    pub(crate) fn put_off(
        &mut self,
        index: u32,
        due: u64,
        waiter: Waiter,
    ) -> Result<Option<Waiter>, Waiter> {
        match self.timers.at_mut(index) {
            Some(timer) if timer.place.is_some() && timer.due <= due => {
                timer.due = due;
                Ok(timer.waiter.replace(waiter))
            }
            _ => Err(waiter),
        }
    }

    /// Puts a timer where it comes in time. `now` is the present tick.
    pub(crate) fn move_up(&mut self, index: u32, now: u64) {
        // The nearer the wheel is, the nearer is the slot.
        if self.next > now {
            self.now = self.now.max(now);
        }
        let Some(timer) = self.timers.at(index) else { return };
        let due = tick_from(timer.due);
        if timer.place.is_some_and(|place| start(self.now, place) <= due) {
            return;
        }
        self.unlink(index);
        self.link(index, due);
    }

    /// Makes a timer due never. It stays in its slot until that comes.
    pub(crate) fn disarm(&mut self, index: u32) {
        if let Some(timer) = self.timers.at_mut(index) {
            timer.due = NEVER;
        }
    }

    /// The nanosecond at which a timer is due; `None` for never.
    pub(crate) fn due(&self, index: u32) -> Option<u64> {
        self.timers.at(index).map(|timer| timer.due).filter(|due| *due != NEVER)
    }

    /// Has the expiry of a timer wake `waiter`. Returns the nanosecond at which it is due, which may be
    /// past, and who waited before.
    #[inline]
    pub(crate) fn wait(&mut self, index: u32, waiter: Waiter) -> (u64, Option<Waiter>) {
        match self.timers.at_mut(index) {
            Some(timer) => (timer.due, timer.waiter.replace(waiter)),
            None => (NEVER, Some(waiter)),
        }
    }

    /// Takes out whom the expiry of a timer wakes.
    pub(crate) fn take_waiter(&mut self, index: u32) -> Option<Waiter> {
        self.timers.at_mut(index)?.waiter.take()
    }

    /// The tick at which [`expire`](Self::expire) next has something to do, or the last that there
    /// is. It is never later than the first timer, but may be earlier.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The tick at which the first timer is due. Looks at all of them.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let armed = self.timers.iter().filter(|timer| timer.place.is_some());
        armed.map(|timer| tick_from(timer.due)).filter(|due| *due <= END).min()
    }

    /// How many timers there have been at the same time.
    #[cfg(test)]
    pub(crate) fn end(&self) -> u32 {
        self.timers.end()
    }

    /// Moves the wheel to the tick `now`, but stops at the first timer that is due and returns
    /// it. To be called until it returns `None`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<u32> {
        while self.next <= now
            && let Some(place) = self.next_place()
        {
            self.now = self.now.max(self.next);
            if place.level > 0 {
                self.move_down(place);
                continue;
            }
            let index = self.list(place).first;
            self.unlink(index);
            let due = self.timers.at(index).map_or(NEVER, |timer| tick_from(timer.due));
            if due <= self.now {
                return Some(index);
            }
            self.link(index, due);
        }
        self.now = self.now.max(now);
        None
    }

    /// Takes all timers out of a slot whose time has come and links them anew.
    fn move_down(&mut self, place: Place) {
        let mut index = self.list(place).first;
        *self.list(place) = List { first: NONE, last: NONE };
        self.mark_empty(place);
        while let Some(timer) = self.timers.at_mut(index) {
            let (next, due) = (timer.next, tick_from(timer.due));
            timer.place = None;
            self.link(index, due);
            index = next;
        }
    }

    /// Puts a timer that lies nowhere at the end of the slot for the tick `due`, or nowhere if that
    /// lies beyond the wheel.
    fn link(&mut self, index: u32, due: u64) {
        let Some(place) = self.place_for(due) else { return };
        self.next = self.next.min(start(self.now, place));
        self.occupied |= 1 << place.level;
        let level = &mut self.levels[usize::from(place.level)];
        level.occupied |= 1 << place.slot;
        let list = &mut level.slots[usize::from(place.slot)];
        let previous = std::mem::replace(&mut list.last, index);
        if previous == NONE {
            list.first = index;
        }
        if let Some(timer) = self.timers.at_mut(previous) {
            timer.next = index;
        }
        if let Some(timer) = self.timers.at_mut(index) {
            (timer.previous, timer.next) = (previous, NONE);
            timer.place = Some(place);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(timer) = self.timers.at_mut(index) else { return };
        let Some(place) = timer.place.take() else { return };
        let (previous, next) = (timer.previous, timer.next);
        match self.timers.at_mut(previous) {
            Some(timer) => timer.next = next,
            None => self.list(place).first = next,
        }
        match self.timers.at_mut(next) {
            Some(timer) => timer.previous = previous,
            None => self.list(place).last = previous,
        }
        if self.list(place).first == NONE {
            self.mark_empty(place);
        }
    }

    fn mark_empty(&mut self, place: Place) {
        let level = &mut self.levels[usize::from(place.level)];
        level.occupied &= !(1 << place.slot);
        if level.occupied == 0 {
            self.occupied &= !(1 << place.level);
        }
        self.next = self.next_place().map_or(NEVER, |place| start(self.now, place));
    }

    fn list(&mut self, place: Place) -> &mut List {
        &mut self.levels[usize::from(place.level)].slots[usize::from(place.slot)]
    }

    /// The occupied slot that comes next.
    fn next_place(&self) -> Option<Place> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        let slot = self.levels[level as usize].occupied.trailing_zeros();
        Some(Place { level: level as u8, slot: slot as u8 })
    }

    fn place_for(&self, due: u64) -> Option<Place> {
        if due > END {
            return None;
        }
        // A timer that is overdue lies in the present slot.
        let due = due.max(self.now);
        // The highest bit in which now and then differ says which level tells them apart.
        let level = (63 - ((self.now ^ due) | (SLOTS as u64 - 1)).leading_zeros()) / BITS;
        let slot = (due >> (level * BITS)) & (SLOTS as u64 - 1);
        Some(Place { level: level as u8, slot: slot as u8 })
    }
}

/// The first tick of a slot.
fn start(now: u64, place: Place) -> u64 {
    let shift = u32::from(place.level) * BITS;
    let block = now >> (shift + BITS) << (shift + BITS);
    block | (u64::from(place.slot) << shift)
}

#[cfg(test)]
mod tests;
