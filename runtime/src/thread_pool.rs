//! Threads for jobs that block.
//!
//! A pool does not know the loop. Any thread can submit a job, a thread of the pool runs it, and
//! any executor can await its [`Submission`].

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::executor::caught;
use crate::log;

use submission::Slot;
pub(crate) use submission::Submission;

mod submission;
mod worker;

/// How long an idle thread waits for a job before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// How long the pool keeps to its threads after the kernel has refused another one.
const RETRY: Duration = Duration::from_secs(1);

/// Threads for jobs that block: files, databases, clients without `async`, long computations.
///
/// [`IOLoop::run_in`](crate::IOLoop::run_in) runs a job in a pool. Each loop also has its own pool,
/// for [`IOLoop::run_in_executor`](crate::IOLoop::run_in_executor), files and
/// [`resolve`](crate::resolve). Use another pool for slow work, such as a database, so that it
/// cannot take all threads from the files.
///
/// Clones are handles of the same pool. Loops and threads can share a pool.
///
/// # Threads
///
/// - `new` creates no thread. A pool that is made before the fork is empty in each worker, so `n`
///   is the number of threads per process.
/// - A job gets a new thread if no thread is idle and there are fewer than `n`.
/// - A thread ends after five idle seconds, or when the last clone of the pool is dropped. It
///   finishes its job first, unless the process exits.
/// - If the kernel refuses a thread (`RLIMIT_NPROC`, `pids.max`, `TasksMax=`), the jobs wait for
///   the existing threads, and the pool tries again with a later job. If there are no threads, the
///   jobs fail with a [`ThreadPoolError`].
///
/// # Order
///
/// Jobs start in the order of their submission. The queue holds up to 1,000 jobs that no thread has
/// begun ([`queue_size`](Self::queue_size) changes the limit). If it is full, `run_in` does not
/// submit its job. The job waits in line from the first poll of its future.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, ThreadPool};
///
/// let database = ThreadPool::new(4);
/// let answer = IOLoop::current().run_sync(async {
///     IOLoop::current().run_in(&database, || 6 * 7).await
/// })??;
/// assert_eq!(answer, 42);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct ThreadPool(Arc<Owner>);

/// Ends the threads when the last [`ThreadPool`] is dropped.
struct Owner(Arc<Shared>);

/// The part of a pool that its threads share.
struct Shared {
    limit: usize,
    /// How long an idle thread waits for a job.
    idle_limit: Duration,
    create: Create,
    state: Mutex<State>,
}

/// Creates a thread for the pool. Tests replace this.
type Create = Box<dyn Fn(Work) -> io::Result<()> + Send + Sync>;
type Work = Box<dyn FnOnce() + Send>;

/// A job in the queue. It is called once: with `Ok` to run, or with the reason why no thread runs
/// it. Dropping it cancels it.
type Job = Box<dyn FnOnce(Result<(), ThreadPoolError>) + Send>;

struct State {
    /// The jobs that no thread has begun, by their tickets, so in the order of submission. The
    /// first `queue_size` jobs are the queue. After them, submitters wait.
    jobs: BTreeMap<u64, Job>,
    next_ticket: u64,
    queue_size: usize,
    /// The number of threads, including those that are being created.
    threads: usize,
    /// The threads that wait for a job. The last one gets the next job, so that the others can end.
    idle: Vec<Thread>,
    /// The kernel has refused a thread. When to try again.
    retry_at: Option<Instant>,
    /// The last `ThreadPool` was dropped.
    closed: bool,
}

/// The thread that takes a job that was just submitted.
enum Taker {
    Idle(Thread),
    New,
    /// A thread that is busy now.
    Busy,
}

impl ThreadPool {
    /// The most threads in the pool of a loop, unless
    /// [`IOLoop::set_default_executor`](crate::IOLoop::set_default_executor) replaces the pool.
    pub const DEFAULT_THREADS: usize = 32;

    /// The most jobs in a queue, unless [`queue_size`](Self::queue_size) changes this.
    pub const DEFAULT_QUEUE_SIZE: usize = 1000;

    /// Makes a pool of up to `threads` threads. A thread is created when a job needs it.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is 0.
    ///
    /// # Examples
    ///
    /// See [`ThreadPool`].
    #[track_caller]
    pub fn new(threads: usize) -> Self {
        Self::with(threads, IDLE, Box::new(create_thread))
    }

    #[track_caller]
    fn with(limit: usize, idle_limit: Duration, create: Create) -> Self {
        assert!(limit > 0, "`ThreadPool::new` needs at least one thread");
        let state = State {
            jobs: BTreeMap::new(),
            next_ticket: 0,
            queue_size: Self::DEFAULT_QUEUE_SIZE,
            threads: 0,
            idle: Vec::new(),
            retry_at: None,
            closed: false,
        };
        let shared = Shared { limit, idle_limit, create, state: Mutex::new(state) };
        Self(Arc::new(Owner(Arc::new(shared))))
    }

