//! The clock of a thread.
//!
//! Time is a number here, because all that a turn does with it is to add, to compare and to divide
//! it into ticks, and each of these is a call with an [`Instant`]. One is made when somebody asks.

use std::cell::{Cell, OnceCell};
use std::hint;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_TICK: u64 = 1_000_000;
/// The last nanosecond that a duration ends at. The one behind it never comes.
const LAST: NonZeroU64 = match NonZeroU64::new(u64::MAX - 1) {
    Some(last) => last,
    None => NonZeroU64::MAX,
};

/// A clock that moves only when it is told to. It counts nanoseconds, and ticks of a millisecond.
pub(super) struct Clock {
    /// One moment as the standard library has it and, read after that, as this clock has it, which
    /// so is never ahead of the other: no timer fires early.
    origin: OnceCell<(Instant, u64)>,
    /// The time of this turn; 0 before the first.
    nanos: Cell<u64>,
    /// A time of a turn for which somebody has asked.
    instant: Cell<Option<(u64, Instant)>>,
    /// The clock is not read any more, but moved.
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

    /// Has the clock agree with the standard library's, before it is first read.
    pub(super) fn settle(&self) {
        self.origin();
    }

    /// Sets the clock to the time that it is.
    #[inline]
    pub(super) fn read(&self) {
        if !self.is_virtual.get() {
            self.nanos.set(monotonic());
        }
    }

    /// The present time, in the same nanoseconds; that of the turn stays as it is.
    #[inline]
    pub(super) fn present(&self) -> u64 {
        if self.is_virtual.get() { self.nanos.get() } else { monotonic() }
    }

    /// The tick that the time of this turn lies in.
    pub(super) fn tick(&self) -> u64 {
        self.nanos.get() / NANOS_PER_TICK
    }

    /// The time that was last read, in nanoseconds; 0 if it never was.
    #[inline]
    pub(super) fn read_nanos(&self) -> u64 {
        self.nanos.get()
    }

    /// Whether that time has reached this one.
    #[inline]
    pub(super) fn has_reached(&self, nanos: u64) -> bool {
        nanos <= self.nanos.get()
    }

    /// The time of this turn.
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

    /// The nanosecond of `time`.
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

    /// The time of this turn, in nanoseconds.
    #[inline]
    pub(super) fn nanos(&self) -> NonZeroU64 {
        match NonZeroU64::new(self.nanos.get()) {
            Some(nanos) => nanos,
            None => self.read_first(),
        }
    }

    /// Whoever sets a timer before there was a turn counts from then.
    #[cold]
    fn read_first(&self) -> NonZeroU64 {
        self.read();
        // Nanosecond 0 is that at which the system started.
        NonZeroU64::new(self.nanos.get()).unwrap_or(NonZeroU64::MIN)
    }

    /// The end of `duration`, counted from the time of this turn.
    #[inline]
    pub(super) fn nanos_after(&self, duration: Duration) -> NonZeroU64 {
        self.nanos().checked_add(nanos(duration)).unwrap_or(LAST)
    }

    /// Makes the clock stand still, at the begin of a tick.
    pub(super) fn stop(&self) {
        self.read();
        self.is_virtual.set(true);
        self.nanos.set(begin(tick_from(self.nanos.get())));
    }

    /// Makes the clock run again. If it is ahead of the real time, by more than [`stop`](Self::stop) has
    /// rounded it up, it stays as it is, and this returns false.
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

    /// Moves the clock forward, if it stands still.
    pub(super) fn advance(&self, by: Duration) {
        if self.is_virtual.get() {
            // What is due never does not come by this.
            self.nanos.set(self.nanos.get().saturating_add(nanos(by)).min(LAST.get()));
        }
    }

    /// Moves the clock forward to the begin of `tick`.
    pub(super) fn jump(&self, tick: u64) {
        self.nanos.set(begin(tick).max(self.nanos.get()));
    }
}

/// Saturates at 584 years.
#[inline]
fn nanos(duration: Duration) -> u64 {
    // Instead of saturating twice.
    if duration.as_secs() >= u64::MAX / NANOS_PER_SECOND {
        return u64::MAX;
    }
    duration.as_secs() * NANOS_PER_SECOND + u64::from(duration.subsec_nanos())
}

/// The first tick that does not lie before a nanosecond.
pub(super) fn tick_from(nanos: u64) -> u64 {
    // Rounded up, but for the last tick that there is. To look at the remainder takes twice as long.
    nanos.saturating_add(NANOS_PER_TICK - 1) / NANOS_PER_TICK
}

/// The nanosecond at which a tick begins.
pub(super) fn begin(tick: u64) -> u64 {
    tick.saturating_mul(NANOS_PER_TICK)
}

/// The time in nanoseconds since some moment, by the clock that `Instant` shows.
#[cfg(target_os = "linux")]
#[inline(never)]
fn monotonic() -> u64 {
    use nix::time::{ClockId, clock_gettime};

    // Not by `rustix`, which finds no clock under valgrind. There is no kernel without this one.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * NANOS_PER_SECOND + time.tv_nsec() as u64)
}

/// Which clock `Instant` shows is not the same everywhere.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> u64 {
    static FIRST: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    nanos(FIRST.elapsed())
}
