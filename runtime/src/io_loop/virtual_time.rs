//! A clock that jumps from one timer to the next, for tests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Core, IOLoop};
use crate::executor::{self, Remote};
use crate::reactor::Asked;
use crate::timer;

impl IOLoop {
    /// Makes this loop's clock stand still, for tests: when nothing is ready, it jumps to the next
    /// timer instead of waiting for it. A job of `run_in_executor` that is not done holds the
    /// clock. The real clock does not come back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::{IOLoop, sleep};
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let begin = io_loop.time();
    /// io_loop.run_sync(sleep(Duration::from_secs(3600)))?;
    /// assert_eq!(io_loop.time() - begin, Duration::from_secs(3600));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn use_virtual_time(&self) {
        self.0.clock_holds.make_virtual();
        timer::use_virtual_time();
    }

    /// Moves a virtual clock, as if a callback had taken that long. Timers that become due by
    /// this are dealt with on the next turn.
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let begin = io_loop.time();
    /// io_loop.advance(Duration::from_millis(300));
    /// assert_eq!(io_loop.time() - begin, Duration::from_millis(300));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the loop does not use virtual time.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        assert!(timer::advance(by), "`IOLoop::advance` needs `IOLoop::use_virtual_time`");
    }
}

impl Core {
    /// Sleeps where the clock is virtual: instead of sleeping until the next timer, it moves the
    /// clock there.
    #[cold]
    pub(super) fn sleep_virtually(&self, asked: &mut Asked) -> io::Result<()> {
        let events = self.sleep_for(asked, Duration::ZERO)?;
        // Before the loop looks for messages: a job sends its result first.
        let is_held = self.clock_holds.is_held();
        let is_idle = events == 0 && !executor::is_ready() && !self.stopping.get();
        if !is_idle || executor::is_pending(&self.remote) {
            return Ok(());
        }
        if !is_held && timer::jump() {
            return Ok(());
        }
        self.sleep_for(asked, timer::FOREVER).map(drop)
    }
}

/// How many jobs run on other threads that a virtual clock must wait for.
#[derive(Debug, Default)]
pub(super) struct ClockHolds {
    count: AtomicUsize,
    is_virtual: AtomicBool,
}

impl ClockHolds {
    /// The clock is virtual: the end of a job has to wake the loop.
    fn make_virtual(&self) {
        self.is_virtual.store(true, Ordering::SeqCst);
    }

    fn is_held(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }
}

/// Keeps a virtual clock from jumping: a job on another thread is not done yet.
pub(super) struct ClockHold {
    holds: Arc<ClockHolds>,
    remote: Arc<Remote>,
}

impl ClockHold {
    pub(super) fn new(holds: Arc<ClockHolds>, remote: Arc<Remote>) -> Self {
        holds.count.fetch_add(1, Ordering::SeqCst);
        Self { holds, remote }
    }
}

impl Drop for ClockHold {
    fn drop(&mut self) {
        let is_last = self.holds.count.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && self.holds.is_virtual.load(Ordering::SeqCst) {
            self.remote.wake();
        }
    }
}
