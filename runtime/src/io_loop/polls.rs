//! How long each task keeps the loop: the clock is read once for each call of a task.

use std::cell::Cell;
use std::panic::Location;
use std::time::Duration;

use crate::executor::caught;
use crate::{executor, log, timer};

use super::IOLoop;

/// As asyncio has it.
const SLOW_CALLBACK: Duration = Duration::from_millis(100);

/// What a log line calls the function that a task gives to [`IOLoop::after_poll`].
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
    /// When the task that runs now was called. `u64::MAX`: nobody has looked.
    begun: Cell<u64>,
    /// In nanoseconds; `u64::MAX`: nothing is slow.
    slow: Cell<u64>,
    after: Cell<Option<AfterPoll>>,
    /// The task that runs now has had its time taken, and done nothing since.
    lapped: Cell<bool>,
}

/// See [`IOLoop::after_poll`].
pub type AfterPoll = fn(Polled) -> Option<Box<str>>;

/// A task has run, and given the loop back.
///
/// # Examples
///
/// See [`IOLoop::after_poll`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Polled {
    /// When it gave it back, as [`IOLoop::nanos`] counts.
    pub ended: u64,
    /// Whether it kept it for longer than [`IOLoop::slow_callback`], which is logged.
    pub is_slow: bool,
}

/// Where the time goes.
impl IOLoop {
    /// Has each task logged, as a warning, that keeps the loop for longer than `threshold`
    /// without an `await` that waits: where it was spawned, and how long it took. Nothing else
    /// runs meanwhile. Default: 100 ms. `None`: no task is.
    ///
    /// It is a setting of this thread's loop. What it costs is that the clock is read after each
    /// task, which is no system call where the system keeps the clock in the memory of all
    /// processes.
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

    /// The time of this turn of the loop, in nanoseconds since some moment: for who measures how long
    /// something takes, and cannot afford an [`Instant`](std::time::Instant). Of a loop that does
    /// not run, it is that of the last turn.
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

    /// The present time, as [`nanos`](Self::nanos) counts; where time is virtual, that of the turn.
    ///
    /// See [`nanos`](Self::nanos) for an example.
    #[inline]
    #[must_use]
    pub fn present_nanos() -> u64 {
        timer::present()
    }

    /// Has `call` called once, when the task that runs now gives the loop back, with the time at
    /// which it does. What it returns says what the task was busy with, for the line that is
    /// logged if it was slow.
    ///
    /// Only the last that asks during one call of a task is called. Outside of a task, it is
    /// called after the next one. A panic of `call` is logged, and the loop goes on.
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
    ///     IOLoop::current().advance(Duration::from_millis(250)); // As if it took that long.
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

    /// Calls now what [`after_poll`](Self::after_poll) has asked for, if anything: the task has
    /// done what it was asked to do, and what follows is something else. Unless it asks again, its
    /// time is not taken once more when it gives the loop back.
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
                polls.tell(after, None);
                polls.lapped.set(true);
            }
        });
    }
}

/// Tasks begin to run, at this time.
#[inline]
pub(super) fn begin(nanos: u64) {
    POLLS.with(|polls| polls.begun.set(nanos));
}

/// A task gives the loop back, or what was spawned at `site` and is none.
#[inline]
pub(super) fn ended(site: Option<&'static Location<'static>>) {
    POLLS.with(|polls| {
        if polls.lapped.take() {
            return;
        }
        if polls.after.get().is_some() {
            return polls.tell_at_end(site);
        }
        if polls.slow.get() != u64::MAX {
            let (_, took) = polls.take_time();
            if took > polls.slow.get() {
                report(site, took, None);
            }
        }
    });
}

impl Polls {
    /// What time it is, and how long the task has taken.
    #[inline(always)]
    fn take_time(&self) -> (u64, u64) {
        let ended = timer::present();
        (ended, ended.saturating_sub(self.begun.replace(ended)))
    }

    /// Calls `after`. Its panic is logged: at the end of a task it would end the loop.
    #[inline(always)]
    fn tell(&self, after: AfterPoll, site: Option<&'static Location<'static>>) {
        let (ended, took) = self.take_time();
        let is_slow = took > self.slow.get();
        let mut busy = None;
        caught(AFTER_POLL, || busy = after(Polled { ended, is_slow }));
        if is_slow {
            report(site, took, busy);
        }
    }

    #[inline(never)]
    fn tell_at_end(&self, site: Option<&'static Location<'static>>) {
        if let Some(after) = self.after.take() {
            self.tell(after, site);
        }
    }
}

#[cold]
fn report(site: Option<&'static Location<'static>>, took: u64, busy: Option<Box<str>>) {
    let took = Duration::from_nanos(took);
    let site = site.or_else(executor::site);
    // What the task does tells more than the line that has spawned it.
    let by = match (busy, site) {
        (Some(busy), _) => format!(", {busy}"),
        (None, Some(site)) => format!(" by a task that was spawned at {site}"),
        (None, None) => String::new(),
    };
    // The subscriber that takes the line is user code.
    caught("the log", || {
        log::warn(log::GENERAL, format_args!("the loop was kept for {took:.1?}{by}"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static SLOW: Cell<Option<bool>> = const { Cell::new(None) };
    }

    /// Runs a task that takes so long, and says whether it was found slow.
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
        SLOW.get().expect("it was told")
    }

    #[test]
    fn a_task_that_keeps_the_loop_is_slow_and_the_next_one_is_not() {
        assert!(is_slow(SLOW_CALLBACK + Duration::from_millis(1)));
        assert!(!is_slow(SLOW_CALLBACK));
        assert!(!is_slow(Duration::ZERO));
    }

    #[test]
    fn two_tasks_of_a_turn_are_told_apart() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        io_loop.add_callback(|| IOLoop::current().advance(Duration::from_secs(1)));
        assert!(!is_slow(Duration::ZERO));
    }

    #[test]
    fn what_run_sync_runs_itself_is_not_laid_at_the_door_of_a_task() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let slow = async || {
            IOLoop::current().advance(Duration::from_secs(1));
            IOLoop::current().spawn(async { assert!(!is_asked_slow().await) }).await.unwrap();
        };
        io_loop.run_sync(slow()).unwrap();
    }

    async fn is_asked_slow() -> bool {
        SLOW.set(None);
        IOLoop::after_poll(|polled| {
            SLOW.set(Some(polled.is_slow));
            None
        });
        crate::yield_now().await;
        SLOW.get().expect("it was told")
    }

    #[test]
    fn what_was_told_before_the_end_is_not_told_again() {
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
