//! How long each task keeps the loop busy. The clock is read once per poll of a task.

use std::cell::Cell;
use std::panic::Location;
use std::time::Duration;

use crate::executor::caught;
use crate::{executor, log, timer};

use super::IOLoop;

/// The default of asyncio.
const SLOW_CALLBACK: Duration = Duration::from_millis(100);

/// The name of a function given to [`IOLoop::after_poll`] in log lines.
const AFTER_POLL: &str = "the function given to `IOLoop::after_poll` by a task";

thread_local! {
    static POLLS: Polls = const {
        Polls {
            begun: Cell::new(u64::MAX),
            slow: Cell::new(SLOW_CALLBACK.as_nanos() as u64),
            after: Cell::new(None),
            lapped: Cell::new(false),
        }
    };
}

struct Polls {
    /// When the current poll began. `u64::MAX` if the clock was not read.
    begun: Cell<u64>,
    /// The threshold in nanoseconds. `u64::MAX` if no task counts as slow.
    slow: Cell<u64>,
    after: Cell<Option<AfterPoll>>,
    /// [`IOLoop::lap`] has measured the current poll, and the task has asked for nothing since.
    lapped: Cell<bool>,
}

/// See [`IOLoop::after_poll`].
pub type AfterPoll = fn(Polled) -> Option<Box<str>>;

/// A task has been polled.
///
/// # Examples
///
/// See [`IOLoop::after_poll`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Polled {
    /// When the poll ended, in the nanoseconds of [`IOLoop::nanos`].
    pub ended: u64,
    /// Whether it took longer than [`IOLoop::slow_callback`], which is logged.
    pub is_slow: bool,
}

impl IOLoop {
    /// Logs a warning for each task that keeps the loop busy for longer than `threshold`, because
    /// nothing else runs meanwhile. The warning has the spawn site of the task and the time.
    /// Default: 100 ms. `None` turns the warning off.
    ///
    /// This is a setting of this thread's loop. It costs one reading of the clock per poll of a
    /// task, which is no system call where the kernel shares the clock with processes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// IOLoop::current().slow_callback(Duration::from_millis(20));
    /// ```
    pub fn slow_callback(&self, threshold: impl Into<Option<Duration>>) {
        let threshold: Option<Duration> = threshold.into();
        let nanos = threshold.and_then(|threshold| u64::try_from(threshold.as_nanos()).ok());
        POLLS.with(|polls| polls.slow.set(nanos.unwrap_or(u64::MAX)));
    }
}

/// For the `squall` crate, which measures requests. Hidden, because it may change with any version.
#[doc(hidden)]
impl IOLoop {
    /// Returns the time of this turn in nanoseconds since an arbitrary moment. It is faster than an
    /// [`Instant`](std::time::Instant). If the loop is not running, this is the time of its last
    /// turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// assert!(IOLoop::nanos() <= IOLoop::present_nanos());
    /// ```
    #[inline]
    #[must_use]
    pub fn nanos() -> u64 {
        timer::nanos()
    }

    /// Returns the present time in the nanoseconds of [`nanos`](Self::nanos). Under virtual time,
    /// this is the time of the turn.
    ///
    /// # Examples
    ///
    /// See [`nanos`](Self::nanos).
    #[inline]
    #[must_use]
    pub fn present_nanos() -> u64 {
        timer::present()
    }

    /// Calls `call` once, when the current poll ends, with the time of its end. `call` returns what
    /// the task was doing, for the log line of a slow task.
    ///
    /// A later call of this during the same poll replaces `call`. Outside of a task, `call` is
    /// called after the next task. A panic of `call` is logged, and the loop continues.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let task = io_loop.spawn(async {
    ///     IOLoop::after_poll(|polled| {
    ///         assert!(polled.is_slow);
    ///         Some("the yearly report".into())
    ///     });
    ///     IOLoop::current().advance(Duration::from_millis(250)); // Acts as if it took that long.
    /// });
    /// io_loop.run_sync(task)?.unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn after_poll(call: AfterPoll) {
        POLLS.with(|polls| {
            polls.after.set(Some(call));
            polls.lapped.set(false);
        });
    }

    /// Calls the function given to [`after_poll`](Self::after_poll) now, if there is one, because
    /// the task continues with something else. The end of the poll is then not measured, unless the
    /// task calls `after_poll` again.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let task = IOLoop::current().spawn(async {
    ///     IOLoop::after_poll(|polled| {
    ///         println!("the first part was done at {:?}", polled.ended);
    ///         None
    ///     });
    ///     IOLoop::lap();
    /// });
    /// IOLoop::current().run_sync(task)?.unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn lap() {
        POLLS.with(|polls| {
            if let Some(after) = polls.after.take() {
                polls.call(after, None);
                polls.lapped.set(true);
            }
        });
    }
}

/// Notes that tasks run from this time on.
#[inline]
pub(super) fn begin(nanos: u64) {
    POLLS.with(|polls| polls.begun.set(nanos));
}