    /// Sets how many jobs may wait in the queue for a thread. Default: 1,000.
    ///
    /// # Panics
    ///
    /// Panics if `jobs` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::ThreadPool;
    ///
    /// let pool = ThreadPool::new(2).queue_size(10);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn queue_size(self, jobs: usize) -> Self {
        assert!(jobs > 0, "`ThreadPool::queue_size` needs room for at least one job");
        self.shared().lock().queue_size = jobs;
        self
    }

    /// Submits `job`. If the queue is full, the submission keeps the job.
    ///
    /// Calls `hold` when the job enters the pool. Its value is dropped when the job is done and its
    /// submission is woken, or when the job is cancelled.
    pub(crate) fn submit<T, F, G, H>(
        &self,
        job: F,
        hold: G,
    ) -> Submission<T, impl FnOnce() -> Job + use<T, F, G, H>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
        G: FnOnce() -> H,
        H: Send + 'static,
    {
        let slot = Arc::new(Slot::default());
        let answered = Arc::clone(&slot);
        let pack = move || -> Job {
            let hold = hold();
            Box::new(move |admitted| {
                match admitted {
                    Ok(()) => answered.fill(Ok(catch_unwind(AssertUnwindSafe(job)))),
                    Err(error) => {
                        // The awaiter is answered first, because the job's destructor may panic.
                        answered.fill(Err(error));
                        drop(job);
                    }
                }
                drop(hold);
            })
        };
        Submission::new(self.clone(), slot, pack)
    }

    /// Drops `value` on a thread of the pool, or here if there is none. The limit of the queue does
    /// not apply.
    pub(crate) fn drop_there(&self, value: impl Send + 'static) {
        self.push(Box::new(move |_| drop(value)));
    }

    fn has_room(&self) -> bool {
        let state = self.shared().lock();
        state.jobs.len() < state.queue_size
    }

    /// Puts `job` at the end of the line and returns its ticket.
    fn push(&self, job: Job) -> u64 {
        let shared = self.shared();
        let mut state = shared.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.jobs.insert(ticket, job);
        let taker = state.find_taker(shared.limit);
        drop(state);
        match taker {
            Taker::Idle(thread) => thread.unpark(),
            Taker::New => self.grow(),
            Taker::Busy => {}
        }
        ticket
    }

    /// Cancels the job with this ticket, unless a thread has begun it.
    fn cancel(&self, ticket: u64) {
        let job = self.shared().lock().jobs.remove(&ticket);
        // Dropping a job runs user code, so the lock is released first.
        drop(job);
    }

    /// Creates the thread that [`State::find_taker`] has already counted.
    fn grow(&self) {
        let shared = Arc::clone(self.shared());
        let created = (self.shared().create)(Box::new(move || shared.work()));
        let mut state = self.shared().lock();
        let Err(error) = created else {
            state.retry_at = None;
            return;
        };
        state.threads -= 1;
        let threads = state.threads;
        let is_news = state.retry_at.replace(Instant::now() + RETRY).is_none();
        if threads > 0 {
            drop(state);
            if is_news {
                warn(threads, &error);
            }
            return;
        }
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        let error = ThreadPoolError { cause: Arc::new(error) };
        for job in jobs.into_values() {
            caught("a job that the thread pool refused", || job(Err(error.clone())));
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Default for ThreadPool {
    /// Returns a pool like that of each loop, of up to [`DEFAULT_THREADS`](Self::DEFAULT_THREADS).
    fn default() -> Self {
        Self::new(Self::DEFAULT_THREADS)
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared().lock();
        f.debug_struct("ThreadPool")
            .field("limit", &self.shared().limit)
            .field("threads", &state.threads)
            .field("idle", &state.idle.len())
            .field("waiting_jobs", &state.jobs.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        idle.iter().for_each(Thread::unpark);
    }
}

impl Shared {
    /// The lock is never held while user code runs, so nothing can poison it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Chooses the thread for one more job. This already counts a new thread.
    fn find_taker(&mut self, limit: usize) -> Taker {
        if let Some(thread) = self.idle.pop() {
            return Taker::Idle(thread);
        }
        // Without any thread, the job would wait for ever.
        let may_ask = self.threads == 0 || self.retry_at.is_none_or(|at| Instant::now() >= at);
        if self.threads >= limit || !may_ask {
            return Taker::Busy;
        }
        self.threads += 1;
        Taker::New
    }
}

fn create_thread(work: Work) -> io::Result<()> {
    thread::Builder::new().name("squall-pool".to_owned()).spawn(work).map(drop)
}

fn warn(threads: usize, error: &io::Error) {
    log::warn(
        log::GENERAL,
        format_args!(
            "cannot create another thread for the thread pool ({error}); jobs wait for its \
             {threads} threads"
        ),
    );
}

/// The error if a pool has no thread and cannot create one.
///
/// The limit may be one of the user (`RLIMIT_NPROC`), the container (`pids.max`) or the service
/// (`TasksMax=`). The [`source`](Error::source) is the error of the kernel. This converts into an
/// [`io::Error`], and `downcast` converts it back.
///
/// # Examples
///
/// ```
/// use std::io;
/// use squall_runtime::{IOLoop, ThreadPoolError};
///
/// async fn hosts() -> io::Result<String> {
///     let read = || std::fs::read_to_string("/etc/hosts");
///     // The first `?` is for the pool, the second for the job.
///     IOLoop::current().run_in_executor(read).await?
/// }
///
/// let is_busy = |error: &io::Error| error.get_ref().is_some_and(|error| error.is::<ThreadPoolError>());
/// match IOLoop::current().run_sync(hosts())? {
///     Err(error) if is_busy(&error) => println!("no thread: {error}"),
///     hosts => drop(hosts?),
/// }
/// # io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ThreadPoolError {
    cause: Arc<io::Error>,
}

impl fmt::Display for ThreadPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread pool has no thread and cannot create one")
    }
}

impl Error for ThreadPoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

impl From<ThreadPoolError> for io::Error {
    fn from(error: ThreadPoolError) -> Self {
        // Not with the kind of its cause, `WouldBlock`, which would look like a socket that is not
        // ready.
        Self::other(error)
    }
}

#[cfg(test)]
mod tests;
