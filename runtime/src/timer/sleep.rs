//! Waiting for a time, and limiting how long something takes.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::{Deadline, TIMERS, clock};
use crate::budget;

/// Waits for `duration`, counted from this call. Precise to a millisecond, and never early.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use squall_runtime::{IOLoop, sleep};
///
/// let begin = Instant::now();
/// IOLoop::current().run_sync(sleep(Duration::from_millis(5)))?;
/// assert!(begin.elapsed() >= Duration::from_millis(5));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    super::read_clock();
    Sleep {
        due: TIMERS.with(|timers| at_tick(timers.clock.nanos_after(duration).get())),
        deadline: Deadline::new(),
        has_waited: false,
    }
}

/// Waits until `time`. Precise to a millisecond, and never early.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use squall_runtime::{IOLoop, sleep_until};
///
/// let time = Instant::now() + Duration::from_millis(5);
/// IOLoop::current().run_sync(sleep_until(time))?;
/// assert!(Instant::now() >= time);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sleep_until(time: Instant) -> Sleep {
    Sleep {
        due: TIMERS.with(|timers| at_tick(timers.clock.nanos_at(time))),
        deadline: Deadline::new(),
        has_waited: false,
    }
}

/// Rounds a nanosecond up to the beginning of a tick. So sleeping again and again for less than a
/// tick does not keep the loop awake.
fn at_tick(nanos: u64) -> u64 {
    clock::begin(clock::tick_from(nanos))
}

/// The future that [`sleep`] and [`sleep_until`] return. It uses no timer until it is polled.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sleep {
    /// The nanosecond at which it ends.
    due: u64,
    deadline: Deadline,
    /// A poll has returned `Pending`.
    has_waited: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let has_waited = std::mem::replace(&mut self.has_waited, true);
        if TIMERS.with(|timers| timers.clock.has_reached(self.due)) {
            // A sleep that is over at once spends a unit, so that `loop {
            // sleep(Duration::ZERO).await }` lets other tasks run. A sleep that has waited is over,
            // whatever its task has spent.
            if has_waited || budget::is_left() {
                budget::spend();
                return Poll::Ready(());
            }
            budget::refuse(cx);
            return Poll::Pending;
        }
        if !self.deadline.is_set() {
            self.deadline.set_nanos(self.due);
        }
        self.deadline.poll_expired(cx)
    }
}

/// Runs `future` for at most `duration`, counted from this call. A future that is ready at the
/// first poll uses no timer.
///
/// # Errors
///
/// The output is [`TimedOut`] if the time was not enough. Dropping the [`Timeout`] drops `future`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use squall_runtime::{IOLoop, sleep, timeout};
///
/// let io_loop = IOLoop::current();
/// io_loop.use_virtual_time();
/// io_loop.run_sync(async {
///     let second = Duration::from_secs(1);
///     assert!(timeout(second * 2, sleep(second)).await.is_ok());
///     assert!(timeout(second, sleep(second * 2)).await.is_err());
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(duration) }
}

pin_project! {
    /// The future that [`timeout`] returns.
    #[derive(Debug)]
    #[must_use = "a future does nothing unless it is awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        ready!(this.sleep.poll(cx));
        Poll::Ready(Err(TimedOut(())))
    }
}

/// The error of a [`timeout`] whose time was not enough.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use squall_runtime::{IOLoop, timeout};
///
/// async fn answer() -> io::Result<()> {
///     timeout(Duration::from_millis(1), std::future::pending::<()>()).await?;
///     Ok(())
/// }
///
/// let error = IOLoop::current().run_sync(answer())?.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut(());

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl Error for TimedOut {}

impl From<TimedOut> for io::Error {
    fn from(timed_out: TimedOut) -> Self {
        Self::new(io::ErrorKind::TimedOut, timed_out)
    }
}