/// Notes that a poll has ended: of a task, or of the future of a `run_sync` called at `site`.
#[inline]
pub(super) fn ended(site: Option<&'static Location<'static>>) {
    POLLS.with(|polls| {
        if polls.lapped.take() {
            return;
        }
        if polls.after.get().is_some() {
            return polls.call_at_end(site);
        }
        if polls.slow.get() != u64::MAX {
            let poll = polls.measure();
            if poll.took > polls.slow.get() {
                report(site, poll.took, None);
            }
        }
    });
}

/// The time of a poll, in nanoseconds.
struct Measured {
    ended: u64,
    took: u64,
}

impl Polls {
    /// Ends the measurement of the current poll and begins the next one.
    #[inline]
    fn measure(&self) -> Measured {
        let ended = timer::present();
        Measured { ended, took: ended.saturating_sub(self.begun.replace(ended)) }
    }

    /// Calls `after` and logs its panic, which would otherwise end the loop.
    #[inline]
    fn call(&self, after: AfterPoll, site: Option<&'static Location<'static>>) {
        let Measured { ended, took } = self.measure();
        let is_slow = took > self.slow.get();
        let mut busy = None;
        caught(AFTER_POLL, || busy = after(Polled { ended, is_slow }));
        if is_slow {
            report(site, took, busy);
        }
    }

    #[inline(never)]
    fn call_at_end(&self, site: Option<&'static Location<'static>>) {
        if let Some(after) = self.after.take() {
            self.call(after, site);
        }
    }
}

#[cold]
fn report(site: Option<&'static Location<'static>>, took: u64, busy: Option<Box<str>>) {
    let took = Duration::from_nanos(took);
    let site = site.or_else(executor::site);
    // The work of a task says more than its spawn site.
    let by = match (busy, site) {
        (Some(busy), _) => format!(", {busy}"),
        (None, Some(site)) => format!(" by a task spawned at {site}"),
        (None, None) => String::new(),
    };
    // The log subscriber is user code.
    caught("the log subscriber", || {
        log::warn(log::GENERAL, format_args!("event loop blocked for {took:.1?}{by}"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static SLOW: Cell<Option<bool>> = const { Cell::new(None) };
    }

    /// Runs a task that takes this long, and returns whether it counted as slow.
    fn is_slow(took: Duration) -> bool {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        SLOW.set(None);
        let task = io_loop.spawn(async move {
            IOLoop::after_poll(|polled| {
                SLOW.set(Some(polled.is_slow));
                None
            });
            IOLoop::current().advance(took);
        });
        io_loop.run_sync(task).unwrap().unwrap();
        SLOW.get().expect("it was called")
    }

    #[test]
    fn a_task_that_blocks_the_loop_is_slow_and_the_next_one_is_not() {
        assert!(is_slow(SLOW_CALLBACK + Duration::from_millis(1)));
        assert!(!is_slow(SLOW_CALLBACK));
        assert!(!is_slow(Duration::ZERO));
    }

    #[test]
    fn each_task_of_a_turn_is_measured_by_itself() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        io_loop.add_callback(|| IOLoop::current().advance(Duration::from_secs(1)));
        assert!(!is_slow(Duration::ZERO));
    }

    #[test]
    fn the_time_of_the_run_sync_future_does_not_count_for_the_next_task() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let slow = async || {
            IOLoop::current().advance(Duration::from_secs(1));
            IOLoop::current().spawn(async { assert!(!is_next_slow().await) }).await.unwrap();
        };
        io_loop.run_sync(slow()).unwrap();
    }

    async fn is_next_slow() -> bool {
        SLOW.set(None);
        IOLoop::after_poll(|polled| {
            SLOW.set(Some(polled.is_slow));
            None
        });
        crate::yield_now().await;
        SLOW.get().expect("it was called")
    }

    #[test]
    fn a_poll_that_was_measured_by_lap_is_not_measured_again() {
        thread_local! {
            static CALLS: Cell<u32> = const { Cell::new(0) };
        }
        let count: AfterPoll = |polled| {
            assert_eq!(polled.is_slow, CALLS.get() == 0);
            CALLS.set(CALLS.get() + 1);
            None
        };
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let task = io_loop.spawn(async move {
            IOLoop::lap();
            IOLoop::after_poll(count);
            IOLoop::current().advance(Duration::from_secs(1));
            IOLoop::lap();
            assert_eq!(CALLS.get(), 1);
            IOLoop::lap();
        });
        io_loop.run_sync(task).unwrap().unwrap();
        assert_eq!(CALLS.get(), 1);
        let task = io_loop.spawn(async move {
            IOLoop::after_poll(count);
            IOLoop::lap();
            IOLoop::after_poll(count);
        });
        io_loop.run_sync(task).unwrap().unwrap();
        assert_eq!(CALLS.get(), 3);
    }

    #[test]
    fn the_threshold_is_a_setting() {
        IOLoop::current().slow_callback(Duration::from_secs(2));
        assert!(!is_slow(Duration::from_secs(2)));
        assert!(is_slow(Duration::from_secs(3)));
        IOLoop::current().slow_callback(None);
        assert!(!is_slow(Duration::from_secs(3600)));
    }
}
