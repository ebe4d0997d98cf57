//! A time of the loop as a number.
use std::num::NonZeroU64;
use std::time::Duration;

use super::TIMERS;

/// A time of the loop, for code that stores and compares times with each request. It takes eight
/// bytes, also as an `Option`, and its methods make no system call.
///
/// An [`Instant`](std::time::Instant) is twice as large, and its arithmetic takes dozens of
/// instructions. A moment is only valid in the loop of the thread that made it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use squall_runtime::{Deadline, Moment};
///
/// let until = Moment::after(Duration::from_secs(10));
/// let deadline = Deadline::new();
/// deadline.set_at(until);
/// assert!(!until.has_come());
/// assert!(until < Moment::after(Duration::from_secs(11)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// Returns the moment `delay` after the time of this turn. A moment more than five centuries
    /// away never comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::Moment;
    ///
    /// assert!(Moment::after(Duration::ZERO).has_come());
    /// assert!(!Moment::after(Duration::MAX).has_come());
    /// ```
    #[inline]
    pub fn after(delay: Duration) -> Self {
        Self(TIMERS.with(|timers| timers.clock.nanos_after(delay)))
    }

    /// Returns whether the time of this turn has reached this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::{IOLoop, Moment};
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let moment = Moment::after(Duration::from_secs(1));
    /// assert!(!moment.has_come());
    /// io_loop.advance(Duration::from_secs(1));
    /// assert!(moment.has_come());
    /// ```
    #[inline]
    pub fn has_come(self) -> bool {
        TIMERS.with(|timers| self.0 <= timers.clock.nanos())
    }

    pub(super) fn nanos(self) -> u64 {
        self.0.get()
    }
}
