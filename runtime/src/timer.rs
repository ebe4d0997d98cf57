//! The clock of a thread and its timers.
//!
//! The clock is read once per turn. So timers and deadlines make no system call, and a whole turn
//! happens at one time. The wheel counts milliseconds. A time is rounded up to the next one, so no
//! timer fires early.

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

/// The longest sleep of the loop, because not all kernels support longer ones.
pub(crate) const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

thread_local! {
    // Without a destructor, whose state each access would have to check. `shut_down` empties it.
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
    /// The nanosecond at which the wheel next has work. A turn before that need not look at the
    /// wheel.
    next: Cell<u64>,
    clock: Clock,
}

impl Timers {
    /// Updates `next` after a change of the wheel.
    fn note_next(&self, wheel: &Wheel) {
        self.next.set(clock::begin(wheel.next()));
    }

    /// Moves a timer whose slot comes too late.
    #[cold]
    fn move_earlier(&self, wheel: &mut Wheel, timer: u32) {
        wheel.move_earlier(timer, self.clock.tick());
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

/// Removes all timers, because the thread ends.
pub(crate) fn shut_down() {
    drop(TIMERS.with(|timers| {
        timers.next.set(u64::MAX);
        timers.wheel.replace(Wheel::new())
    }));
}

/// Returns the time of this turn.
pub(crate) fn now() -> Instant {
    TIMERS.with(|timers| timers.clock.now())
}

/// Returns the time of this turn, in nanoseconds since an arbitrary moment.
#[inline]
pub(crate) fn nanos() -> u64 {
    TIMERS.with(|timers| timers.clock.nanos().get())
}

/// Returns the present time in the same nanoseconds, and leaves the time of the turn as it is.
#[inline]
pub(crate) fn present() -> u64 {
    TIMERS.with(|timers| timers.clock.present())
}

/// Reads the clock, as each turn does.
pub(crate) fn read_clock() {
    TIMERS.with(|timers| timers.clock.read());
}

/// Begins a turn: reads the clock and wakes the tasks whose timer is due. Returns the time of the
/// turn.
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

/// Returns how long the loop may sleep: until the next timer, and at most a day. This reads the
/// clock, because a task may have kept the loop busy since the last reading.
#[inline]
pub(crate) fn sleep_limit() -> Duration {
    TIMERS.with(|timers| {
        let left = timers.next.get().saturating_sub(timers.clock.present());
        Duration::from_nanos(left).min(FOREVER)
    })
}

/// Moves a virtual clock to the next timer. Returns `false` if there is none.
pub(crate) fn jump() -> bool {
    TIMERS.with(|timers| {
        let Some(next) = timers.wheel.borrow().next_due() else { return false };
        timers.clock.jump(next);
        true
    })
}

/// Removes a timer. Does nothing for `NONE`.
fn release(timer: u32) {
    if timer != NONE {
        drop(TIMERS.with(|timers| timers.remove(timer)));
    }
}

/// Stops the clock at the beginning of a tick. A timer then takes exactly as long as was asked for.
pub(crate) fn use_virtual_time() {
    TIMERS.with(|timers| timers.clock.stop());
}

/// Makes a virtual clock real again. Returns `false` if it is ahead of the real time.
pub(crate) fn use_real_time() -> bool {
    TIMERS.with(|timers| timers.clock.resume())
}

#[inline]
pub(crate) fn is_virtual() -> bool {
    TIMERS.with(|timers| timers.clock.is_virtual())
}

/// Moves a virtual clock forward. Returns `false` if the clock is real.
pub(crate) fn advance(by: Duration) -> bool {
    TIMERS.with(|timers| {
        timers.clock.advance(by);
        timers.clock.is_virtual()
    })
}

#[cfg(test)]
mod tests;
