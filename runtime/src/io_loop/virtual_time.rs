//! A clock that jumps from one timer to the next, for tests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Core, IOLoop};
use crate::executor::{self, Remote};
use crate::reactor::{self, LoopPoller};
use crate::timer;

/// How long, in real time, the loop waits for other threads before it reports a deadlock. They may
/// have the waker of a task, of which the loop does not know.
const GRACE: Duration = Duration::from_secs(1);

/// How long, in real time, the loop waits for a descriptor or another thread.
const SILENCE: Duration = Duration::from_secs(60);

/// How long, in real time, the loop waits for a job in a thread pool.
const LONGEST_JOB: Duration = Duration::from_secs(600);

/// How many turns the loop makes without waking the future of `run_sync`.
pub(super) const TURNS: u32 = 1_000_000;

impl IOLoop {
    /// Makes this loop's clock virtual, for tests. When nothing is ready, it jumps to the next
    /// timer instead of waiting.
    ///
    /// The clock does not move while something real is pending: a job in a [thread
    /// pool](crate::ThreadPool), or a descriptor, such as a socket or a signal, for which a task
    /// waits. [Streams in memory](crate::duplex) are no descriptors, and a worker's link to its
    /// supervisor does not count. A test that needs both sockets and timers must use real time.
    ///
    /// # Errors
    ///
    /// Under virtual time, [`run_sync`](Self::run_sync) and [`start`](Self::start) do not wait for
    /// ever. They fail with [`io::ErrorKind::Deadlock`], and the error lists the waiting tasks with
    /// the lines at which they were spawned:
    ///
    /// - when nothing can happen any more: no timer, descriptor or job is awaited, and no
    ///   [`IOLoopHandle`](super::IOLoopHandle) exists. The loop first gives other threads, which
    ///   may have a waker, one second of real time.
    /// - when a task waits for a descriptor, or a handle exists and no task waits for a timer, and
    ///   nothing happens for 60 seconds of real time.
    /// - when a job in a thread pool takes longer than 10 minutes of real time.
    /// - when `run_sync` makes 1,000,000 turns in a row without waking its future. Other tasks are
    ///   then running in circles: they yield, or sleep again and again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use std::io::ErrorKind;
    /// use std::time::{Duration, Instant};
    /// use squall_runtime::{IOLoop, sleep};
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let begin = io_loop.time();
    /// io_loop.run_sync(sleep(Duration::from_secs(3600)))?;
    /// assert_eq!(io_loop.time() - begin, Duration::from_secs(3600));
    ///
    /// let error = io_loop.run_sync(pending::<()>()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Deadlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn use_virtual_time(&self) {
        self.0.clock_holds.is_virtual.store(true, Ordering::SeqCst);
        timer::use_virtual_time();
    }

    /// Makes the clock real again after [`use_virtual_time`](Self::use_virtual_time), before the
    /// virtual clock has moved.
    ///
    /// # Panics
    ///
    /// Panics if the virtual clock is ahead of the real time, because a clock cannot go back.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// io_loop.use_real_time();
    /// ```
    #[track_caller]
    pub fn use_real_time(&self) {
        assert!(
            timer::use_real_time(),
            "`IOLoop::use_real_time` must be called before the virtual clock has moved"
        );
        self.0.clock_holds.is_virtual.store(false, Ordering::SeqCst);
    }

    /// Moves a virtual clock, as if a callback had taken that long. Timers that become due fire in
    /// the next turn.
    ///
    /// # Panics
    ///
    /// Panics if the loop does not use virtual time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.use_virtual_time();
    /// let begin = io_loop.time();
    /// io_loop.advance(Duration::from_millis(300));
    /// assert_eq!(io_loop.time() - begin, Duration::from_millis(300));
    /// ```
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        assert!(timer::advance(by), "`IOLoop::advance` needs `IOLoop::use_virtual_time`");
    }
}

/// What the loop waits for under virtual time, apart from timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// The end of a job in a pool.
    Job,
    Descriptor,
    /// Another thread, which has a handle of the loop.
    Thread,
    Nothing,
}

