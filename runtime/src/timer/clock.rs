//! The clock of a thread.
//!
//! Time is a number of nanoseconds here, because a turn adds, compares and divides times. With an
//! [`Instant`], each of these is a call. An `Instant` is made only for callers that ask for one.

use std::cell::{Cell, OnceCell};
use std::hint;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_TICK: u64 = 1_000_000;
/// The last nanosecond at which a duration ends. The one after it never comes.
const LAST: NonZeroU64 = match NonZeroU64::new(u64::MAX - 1) {
    Some(last) => last,
    None => NonZeroU64::MAX,
};

/// A clock that moves only when it is told to. It counts nanoseconds, and ticks of one millisecond.
pub(super) struct Clock {
    /// One moment as an `Instant` and, read after that, in nanoseconds. So this clock is never
    /// ahead of `Instant`, and no timer fires early.
    origin: OnceCell<(Instant, u64)>,
    /// The time of this turn. 0 before the first turn.
    nanos: Cell<u64>,
    /// The last time that was converted into an `Instant`.
    instant: Cell<Option<(u64, Instant)>>,
    /// The clock is moved by calls, and not read.
    is_virtual: Cell<bool>,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self {
            origin: OnceCell::new(),
            nanos: Cell::new(0),
            instant: Cell::new(None),
            is_virtual: Cell::new(false),
        }
    }

    /// Synchronizes the clock with `Instant`, before it is first read.
    pub(super) fn settle(&self) {
        self.origin();
    }

    /// Sets the clock to the present time.
    #[inline]
    pub(super) fn read(&self) {
        if !self.is_virtual.get() {
            self.nanos.set(monotonic());
        }
    }

    /// Returns the present time in the same nanoseconds, and leaves the time of the turn as it is.
    #[inline]
    pub(super) fn present(&self) -> u64 {
        if self.is_virtual.get() { self.nanos.get() } else { monotonic() }
    }

    /// Returns the tick of this turn's time.
    pub(super) fn tick(&self) -> u64 {
        self.nanos.get() / NANOS_PER_TICK
    }

    /// Returns the time of the last reading in nanoseconds, or 0 if there was none.
    #[inline]
    pub(super) fn read_nanos(&self) -> u64 {
        self.nanos.get()
    }

    /// Returns whether the time of the last reading has reached this nanosecond.
    #[inline]
    pub(super) fn has_reached(&self, nanos: u64) -> bool {
        nanos <= self.nanos.get()
    }

    /// Returns the time of this turn.
    pub(super) fn now(&self) -> Instant {
        let nanos = self.nanos().get();
        if let Some((of, instant)) = self.instant.get()
            && of == nanos
        {
            return instant;
        }
        let (origin, since) = self.origin();
        let instant = origin + Duration::from_nanos(nanos.saturating_sub(since));
        self.instant.set(Some((nanos, instant)));
        instant
    }

    /// Returns the nanosecond of `time`.
    pub(super) fn nanos_at(&self, time: Instant) -> u64 {
        let (origin, since) = self.origin();
        let nanos = match time.checked_duration_since(origin) {
            Some(after) => since.saturating_add(nanos(after)),
            None => since.saturating_sub(nanos(origin - time)),
        };
        nanos.min(LAST.get())
    }

    fn origin(&self) -> (Instant, u64) {
        *self.origin.get_or_init(|| (Instant::now(), monotonic()))
    }

    /// Returns the time of this turn in nanoseconds. Before the first turn, this reads the clock.
    #[inline]
    pub(super) fn nanos(&self) -> NonZeroU64 {
        match NonZeroU64::new(self.nanos.get()) {
            Some(nanos) => nanos,
            None => self.read_first(),
        }
    }

    fn read_first(&self) -> NonZeroU64 {
        self.read();
        // The system started at nanosecond 0.
        NonZeroU64::new(self.nanos.get()).unwrap_or(NonZeroU64::MIN)
    }

    /// Returns the end of `duration`, counted from the time of this turn.
    #[inline]
    pub(super) fn nanos_after(&self, duration: Duration) -> NonZeroU64 {
        self.nanos().checked_add(nanos(duration)).unwrap_or(LAST)
    }

    /// Stops the clock at the beginning of a tick.
    pub(super) fn stop(&self) {
        self.read();
        self.is_virtual.set(true);
        self.nanos.set(begin(tick_from(self.nanos.get())));
    }

    /// Makes the clock run again. If it is ahead of the real time by more than the rounding of
    /// [`stop`](Self::stop), it stays stopped, and this returns `false`.
    pub(super) fn resume(&self) -> bool {
        if self.nanos.get().saturating_sub(monotonic()) > NANOS_PER_TICK {
            return false;
        }
        // Time must not go back.
        while monotonic() < self.nanos.get() {
            hint::spin_loop();
        }
        self.is_virtual.set(false);
        self.read();
        true
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.is_virtual.get()
    }

    /// Moves the clock forward, if it is stopped.
    pub(super) fn advance(&self, by: Duration) {
        if self.is_virtual.get() {
            // Stops before `u64::MAX`, so that a timer that is never due does not fire.
            self.nanos.set(self.nanos.get().saturating_add(nanos(by)).min(LAST.get()));
        }
    }

    /// Moves the clock forward to the beginning of `tick`.
    pub(super) fn jump(&self, tick: u64) {
        self.nanos.set(begin(tick).max(self.nanos.get()));
    }
}

/// Saturates at 584 years.
#[inline]
fn nanos(duration: Duration) -> u64 {
    // One check is cheaper than two saturating operations.
    if duration.as_secs() >= u64::MAX / NANOS_PER_SECOND {
        return u64::MAX;
    }
    duration.as_secs() * NANOS_PER_SECOND + u64::from(duration.subsec_nanos())
}

/// Returns the first tick that does not begin before a nanosecond.
pub(super) fn tick_from(nanos: u64) -> u64 {
    // Rounds up, except for the very last tick. Checking the remainder would take twice as long.
    nanos.saturating_add(NANOS_PER_TICK - 1) / NANOS_PER_TICK
}

/// Returns the nanosecond at which a tick begins.
pub(super) fn begin(tick: u64) -> u64 {
    tick.saturating_mul(NANOS_PER_TICK)
}

/// Returns the time in nanoseconds since an arbitrary moment, by the clock behind `Instant`.
#[cfg(target_os = "linux")]
#[inline(never)]
fn monotonic() -> u64 {
    use nix::time::{ClockId, clock_gettime};

    // Not with `rustix`, which finds no clock under valgrind. Every kernel has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * NANOS_PER_SECOND + time.tv_nsec() as u64)
}

/// Other systems use different clocks for `Instant`.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> u64 {
    static FIRST: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    nanos(FIRST.elapsed())
}
