//! The event loop of a thread.
//!
//! # Layout
//!
//! - `callbacks`: Tornado's callbacks and timeouts
//! - `run`: the turns of the loop
//! - `polls`: the time that each task takes
//! - `jobs`: jobs that block, on threads
//! - `handle`: the loop for other threads
//! - `virtual_time`: a clock for tests

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::executor::{self, Remote};
use crate::task::Task;
use crate::thread_pool::ThreadPool;
use crate::{reactor, timer};

pub use callbacks::TimeoutHandle;
pub use handle::{IOLoopHandle, LoopClosed};
pub(crate) use jobs::drop_in_executor;
pub use polls::{AfterPoll, Polled};
use virtual_time::ClockHolds;

mod callbacks;
mod handle;
mod jobs;
mod polls;
mod run;
mod virtual_time;

/// The event loop of the current thread.
///
/// Clones are handles of the same loop. Each thread has one loop, made on first use. The loop opens
/// its descriptors when it first runs, or when a descriptor is first registered with it. It ends
/// with its thread, which drops all its tasks.
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
    /// The part for other threads.
    remote: Arc<Remote>,
    /// The line that made the loop, for the error message of a fork.
    made_at: &'static Location<'static>,
    running: Cell<bool>,
    /// The line that called `run_sync`, while it runs.
    waits: Cell<Option<&'static Location<'static>>>,
    /// Counts the [`IOLoopHandle`]s.
    handles: Arc<()>,
    stopping: Cell<bool>,
    /// The number of jobs on other threads for which a virtual clock must wait.
    clock_holds: Arc<ClockHolds>,
    /// The pool of `run_in_executor`.
    pool: RefCell<ThreadPool>,
}

thread_local! {
    static CURRENT: OnceCell<IOLoop> = const { OnceCell::new() };
    /// Ends the loop with its thread. It is made after everything that the loop's tasks use, so it
    /// is destroyed first.
    static END: OnceCell<End> = const { OnceCell::new() };
}

impl IOLoop {
    /// Returns the loop of this thread, and makes it on first use.
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
    /// Fails if the kernel refuses the loop its descriptors, or if waiting on them fails. Also
    /// fails in a destructor that runs because the thread ends, when the loop's tasks are dropped.
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
    /// next `start` returns at once. Unfinished tasks continue when the loop is started again.
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
    /// Fails if the loop is stopped before `future` is done, and for the reasons of
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

    /// Runs `future` as a task. It is first polled in the next turn. Dropping the [`Task`] cancels
    /// it.
    ///
    /// A panic is logged, and awaiting the `Task` returns it. The loop continues.
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

    /// Like [`spawn`](Self::spawn), but log lines name `site` as the line that spawned the task.
    ///
    /// This is for libraries that spawn a task on behalf of their caller. In a function with
    /// `#[track_caller]`, `spawn` already names the caller.
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

    /// Returns the time of this turn of the loop, or the present time if the loop is not running.
    /// It is virtual after [`use_virtual_time`](Self::use_virtual_time).
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

    /// Returns a handle with which other threads can send callbacks.
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

/// Returns the line that made the loop of this thread, or `None` if there is no loop.
pub(crate) fn existing_loop() -> Option<&'static Location<'static>> {
    CURRENT.with(|current| current.get().map(|io_loop| io_loop.0.made_at))
}

/// Drops the loop's tasks when the thread ends.
struct End(IOLoop);

impl Drop for End {
    fn drop(&mut self) {
        // A task called `process::exit`. Its future is further up the stack and cannot be dropped.
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
