//! A timer that is set again and again.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{Moment, TIMERS, Timers};
use crate::executor::Waiter;
use crate::slab::NONE;
use crate::timer::wheel::Extended;

/// A point in time by which something must happen, made to be moved often: by each byte that
/// arrives, by each request.
///
/// Setting it later is one store, and so is clearing it. Setting it earlier costs a little more. It
/// allocates nothing. Until it is set or polled, it takes only its four bytes. It is precise to a
/// millisecond and never expires early.
///
/// It belongs to the loop of the thread that made it, and cannot leave that thread.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::time::Duration;
/// use squall_runtime::{Deadline, IOLoop};
///
/// let io_loop = IOLoop::current();
/// io_loop.use_virtual_time();
/// let begin = io_loop.time();
/// io_loop.run_sync(async {
///     let deadline = Deadline::new();
///     deadline.set(begin + Duration::from_secs(10));
///     deadline.set(begin + Duration::from_secs(60));
///     poll_fn(|cx| deadline.poll_expired(cx)).await;
/// })?;
/// assert_eq!(io_loop.time() - begin, Duration::from_secs(60));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Deadline {
    /// The index of its timer in the wheel, or `NONE`.
    timer: Cell<u32>,
    /// The index is only valid in this thread.
    not_send: PhantomData<Rc<()>>,
}

impl Deadline {
    /// Makes a deadline that is not set, so it never expires.
    ///
    /// # Examples
    ///
    /// ```
    /// let deadline = squall_runtime::Deadline::new();
    /// assert!(!deadline.is_set());
    /// ```
    pub const fn new() -> Self {
        Self { timer: Cell::new(NONE), not_send: PhantomData }
    }

    /// Sets the deadline, replacing an earlier one. With a time in the past, it expires in the
    /// loop's next turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::{Deadline, IOLoop};
    ///
    /// let deadline = Deadline::new();
    /// deadline.set(IOLoop::current().time() + Duration::from_secs(10));
    /// assert!(deadline.is_set());
    /// ```
    pub fn set(&self, time: Instant) {
        self.set_nanos(TIMERS.with(|timers| timers.clock.nanos_at(time)));
    }

    /// Sets the deadline to `delay` from the time of this turn. Faster than [`set`](Self::set) with
    /// [`IOLoop::time`](crate::IOLoop::time) plus `delay`, with the same result.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::Deadline;
    ///
    /// let deadline = Deadline::new();
    /// deadline.set_after(Duration::from_secs(10));
    /// assert!(deadline.is_set());
    /// ```
    #[inline]
    pub fn set_after(&self, delay: Duration) {
        self.set_at(Moment::after(delay));
    }

    /// Sets the deadline to a moment. This is the fastest way if the moment is needed anyway.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::{Deadline, Moment};
    ///
    /// let deadline = Deadline::new();
    /// deadline.set_at(Moment::after(Duration::from_secs(10)));
    /// assert!(deadline.is_set());
    /// ```
    #[inline]
    pub fn set_at(&self, moment: Moment) {
        self.set_nanos(moment.nanos());
    }

    /// Clears the deadline, so it never expires.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{Deadline, IOLoop};
    ///
    /// let deadline = Deadline::new();
    /// deadline.set(IOLoop::current().time());
    /// deadline.clear();
    /// assert!(!deadline.is_set());
    /// ```
    pub fn clear(&self) {
        if self.timer.get() != NONE {
            TIMERS.with(|timers| timers.wheel.borrow_mut().disarm(self.timer.get()));
        }
    }

    /// Returns whether the deadline is set, in the future or in the past.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!squall_runtime::Deadline::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        let timer = self.timer.get();
        timer != NONE && TIMERS.with(|timers| timers.wheel.borrow().due(timer).is_some())
    }

    /// Returns ready if the time of this turn has reached the deadline. Otherwise the task is woken
    /// when it does, even if the deadline is only set after this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use squall_runtime::{Deadline, IOLoop};
    ///
    /// let io_loop = IOLoop::current();
    /// let deadline = Deadline::new();
    /// deadline.set(io_loop.time());
    /// io_loop.run_sync(poll_fn(|cx| deadline.poll_expired(cx)))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.with_timer(|timers, timer| {
            // Waiters are made and dropped while nothing is borrowed, because both may run foreign
            // code.
            let waiter = Waiter::new(cx.waker());
            let wait = timers.wheel.borrow_mut().wait(timer, waiter);
            drop(wait.replaced);
            if timers.clock.has_reached(wait.due) { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Sets the deadline to a moment, and returns ready if the time of this turn has reached it.
    /// This is [`set_at`](Self::set_at) and [`poll_expired`](Self::poll_expired) in one call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::time::Duration;
    /// use squall_runtime::{Deadline, IOLoop, Moment};
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let begin = io_loop.time();
    /// let deadline = Deadline::new();
    /// let until = Moment::after(Duration::from_secs(10));
    /// io_loop.run_sync(poll_fn(|cx| deadline.poll_until(cx, until)))?;
    /// assert_eq!(io_loop.time() - begin, Duration::from_secs(10));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn poll_until(&self, cx: &mut Context<'_>, moment: Moment) -> Poll<()> {
        let due = moment.nanos();
        TIMERS.with(|timers| {
            let waiter = Waiter::new(cx.waker());
            let extended = timers.wheel.borrow_mut().extend_fast(self.timer.get(), due, waiter);
            match extended {
                Extended::Done(replaced) => drop(replaced),
                Extended::NotPossible(waiter) => self.set_and_wait(due, waiter),
            }
            if timers.clock.has_reached(due) { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    #[cold]
    fn set_and_wait(&self, due: u64, waiter: Waiter) {
        self.set_nanos(due);
        self.with_timer(|timers, timer| {
            let wait = timers.wheel.borrow_mut().wait(timer, waiter);
            drop(wait.replaced);
        });
    }

    /// Sets the deadline to a nanosecond. One beyond the wheel never expires.
    #[inline]
    pub(super) fn set_nanos(&self, due: u64) {
        self.with_timer(|timers, timer| {
            let mut wheel = timers.wheel.borrow_mut();
            if !wheel.set(timer, due) {
                timers.move_earlier(&mut wheel, timer);
            }
        });
    }

    #[inline]
    fn with_timer<R>(&self, f: impl FnOnce(&Timers, u32) -> R) -> R {
        TIMERS.with(|timers| {
            if self.timer.get() == NONE {
                self.timer.set(timers.wheel.borrow_mut().insert());
            }
            f(timers, self.timer.get())
        })
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        super::release(self.timer.get());
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("set", &self.is_set()).finish_non_exhaustive()
    }
}
