//! The turns of the loop.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::virtual_time::TURNS;
use super::{Core, polls};
use crate::budget;
use crate::executor::{self, Remote};
use crate::reactor::{self, LoopPoller};
use crate::{panic_hook, pulse, timer};

impl Core {
    pub(super) fn start(&self) -> io::Result<()> {
        let _running = Running::begin(self, "IOLoop::start");
        let mut poller = self.prepare()?;
        while !self.stopping.take() {
            executor::receive(&self.remote);
            self.turn(&mut poller)?;
        }
        Ok(())
    }

    #[track_caller]
    pub(super) fn run_sync<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        if executor::is_closing() {
            executor::drop_late(future);
            return Err(ends_with_thread());
        }
        let _running = Running::begin(self, "IOLoop::run_sync");
        let site = Location::caller();
        self.waits.set(Some(site));
        let mut poller = self.prepare()?;
        let mut future = pin!(future);
        let woken = Arc::new(MainWaker::new(Arc::clone(&self.remote)));
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        let mut is_first = true;
        while self.turn_until_woken(&mut poller, &woken, is_first)? {
            executor::leave();
            budget::refill();
            let polled = future.as_mut().poll(cx);
            polls::ended(Some(site));
            if let Poll::Ready(output) = polled {
                return Ok(output);
            }
            is_first = false;
        }
        Err(io::Error::new(
            io::ErrorKind::Interrupted,
            "the event loop was stopped before the future of `run_sync` was done",
        ))
    }

    /// Turns until the future of `run_sync` is woken. Returns `false` if the loop is stopped first.
    /// If `is_first`, the future may be woken already.
    #[inline(never)]
    fn turn_until_woken(
        &self,
        poller: &mut LoopPoller,
        woken: &MainWaker,
        is_first: bool,
    ) -> io::Result<bool> {
        let mut may_be_woken = is_first;
        let mut turns = 0;
        loop {
            if may_be_woken {
                if self.stopping.take() {
                    return Ok(false);
                }
                // Comes before the future is polled, so that it is not received if the future wakes
                // itself.
                executor::receive(&self.remote);
                if woken.take() {
                    return Ok(true);
                }
            }
            self.turn(poller)?;
            may_be_woken = true;
            turns += u32::from(timer::is_virtual());
            if turns > TURNS {
                return Err(self.turns_in_circles());
            }
        }
    }

    /// Makes one turn: runs the ready tasks, then sleeps until something is ready.
    #[inline(always)]
    fn turn(&self, poller: &mut LoopPoller) -> io::Result<()> {
        let is_ready = executor::run_ready(|| polls::ended(None));
        if timer::is_virtual() {
            self.sleep_virtually(poller)?;
        } else {
            self.sleep(poller, is_ready)?;
        }
        let now = timer::begin_turn();
        pulse::begin_turn(now);
        polls::begin(now);
        Ok(())
    }

    /// Collects events. Sleeps if there is nothing to do.
    #[inline(always)]
    fn sleep(&self, poller: &mut LoopPoller, is_ready: bool) -> io::Result<()> {
        if !self.park(is_ready) {
            return poller.wait_outlined(Duration::ZERO).map(drop);
        }
        let events = poller.wait(timer::sleep_limit());
        executor::unpark(&self.remote);
        events.map(drop)
    }

    /// Prepares to sleep. Returns `false` if there is something to do, and the loop must not sleep.
    #[inline]
    fn park(&self, is_ready: bool) -> bool {
        let is_idle = !is_ready && !self.stopping.get() && executor::park(&self.remote);
        if is_idle {
            pulse::rest();
        }
        is_idle
    }

    /// Collects events. Sleeps for up to `timeout` if there is nothing to do. Returns the number of
    /// events.
    pub(super) fn sleep_for(
        &self,
        poller: &mut LoopPoller,
        timeout: Duration,
    ) -> io::Result<usize> {
        if !self.park(executor::is_ready()) {
            return poller.wait_outlined(Duration::ZERO);
        }
        let events = poller.wait_outlined(timeout);
        executor::unpark(&self.remote);
        events
    }

    /// Opens the reactor, and gives other threads its bell.
    fn prepare(&self) -> io::Result<LoopPoller> {
        if executor::is_closing() {
            return Err(ends_with_thread());
        }
        panic_hook::install();
        let (poller, bell) = reactor::prepare()?;
        if let Some(bell) = bell {
            self.remote.hang_bell(bell);
        }
        timer::read_clock();
        pulse::begin_turn(timer::nanos());
        polls::begin(timer::nanos());
        Ok(poller)
    }
}

fn ends_with_thread() -> io::Error {
    io::Error::other("the event loop ends with its thread and cannot run again")
}

/// The loop is running while this exists.
struct Running<'a>(&'a Core);

impl<'a> Running<'a> {
    #[track_caller]
    fn begin(core: &'a Core, function: &str) -> Self {
        assert!(
            !core.running.replace(true),
            "`{function}` was called while the event loop of this thread is running: in a task or a \
             callback, `.await` the future or `spawn` it"
        );
        Self(core)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
        self.0.waits.set(None);
        executor::leave();
        budget::lift();
        pulse::rest();
    }
}

/// Wakes the future of `run_sync`, which is not a task.
struct MainWaker {
    woken: AtomicBool,
    remote: Arc<Remote>,
}

impl MainWaker {
    fn new(remote: Arc<Remote>) -> Self {
        Self { woken: AtomicBool::new(true), remote }
    }

    fn take(&self) -> bool {
        self.woken.load(Ordering::Acquire) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.remote.wake();
        }
    }
}
