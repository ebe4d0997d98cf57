//! A callback that runs again and again.

pub(crate) mod random;
mod schedule;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::FutureExt;

use self::random::Random;
pub(crate) use self::random::seed as random_seed;
use self::schedule::Schedule;
use crate::{IOLoop, TimeoutHandle};

/// Calls an async function once per period.
///
/// A period is the time from the start of one call to the start of the next. Calls never overlap:
/// if a call takes longer than the period, the missed times are skipped, and the next call comes at
/// a multiple of the period. A panic in a call is logged, and the calls continue.
///
/// Clones are handles of the same callback, and dropping them does not stop it.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// use squall_runtime::{IOLoop, PeriodicCallback, sleep};
///
/// let io_loop = IOLoop::current();
/// io_loop.use_virtual_time();
/// let calls = Rc::new(Cell::new(0));
/// let counter = Rc::clone(&calls);
/// let callback = PeriodicCallback::new(Duration::from_secs(10), async move || {
///     counter.set(counter.get() + 1);
/// });
/// callback.start();
/// io_loop.run_sync(sleep(Duration::from_secs(35)))?;
/// assert_eq!(calls.get(), 3);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct PeriodicCallback(Rc<State>);

impl PeriodicCallback {
    /// Makes a callback that runs every `period` once it is [started](Self::start).
    ///
    /// # Panics
    ///
    /// Panics if `period` is zero.
    ///
    /// # Examples
    ///
    /// See [`PeriodicCallback`].
    #[must_use]
    #[track_caller]
    pub fn new(period: Duration, callback: impl AsyncFnMut() + 'static) -> Self {
        assert!(period > Duration::ZERO, "the period of a periodic callback must not be zero");
        Self(Rc::new(State {
            made_at: Location::caller(),
            period,
            jitter: Cell::new(0.0),
            callback: RefCell::new(Some(Box::new(callback))),
            running: RefCell::new(None),
            starts: Cell::new(0),
        }))
    }

    /// Moves each time at random by a part of the period, so that many processes do not act at
    /// once. With 0.1, periods are up to 5 % shorter or longer. Default: 0.
    ///
    /// # Panics
    ///
    /// Panics if `jitter` is not between 0 and 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use squall_runtime::PeriodicCallback;
    ///
    /// let _clean = PeriodicCallback::new(Duration::from_secs(60), async || {}).jitter(0.1);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn jitter(self, jitter: f64) -> Self {
        assert!((0.0..=1.0).contains(&jitter), "jitter must be from 0 to 1, not {jitter}");
        self.0.jitter.set(jitter);
        self
    }

    /// Starts the calls on the loop of this thread. The first one comes after one period. If it is
    /// running already, the period starts again.
    ///
    /// # Examples
    ///
    /// See [`PeriodicCallback`].
    #[track_caller]
    pub fn start(&self) {
        self.stop();
        let schedule = Schedule::new(self.0.period, self.0.jitter.get(), IOLoop::current().time());
        let random = Random::from_system();
        *self.0.running.borrow_mut() = Some(Running { schedule, random, timeout: None });
        self.0.starts.set(self.0.starts.get() + 1);
        // An earlier call may still run. It sets the timeout when it ends.
        if self.0.callback.borrow().is_some() {
            schedule_next(&self.0);
        }
    }

    /// Stops the calls. A running call continues to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use squall_runtime::PeriodicCallback;
    ///
    /// let callback = PeriodicCallback::new(Duration::from_secs(60), async || {});
    /// callback.start();
    /// assert!(callback.is_running());
    /// callback.stop();
    /// assert!(!callback.is_running());
    /// ```
    pub fn stop(&self) {
        let running = self.0.running.take();
        if let Some(timeout) = running.and_then(|running| running.timeout) {
            IOLoop::current().remove_timeout(timeout);
        }
    }

    /// Returns whether it was started and not stopped since.
    ///
    /// # Examples
    ///
    /// See [`stop`](Self::stop).
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.running.borrow().is_some()
    }
}

impl fmt::Debug for PeriodicCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeriodicCallback")
            .field("period", &self.0.period)
            .field("jitter", &self.0.jitter.get())
            .field("is_running", &self.is_running())
            .finish_non_exhaustive()
    }
}

struct State {
    /// Where it was made, for the log.
    made_at: &'static Location<'static>,
    period: Duration,
    jitter: Cell<f64>,
    /// `None` while it is being called.
    callback: RefCell<Option<Box<dyn Callback>>>,
    running: RefCell<Option<Running>>,
    /// The number of starts, so that a call knows whether it belongs to the latest.
    starts: Cell<u64>,
}

/// The state between start and stop.
struct Running {
    schedule: Schedule,
    random: Random,
    /// The next call. `None` while a call runs.
    timeout: Option<TimeoutHandle>,
}

/// Sets the timeout of the next call, unless the callback was stopped.
fn schedule_next(state: &Rc<State>) {
    if let Some(running) = &mut *state.running.borrow_mut() {
        let io_loop = IOLoop::current();
        running.schedule.advance(io_loop.time(), running.random.next_fraction());
        let (due, made_at) = (call(Rc::clone(state), state.starts.get()), state.made_at);
        running.timeout = Some(io_loop.call_at(running.schedule.next(), move || {
            IOLoop::current().spawn_from(made_at, due).detach();
        }));
    }
}

/// Makes one call and schedules the next.
async fn call(state: Rc<State>, start: u64) {
    // The callback may have been stopped since the timeout.
    if state.running.borrow().is_none() || state.starts.get() != start {
        return;
    }
    let Some(mut callback) = state.callback.take() else { return };
    let outcome = AssertUnwindSafe(async { callback.call().await }).catch_unwind().await;
    state.callback.replace(Some(callback));
    schedule_next(&state);
    if let Err(panic) = outcome {
        // The loop logs it, like every panic of a callback.
        resume_unwind(panic);
    }
}

/// An async function with its type erased.
trait Callback {
    fn call(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

impl<F: AsyncFnMut()> Callback for F {
    fn call(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(self())
    }
}

#[cfg(test)]
mod tests;
