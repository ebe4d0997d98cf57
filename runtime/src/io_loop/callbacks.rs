//! Callbacks and timeouts, as in Tornado.

use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::IOLoop;
use crate::executor;
use crate::task::Task;
use crate::timer::{self, sleep_until};

impl IOLoop {
    /// Runs `future` as a detached task. A panic is logged, and the loop continues.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.spawn_callback(async { IOLoop::current().stop() });
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_callback(&self, future: impl Future<Output = ()> + 'static) {
        executor::spawn(&self.0.remote, Location::caller(), future).detach();
    }

    /// Calls `callback` in the next turn, after everything that was spawned or added before. A
    /// panic is logged, and the loop continues.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.add_callback(|| IOLoop::current().stop());
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn add_callback(&self, callback: impl FnOnce() + 'static) {
        self.spawn_callback(async { callback() });
    }

    /// Calls `callback` after `delay`, counted from this call. Precise to a millisecond, and never
    /// early. Dropping the handle changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.call_later(Duration::from_millis(5), || IOLoop::current().stop());
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn call_later(&self, delay: Duration, callback: impl FnOnce() + 'static) -> TimeoutHandle {
        let sleep = timer::sleep(delay);
        TimeoutHandle::new(self.spawn(async {
            sleep.await;
            callback();
        }))
    }

    /// Calls `callback` at `time`. Precise to a millisecond, and never early. Dropping the handle
    /// changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let time = io_loop.time() + Duration::from_millis(5);
    /// io_loop.call_at(time, || IOLoop::current().stop());
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn call_at(&self, time: Instant, callback: impl FnOnce() + 'static) -> TimeoutHandle {
        let sleep = sleep_until(time);
        TimeoutHandle::new(self.spawn(async {
            sleep.await;
            callback();
        }))
    }

    /// Cancels a callback. Does nothing if it was called already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let timeout = io_loop.call_later(Duration::from_secs(1), || panic!("too late"));
    /// io_loop.remove_timeout(timeout);
    /// ```
    pub fn remove_timeout(&self, mut timeout: TimeoutHandle) {
        drop(timeout.task.take());
    }
}

/// The handle of a callback of [`IOLoop::call_later`] or [`IOLoop::call_at`]. Pass it to
/// [`IOLoop::remove_timeout`] to cancel the callback.
#[derive(Debug)]
pub struct TimeoutHandle {
    task: Option<Task<()>>,
}

impl TimeoutHandle {
    fn new(task: Task<()>) -> Self {
        Self { task: Some(task) }
    }
}

impl Drop for TimeoutHandle {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}
