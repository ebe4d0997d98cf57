//! Threads that run jobs which block.
//!
//! Nothing here knows the loop: a job is submitted by any thread, runs in one of the pool's, and its
//! [`Submission`] is a future that any executor can await.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::log;

use submission::Slot;
pub(crate) use submission::Submission;

mod submission;
mod worker;

/// How long an idle thread waits for a job before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// How long the pool works with the threads it has after the system has refused another.
const RETRY: Duration = Duration::from_secs(1);

/// Threads for jobs that block: files, databases, clients without `async`, long computations.
///
/// [`IOLoop::run_in`](crate::IOLoop::run_in) runs a job in a pool. Each loop also has a pool of its
/// own, for [`IOLoop::run_in_executor`](crate::IOLoop::run_in_executor), files and
/// [`resolve`](crate::resolve). Give slow work, such as a database, another pool, so that it cannot
/// take every thread from the files.
///
/// Clones are the same pool. A pool may be shared by loops and threads.
///
/// # Threads
///
/// - `new` creates no thread. A pool may be made before the fork, and is then empty in each worker:
///   `n` is the number of threads per process.
/// - A job gets a new thread if no thread is idle and there are fewer than `n`.
/// - A thread ends when it has been idle for five seconds, or when the last clone of the pool is
///   dropped. A job that runs then is finished first, unless the process exits before.
/// - If the system refuses a thread (`RLIMIT_NPROC`, `pids.max`, `TasksMax=`), the jobs wait for the
///   threads that exist, and the pool tries again with a later job. If none exists, the jobs fail with
///   a [`ThreadPoolError`].
///
/// # Order
///
/// Jobs start in the order in which they were submitted. The queue holds up to 1,000 jobs that no
/// thread has begun ([`queue_size`](Self::queue_size) changes the limit). When it is full, a job is not
/// submitted by the call of `run_in`: it waits in line when its future is first polled.
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

/// The part of a pool that its threads keep.
struct Shared {
    limit: usize,
    /// How long an idle thread waits for a job.
    idle_limit: Duration,
    create: Create,
    state: Mutex<State>,
}

/// Makes a thread that runs the pool's jobs. Tests have other ways than the system's.
type Create = Box<dyn Fn(Work) -> io::Result<()> + Send + Sync>;
type Work = Box<dyn FnOnce() + Send>;

/// A job in the queue. It is called once: to run, or with the reason why no thread runs it. Dropping
/// it instead cancels it.
type Job = Box<dyn FnOnce(Result<(), ThreadPoolError>) + Send>;

struct State {
    /// The jobs that no thread has begun, by their tickets, and so in the order of submission. The
    /// first `queue_size` are the queue; behind them, submitters wait.
    jobs: BTreeMap<u64, Job>,
    next_ticket: u64,
    queue_size: usize,
    /// How many threads there are, with those that are being created.
    threads: usize,
    /// The threads that wait for a job. The last to come is the first to go, so that the others reach
    /// the end of their time.
    idle: Vec<Thread>,
    /// The system has refused a thread: when to ask it again.
    retry_at: Option<Instant>,
    /// The last `ThreadPool` was dropped.
    closed: bool,
}

/// Who takes up a job that has just been submitted.
enum Taker {
    Idle(Thread),
    New,
    /// A thread that is busy now.
    Busy,
}

impl ThreadPool {
    /// How many threads the pool of a loop has at most, unless
    /// [`IOLoop::set_default_executor`](crate::IOLoop::set_default_executor) gives it another pool.
    pub const DEFAULT_THREADS: usize = 32;

    /// How many jobs a queue holds, unless [`queue_size`](Self::queue_size) says otherwise.
    pub const DEFAULT_QUEUE_SIZE: usize = 1000;

    /// Returns a pool of up to `threads` threads. None is created before a job needs it.
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

    /// Sets how many jobs may wait in the queue for a thread: 1,000 unless this is called.
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

    /// Submits `job`, or keeps it in the submission if the queue is full.
    ///
    /// `hold` is called when the job enters the pool. Its value is dropped when the job is done and
    /// its submission is woken, or when the job is cancelled.
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
                answered.fill(admitted.map(|()| catch_unwind(AssertUnwindSafe(job))));
                drop(hold);
            })
        };
        Submission::new(self.clone(), slot, pack)
    }

    /// Drops `value` in one of the pool's threads, or here if there is none. The limit of the queue
    /// does not apply.
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
        // It runs code of the user, and so after the lock is released.
        drop(job);
    }

    /// Creates the thread that [`State::find_taker`] has counted already.
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
        jobs.into_values().for_each(|job| job(Err(error.clone())));
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
    /// The lock is never held while code of the user runs, so that nothing can poison it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Chooses who takes up one more job. A new thread is counted from here on.
    fn find_taker(&mut self, limit: usize) -> Taker {
        if let Some(thread) = self.idle.pop() {
            return Taker::Idle(thread);
        }
        // Without any thread the job would wait for ever.
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
            "the system refuses the thread pool another thread ({error}); jobs wait for the \
             {threads} that it has"
        ),
    );
}

/// No thread could be created for a job, and the pool has no other.
///
/// The limit that is reached may be that of the user (`RLIMIT_NPROC`), of the container (`pids.max`) or
/// of the service (`TasksMax=`). The [`source`](Error::source) is the error of the system. It also
/// converts into an [`io::Error`], from which `downcast` gets it back.
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
        f.write_str("the thread pool has no thread, and the system refuses it one")
    }
}

impl Error for ThreadPoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

impl From<ThreadPoolError> for io::Error {
    fn from(error: ThreadPoolError) -> Self {
        // Not with the kind of its cause, which is `WouldBlock`: that would look like a socket that
        // is not ready.
        Self::other(error)
    }
}

#[cfg(test)]
mod tests;