impl Core {
    /// Replaces the sleep of a real loop: moves the clock to the next timer, unless something real
    /// is pending.
    #[cold]
    pub(super) fn sleep_virtually(&self, poller: &mut LoopPoller) -> io::Result<()> {
        let events = self.sleep_for(poller, Duration::ZERO)?;
        // Checked before the messages, because a job sends its result before it ends.
        let awaited = self.awaited();
        if events > 0 || self.is_called() {
            return Ok(());
        }
        match awaited {
            Awaited::Job => self.sleep_within(poller, LONGEST_JOB, awaited),
            Awaited::Descriptor => self.sleep_within(poller, SILENCE, awaited),
            Awaited::Thread | Awaited::Nothing if timer::jump() => Ok(()),
            Awaited::Thread => self.sleep_within(poller, SILENCE, awaited),
            Awaited::Nothing => self.sleep_within(poller, GRACE, awaited),
        }
    }

    fn awaited(&self) -> Awaited {
        if self.clock_holds.count.load(Ordering::SeqCst) > 0 {
            Awaited::Job
        } else if reactor::is_awaited() {
            Awaited::Descriptor
        } else if Arc::strong_count(&self.handles) > 1 {
            Awaited::Thread
        } else {
            Awaited::Nothing
        }
    }

    /// Returns whether there is work.
    fn is_called(&self) -> bool {
        executor::is_ready() || self.stopping.get() || executor::is_pending(&self.remote)
    }

    /// Sleeps until something happens. Fails if nothing does within `limit` of real time.
    fn sleep_within(
        &self,
        poller: &mut LoopPoller,
        limit: Duration,
        awaited: Awaited,
    ) -> io::Result<()> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // A signal may end the sleep early.
            if self.sleep_for(poller, left)? > 0 || self.is_called() {
                return Ok(());
            }
            if left.is_zero() {
                return Err(self.stalled(&match awaited {
                    Awaited::Job => format!(
                        "a job in a thread pool has not ended for {} seconds, and virtual time \
                         does not pass meanwhile",
                        LONGEST_JOB.as_secs()
                    ),
                    Awaited::Descriptor => format!(
                        "no descriptor became ready for {} seconds, and virtual time does not pass \
                         while a task waits for one",
                        SILENCE.as_secs()
                    ),
                    Awaited::Thread => format!(
                        "no task waits for a timer, and no thread with an `IOLoopHandle` has used \
                         it for {} seconds",
                        SILENCE.as_secs()
                    ),
                    Awaited::Nothing => "deadlock: no task waits for a timer, a descriptor, a job \
                                         in a thread pool or a callback of another thread"
                        .to_owned(),
                }));
            }
        }
    }

    /// Returns the error of a `run_sync` whose future is not woken although the loop turns.
    #[cold]
    pub(super) fn turns_in_circles(&self) -> io::Error {
        self.stalled(&format!("the loop made {TURNS} turns without waking this future"))
    }

    /// Returns the error: why the loop gives up, and which tasks wait.
    fn stalled(&self, reason: &str) -> io::Error {
        let mut text = format!("{reason}; waiting:");
        if let Some(line) = self.waits.get() {
            text += &format!("\n- the future of `run_sync`, called at {line}");
        }
        for (line, count) in executor::spawn_lines() {
            text += &match count {
                1 => format!("\n- a task spawned at {line}"),
                _ => format!("\n- {count} tasks spawned at {line}"),
            };
        }
        io::Error::new(io::ErrorKind::Deadlock, text)
    }
}

/// The number of jobs on other threads for which a virtual clock must wait.
#[derive(Debug, Default)]
pub(super) struct ClockHolds {
    count: AtomicUsize,
    /// The end of the last job must wake the loop.
    is_virtual: AtomicBool,
}

/// Keeps a virtual clock from jumping while a job on another thread is not done.
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

#[cfg(test)]
mod tests;
