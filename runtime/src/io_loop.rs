//! The event loop of a thread: what users call.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::executor::{self, Remote};
use crate::task::Task;
use crate::thread_pool::ThreadPool;
use crate::timer::sleep_until;
use crate::{reactor, timer};

pub use handle::{IOLoopHandle, LoopClosed};
pub(crate) use jobs::drop_in_executor;
pub use polls::{AfterPoll, Polled};
use virtual_time::ClockHolds;

mod handle;
mod jobs;
mod polls;
mod run;
mod virtual_time;

/// The event loop of the current thread.
///
/// A handle: clones refer to the same loop. There is one loop per thread, made on first use; it
/// opens its descriptors when it first runs, or when something is first registered with it. It
/// ends with its thread, and all its tasks are dropped then.
///
/// # Examples
///
/// ```
/// use squall_runtime::IOLoop;
///
/// let io_loop = IOLoop::current();
/// io_loop.add_callback(|| {
///     println!("hello");
///     IOLoop::current().stop();
/// });
/// io_loop.start()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct IOLoop(Rc<Core>);

struct Core {
    /// The part that other threads see.
    remote: Arc<Remote>,
    /// Which line made the loop: whoever wants to fork must know.
    made_at: &'static Location<'static>,
    running: Cell<bool>,
    /// The line that called `run_sync`, while that runs.
    waits: Cell<Option<&'static Location<'static>>>,
    /// Shared with each [`IOLoopHandle`].
    handles: Arc<()>,
    stopping: Cell<bool>,
    /// How many jobs run on other threads that a virtual clock must wait for.
    clock_holds: Arc<ClockHolds>,
    /// The pool of `run_in_executor`.
    pool: RefCell<ThreadPool>,
}

thread_local! {
    static CURRENT: OnceCell<IOLoop> = const { OnceCell::new() };
    /// Ends the loop with its thread. It is made after everything that the loop's tasks use, and
    /// hence destroyed before.
    static END: OnceCell<End> = const { OnceCell::new() };
}

impl IOLoop {
    /// Returns the loop of this thread. It is made on first use.
    ///
    /// # Panics
    ///
    /// Panics in the destructor of a thread-local that outlives the loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.run_sync(async { println!("in the loop") })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    #[inline]
    pub fn current() -> Self {
        let made_at = Location::caller();
        CURRENT.with(|current| match current.get() {
            Some(current) => current.clone(),
            None => Self::make(made_at),
        })
    }

    #[cold]
    fn make(made_at: &'static Location<'static>) -> Self {
        let remote = Arc::new(Remote::new());
        let core = Core {
            remote: Arc::clone(&remote),
            made_at,
            running: Cell::new(false),
            waits: Cell::new(None),
            handles: Arc::default(),
            stopping: Cell::new(false),
            clock_holds: Arc::default(),
            pool: RefCell::default(),
        };
        let io_loop = Self(Rc::new(core));
        timer::settle();
        reactor::settle();
        executor::settle(&remote);
        CURRENT.with(|current| drop(current.set(io_loop.clone())));
        END.with(|end| drop(end.set(End(io_loop.clone()))));
        io_loop
    }

    /// Runs the loop until [`stop`](Self::stop) is called.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses the loop its descriptors, or waiting on them fails. Also fails in
    /// a destructor that is called because the thread ends: the loop's tasks are dropped then.
    ///
    /// # Panics
    ///
    /// Panics if the loop is running already.
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
    pub fn start(&self) -> io::Result<()> {
        self.0.start()
    }

