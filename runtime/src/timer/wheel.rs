//! The timer wheel: which timers are due at which tick.
//!
//! The wheel reads no clock. Callers pass in the time, in ticks. A timer stores its due time in
//! nanoseconds, because that is compared more often than it is converted.
//!
//! Level 0 has a slot for each of the 64 ticks of the present block. Level 1 has a slot for each
//! block of 64 ticks in the present block of 64 × 64 ticks, and so on. A timer is on the lowest
//! level that distinguishes its time from the present. So all occupied slots are in the future, and
//! the first occupied slot of the lowest occupied level comes next: one `trailing_zeros` finds it.
//! When the time of a slot on a higher level comes, its timers move down. A timer that was extended
//! in the meantime moves to its new slot then. So extending a timer, which each request does, is
//! one store.

use super::clock::tick_from;
use crate::executor::Waiter;
use crate::slab::{NONE, Slab};

/// With seven levels, a wheel of milliseconds turns once in 139 years, so no timer needs a place
/// outside of it.
const LEVELS: usize = 7;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// The last tick of the wheel. A timer that is due later never expires.
const END: u64 = (1 << (BITS * LEVELS as u32)) - 1;
/// The due time of a timer that never expires, in ticks and in nanoseconds.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Wheel {
    /// All ticks before this one are over.
    now: u64,
    /// The tick at which the first occupied slot begins. `NEVER` if there is none.
    next: u64,
    /// One bit for each level, set if it has a timer.
    occupied: u8,
    levels: [Level; LEVELS],
    timers: Slab<Timer>,
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot, set if it has a timer.
    occupied: u64,
    slots: [List; SLOTS],
}

/// The ends of a list of timers, or `NONE` twice.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

/// The result of [`Wheel::extend_fast`].
#[derive(Debug)]
pub(crate) enum Extended {
    /// The timer is set. The caller drops the waiter before while nothing is borrowed.
    Done(Option<Waiter>),
    /// There is no such timer, or its slot comes too late. The waiter is unused.
    NotPossible(Waiter),
}

/// The result of [`Wheel::wait`].
#[derive(Debug)]
pub(crate) struct Wait {
    /// The nanosecond at which the timer is due, which may be in the past.
    pub(crate) due: u64,
    /// The waiter before. The caller drops it while nothing is borrowed.
    pub(crate) replaced: Option<Waiter>,
}

#[derive(Debug)]
struct Timer {
    previous: u32,
    next: u32,
    /// The nanosecond at which the timer is due. Its slot may come earlier.
    due: u64,
    /// The slot of the timer. `None` if it is not armed or has expired.
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

    /// Removes a timer. The caller drops its waiter while nothing is borrowed.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Waiter> {
        self.unlink(index);
        self.timers.remove(index)?.waiter
    }

    /// Makes a timer due at a nanosecond. If this returns `false`, its slot comes too late, and the
    /// caller must [move](Self::move_earlier) it.
    #[inline]
    pub(crate) fn set(&mut self, index: u32, due: u64) -> bool {
        let Some(timer) = self.timers.at_mut(index) else { return true };
        let before = std::mem::replace(&mut timer.due, due);
        timer.place.is_some() && before <= due
    }

    /// Fast path of [`set`](Self::set) and [`wait`](Self::wait): same result; skip on a first
    /// reading. It works if the slot of the timer comes in time. If not, it does nothing.
    #[inline]
    pub(crate) fn extend_fast(&mut self, index: u32, due: u64, waiter: Waiter) -> Extended {
        match self.timers.at_mut(index) {
            Some(timer) if timer.place.is_some() && timer.due <= due => {
                timer.due = due;
                Extended::Done(timer.waiter.replace(waiter))
            }
            _ => Extended::NotPossible(waiter),
        }
    }

    /// Moves a timer to a slot that comes no later than its due time. `now` is the present tick.
    pub(crate) fn move_earlier(&mut self, index: u32, now: u64) {
        // Advances the wheel first, so that the timer gets a lower level.
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

    /// Disarms a timer, so it never expires. It stays in its slot until that comes.
    pub(crate) fn disarm(&mut self, index: u32) {
        if let Some(timer) = self.timers.at_mut(index) {
            timer.due = NEVER;
        }
    }

    /// Returns the nanosecond at which a timer is due, or `None` if it never expires.
    pub(crate) fn due(&self, index: u32) -> Option<u64> {
        self.timers.at(index).map(|timer| timer.due).filter(|due| *due != NEVER)
    }

    /// Makes the expiry of a timer wake `waiter`.
    #[inline]
    pub(crate) fn wait(&mut self, index: u32, waiter: Waiter) -> Wait {
        match self.timers.at_mut(index) {
            Some(timer) => Wait { due: timer.due, replaced: timer.waiter.replace(waiter) },
            None => Wait { due: NEVER, replaced: Some(waiter) },
        }
    }

    /// Takes out the waiter of a timer.
    pub(crate) fn take_waiter(&mut self, index: u32) -> Option<Waiter> {
        self.timers.at_mut(index)?.waiter.take()
    }

    /// Returns the tick at which [`expire`](Self::expire) next has work, or `NEVER`. It may be
    /// earlier than the first timer, but not later.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Returns the tick at which the first timer is due. This looks at all timers.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let armed = self.timers.iter().filter(|timer| timer.place.is_some());
        armed.map(|timer| tick_from(timer.due)).filter(|due| *due <= END).min()
    }

    /// Returns the greatest number of timers at the same time.
    #[cfg(test)]
    pub(crate) fn end(&self) -> u32 {
        self.timers.end()
    }

    /// Moves the wheel towards the tick `now`, but stops at the first timer that is due and returns
    /// it. Call this until it returns `None`.
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

    /// Takes all timers out of a slot whose time has come, and links them again.
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

    /// Appends a timer without a slot to the slot of the tick `due`. Does nothing if `due` is
    /// beyond the wheel.
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

    /// Returns the occupied slot that comes next.
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
        // An overdue timer belongs into the present slot.
        let due = due.max(self.now);
        // The highest bit that differs determines the level.
        let level = (63 - ((self.now ^ due) | (SLOTS as u64 - 1)).leading_zeros()) / BITS;
        let slot = (due >> (level * BITS)) & (SLOTS as u64 - 1);
        Some(Place { level: level as u8, slot: slot as u8 })
    }
}

/// Returns the first tick of a slot.
fn start(now: u64, place: Place) -> u64 {
    let shift = u32::from(place.level) * BITS;
    let block = now >> (shift + BITS) << (shift + BITS);
    block | (u64::from(place.slot) << shift)
}

#[cfg(test)]
mod tests;
