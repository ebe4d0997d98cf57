//! The clock of a thread and its timers.
//!
//! The clock is read once per turn, so that timers and deadlines cost no system call and all of
//! a turn happens at one time. It ticks in milliseconds, and a time is rounded up to the next
//! tick: no timer fires early.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use crate::executor::Waiter;
use crate::slab::NONE;
use clock::Clock;
use wheel::Wheel;

pub use deadline::Deadline;
pub use moment::Moment;
pub use sleep::{Sleep, TimedOut, Timeout, sleep, sleep_until, timeout};

mod clock;
mod deadline;
mod moment;
mod sleep;
mod wheel;

/// The loop does not sleep longer than this, because not all kernels know longer waits.
pub(crate) const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

thread_local! {
    // Never destroyed, which each access would have to ask for; `shut_down` empties it.
    static TIMERS: ManuallyDrop<Timers> = const {
        ManuallyDrop::new(Timers {
            wheel: RefCell::new(Wheel::new()),
            next: Cell::new(u64::MAX),
            clock: Clock::new(),
        })
    };
}

struct Timers {
    wheel: RefCell<Wheel>,
    /// The nanosecond at which the wheel next has something to do, so that a turn in which it has not
    /// need not look at it.
    next: Cell<u64>,
    clock: Clock,
}

impl Timers {
    /// To be called when something was put into the wheel, or taken out of it.
    fn note_next(&self, wheel: &Wheel) {
        self.next.set(clock::begin(wheel.next()));
    }

    /// A timer has been set that lies in no slot that comes in time.
    #[cold]
    fn move_up(&self, wheel: &mut Wheel, timer: u32) {
        wheel.move_up(timer, self.clock.tick());
        self.note_next(wheel);
    }

    fn remove(&self, timer: u32) -> Option<Waiter> {
        let mut wheel = self.wheel.borrow_mut();
        let waiter = wheel.remove(timer);
        self.note_next(&wheel);
        waiter
    }
}

/// Makes the timers of this thread, if there are none.
pub(crate) fn settle() {
    TIMERS.with(|timers| timers.clock.settle());
}

/// Forgets all timers, as the thread ends.
pub(crate) fn shut_down() {
    drop(TIMERS.with(|timers| {
        timers.next.set(u64::MAX);
        timers.wheel.replace(Wheel::new())
    }));
}

/// The time of this turn.
pub(crate) fn now() -> Instant {
    TIMERS.with(|timers| timers.clock.now())
}

/// The same, in nanoseconds since some moment.
#[inline]
pub(crate) fn nanos() -> u64 {
    TIMERS.with(|timers| timers.clock.nanos().get())
}

/// The present time, in the same nanoseconds; that of the turn stays as it is.
#[inline]
pub(crate) fn present() -> u64 {
    TIMERS.with(|timers| timers.clock.present())
}

/// Reads the clock: at each turn, and where a duration begins.
pub(crate) fn read_clock() {
    TIMERS.with(|timers| timers.clock.read());
}

/// Begins a turn: reads the clock, and wakes those whose time has come. Returns the time of the turn.
#[inline]
pub(crate) fn begin_turn() -> u64 {
    TIMERS.with(|timers| {
        timers.clock.read();
        if timers.clock.has_reached(timers.next.get()) {
            wake_expired(timers);
        }
        timers.clock.read_nanos()
    })
}

#[cold]
fn wake_expired(timers: &Timers) {
    loop {
        let mut wheel = timers.wheel.borrow_mut();
        let expired = wheel.expire(timers.clock.tick());
        timers.note_next(&wheel);
        let Some(index) = expired else { return };
        let waiter = wheel.take_waiter(index);
        drop(wheel);
        waiter.into_iter().for_each(Waiter::wake);
    }
}

/// How long the loop may sleep: at most until the next timer, and a day. This reads the clock, because
/// a task may have kept the loop since that was last done.
#[inline]
pub(crate) fn patience() -> Duration {
    TIMERS.with(|timers| {
        let left = timers.next.get().saturating_sub(timers.clock.present());
        Duration::from_nanos(left).min(FOREVER)
    })
}

/// Moves a virtual clock to the next timer; false if there is none.
pub(crate) fn jump() -> bool {
    TIMERS.with(|timers| {
        let Some(next) = timers.wheel.borrow().next_due() else { return false };
        timers.clock.jump(next);
        true
    })
}

/// Removes a timer, or nothing if it is `NONE`.
fn release(timer: u32) {
    if timer != NONE {
        drop(TIMERS.with(|timers| timers.remove(timer)));
    }
}

/// Makes the clock stand still, at the begin of a tick: a timer then takes as long as was asked
/// for, to the nanosecond.
pub(crate) fn use_virtual_time() {
    TIMERS.with(|timers| timers.clock.stop());
}

/// Makes a virtual clock the real one again; false if it has moved ahead of the real time.
pub(crate) fn use_real_time() -> bool {
    TIMERS.with(|timers| timers.clock.resume())
}

#[inline]
pub(crate) fn is_virtual() -> bool {
    TIMERS.with(|timers| timers.clock.is_virtual())
}

/// Moves a virtual clock forward; false if the clock is real.
pub(crate) fn advance(by: Duration) -> bool {
    TIMERS.with(|timers| {
        timers.clock.advance(by);
        timers.clock.is_virtual()
    })
}

#[cfg(test)]
mod tests;