    /// Makes [`start`](Self::start) return after the current turn. If the loop is not running, the
    /// next `start` returns at once. What is not done yet stays, and goes on when the loop is
    /// started again.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// io_loop.stop();
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) {
        self.0.stopping.set(true);
    }

    /// Runs the loop until `future` is done, and returns its output.
    ///
    /// # Errors
    ///
    /// Fails if the loop is stopped before `future` is done, or for the reasons of
    /// [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Panics if `future` does, or if the loop is running already.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// assert_eq!(IOLoop::current().run_sync(async { 1 + 2 })?, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run_sync<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        self.0.run_sync(future)
    }

    /// Runs `future` beside whatever else the loop does. It is first polled on the next turn, and
    /// cancelled if the [`Task`] is dropped.
    ///
    /// If it panics, that is logged, the loop lives on, and the `Task` ends with the panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let task = io_loop.spawn(async { "done" });
    /// assert_eq!(io_loop.run_sync(task)?.unwrap(), "done");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        Task(executor::spawn(&self.0.remote, Location::caller(), future))
    }

    /// Like [`spawn`](Self::spawn), but log lines name `site` as the line that has spawned the task.
    ///
    /// For a library that spawns what its caller has asked for. A function with `#[track_caller]` names
    /// its caller without this.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    ///
    /// use squall_runtime::{IOLoop, Task};
    ///
    /// struct Job {
    ///     asked_for_at: &'static Location<'static>,
    /// }
    ///
    /// impl Job {
    ///     fn start(&self) -> Task<u32> {
    ///         IOLoop::current().spawn_from(self.asked_for_at, async { 1 })
    ///     }
    /// }
    ///
    /// let job = Job { asked_for_at: Location::caller() };
    /// assert_eq!(IOLoop::current().run_sync(job.start())?.unwrap(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn_from<T: 'static>(
        &self,
        site: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        Task(executor::spawn(&self.0.remote, site, future))
    }

    /// Runs `future` beside whatever else the loop does, with nobody waiting for it. If it panics,
    /// that is logged, and the loop lives on.
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

    /// Calls `callback` on the next turn, after all that was spawned or added before. If it
    /// panics, that is logged, and the loop lives on.
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

    /// Calls `callback` when `delay` is over, counted from this call. It has the precision of a
    /// millisecond and is never early. Dropping what this returns changes nothing.
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

    /// Calls `callback` at `time`. It has the precision of a millisecond and is never early.
    /// Dropping what this returns changes nothing.
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

    /// Makes it that the callback is not called. If it was called already, nothing happens.
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

    /// The time of this turn of the loop, or the present time if the loop is not running. It is
    /// virtual after [`use_virtual_time`](Self::use_virtual_time).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use squall_runtime::IOLoop;
    ///
    /// assert!(IOLoop::current().time() <= Instant::now());
    /// ```
    pub fn time(&self) -> Instant {
        if !self.0.running.get() {
            timer::read_clock();
        }
        timer::now()
    }

    /// Returns what other threads can send callbacks to.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let handle = io_loop.handle();
    /// thread::spawn(move || handle.add_callback(|| IOLoop::current().stop()));
    /// io_loop.start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handle(&self) -> IOLoopHandle {
        let (remote, _counted) = (Arc::clone(&self.0.remote), Arc::clone(&self.0.handles));
        IOLoopHandle { remote, _counted }
    }
}

impl fmt::Debug for IOLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IOLoop")
            .field("made_at", &self.0.made_at)
            .field("running", &self.0.running)
            .finish_non_exhaustive()
    }
}

/// Makes the loop of this thread, if there is none, without cloning it.
#[track_caller]
#[inline]
pub(crate) fn settle() {
    let made_at = Location::caller();
    CURRENT.with(|current| {
        if current.get().is_none() {
            IOLoop::make(made_at);
        }
    });
}

/// Which line made the loop of this thread; `None` if there is no loop. Makes none.
pub(crate) fn existing_loop() -> Option<&'static Location<'static>> {
    CURRENT.with(|current| current.get().map(|io_loop| io_loop.0.made_at))
}

/// A callback that [`IOLoop::call_later`] or [`IOLoop::call_at`] will call, for
/// [`IOLoop::remove_timeout`].
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

/// Drops the loop's tasks when the thread ends.
struct End(IOLoop);

impl Drop for End {
    fn drop(&mut self) {
        // Somebody called `process::exit` in a task: its future is further down the stack, and
        // cannot be dropped.
        if !self.0.0.running.get() {
            executor::shut_down(&self.0.0.remote);
            reactor::shut_down();
            timer::shut_down();
            executor::release();
        }
    }
}

#[cfg(test)]
mod tests;
