//! The clock of a thread and its timers.
//!
//! The clock is read once per turn, so that timers and deadlines cost no system call and all of
//! a turn happens at one time. It ticks in milliseconds, and a time is rounded up to the next
//! tick: no timer fires early.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::slab::NONE;
use wheel::Wheel;

pub use deadline::Deadline;
pub use sleep::{Sleep, TimedOut, Timeout, sleep, sleep_until, timeout};

mod deadline;
mod sleep;
mod wheel;

/// From here on it does not matter that the time of the turn is some microseconds old when the
/// loop falls asleep, and the clock need not be read for it.
const LONG: Duration = Duration::from_secs(1);

const NANOS_PER_TICK: u64 = 1_000_000;

thread_local! {
    static TIMERS: Timers = Timers::new();
}

struct Timers {
    wheel: RefCell<Wheel>,
    /// Tick 0.
    origin: Instant,
    /// The time of this turn.
    now: Cell<Instant>,
    /// The same, in nanoseconds since the origin.
    nanos: Cell<u64>,
    /// The tick that `now` lies in.
    tick: Cell<u64>,
    /// The clock moves by [`advance`] and [`jump`] only.
    is_virtual: Cell<bool>,
}

impl Timers {
    fn new() -> Self {
        let origin = Instant::now();
        Self {
            wheel: RefCell::new(Wheel::new()),
            origin,
            now: Cell::new(origin),
            nanos: Cell::new(0),
            tick: Cell::new(0),
            is_virtual: Cell::new(false),
        }
    }

    /// Sets the clock. This and `read` are the only places that do.
    fn set(&self, now: Instant) {
        let nanos = nanos(now.saturating_duration_since(self.origin));
        self.now.set(now);
        self.nanos.set(nanos);
        self.tick.set(nanos / NANOS_PER_TICK);
    }

    fn read(&self) -> Instant {
        if !self.is_virtual.get() {
            self.set(Instant::now());
        }
        self.now.get()
    }

    /// The first tick that does not lie before `time`.
    fn tick_at(&self, time: Instant) -> u64 {
        nanos(time.saturating_duration_since(self.origin)).div_ceil(NANOS_PER_TICK)
    }

    /// The first tick that does not lie before the end of `duration`, counted from the time of
    /// this turn.
    fn tick_after(&self, duration: Duration) -> u64 {
        self.nanos.get().saturating_add(nanos(duration)).div_ceil(NANOS_PER_TICK)
    }

    /// The begin of a tick.
    fn time_of(&self, tick: u64) -> Instant {
        self.origin + Duration::from_millis(tick)
    }
}

/// Saturates at 584 years.
fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(duration.subsec_nanos()))
}

/// Makes the timers of this thread, if there are none.
pub(crate) fn settle() {
    TIMERS.with(|_| ());
}

/// The time of this turn.
pub(crate) fn now() -> Instant {
    TIMERS.with(|timers| timers.now.get())
}

/// The same, in milliseconds since this thread has had a clock.
pub(crate) fn tick() -> u64 {
    TIMERS.with(|timers| timers.tick.get())
}

/// The present time; that of the turn stays as it is.
#[inline]
pub(crate) fn instant() -> Instant {
    TIMERS.with(|timers| match timers.is_virtual.get() {
        true => timers.now.get(),
        false => Instant::now(),
    })
}

/// Reads the clock: at each turn, and where a duration begins.
pub(crate) fn read_clock() -> Instant {
    TIMERS.with(Timers::read)
}

/// Begins a turn: reads the clock, and wakes those whose time has come.
pub(crate) fn begin_turn() {
    TIMERS.with(|timers| {
        timers.read();
        loop {
            let mut wheel = timers.wheel.borrow_mut();
            let Some(index) = wheel.expire(timers.tick.get()) else { return };
            let waker = wheel.set_waker(index, None);
            drop(wheel);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    });
}

/// How long the loop may sleep.
pub(crate) fn patience() -> Option<Duration> {
    TIMERS.with(|timers| {
        let next = timers.wheel.borrow().next()?;
        let next = timers.time_of(next);
        let patience = next.saturating_duration_since(timers.now.get());
        if patience >= LONG {
            return Some(patience);
        }
        Some(next.saturating_duration_since(timers.read()))
    })
}

/// Moves a virtual clock to the next timer; false if there is none.
pub(crate) fn jump() -> bool {
    TIMERS.with(|timers| {
        let Some(next) = timers.wheel.borrow().next_due() else { return false };
        timers.set(timers.time_of(next).max(timers.now.get()));
        true
    })
}

/// Makes `waker` the one that the expiry of `timer` wakes.
fn remember(timers: &Timers, timer: u32, waker: &Waker) {
    // Wakers are cloned and dropped while nothing is borrowed: both may run anybody's code.
    let waker = waker.clone();
    let old = timers.wheel.borrow_mut().set_waker(timer, Some(waker));
    drop(old);
}

/// Removes a timer, or nothing if it is `NONE`.
fn release(timer: u32) {
    if timer != NONE {
        // At the end of the thread the wheel may be gone first.
        let removed = TIMERS.try_with(|timers| timers.wheel.borrow_mut().remove(timer));
        drop(removed);
    }
}

/// Makes the clock stand still, at the begin of a tick: a timer then takes as long as was asked
/// for, to the nanosecond.
pub(crate) fn use_virtual_time() {
    TIMERS.with(|timers| {
        let tick = timers.tick_at(timers.read());
        timers.set(timers.time_of(tick));
        timers.is_virtual.set(true);
    });
}

pub(crate) fn is_virtual() -> bool {
    TIMERS.with(|timers| timers.is_virtual.get())
}

/// Moves a virtual clock forward; false if the clock is real.
pub(crate) fn advance(by: Duration) -> bool {
    TIMERS.with(|timers| {
        if timers.is_virtual.get()
            && let Some(now) = timers.now.get().checked_add(by)
        {
            timers.set(now);
        }
        timers.is_virtual.get()
    })
}

#[cfg(test)]
mod tests;
