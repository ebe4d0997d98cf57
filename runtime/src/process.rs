//! One process per processor: [`fork_processes`] and what belongs to it.
//!
//! A server binds its sockets, forks, and makes its loops, in this order. The process that the
//! user started becomes the *supervisor*: it serves nothing, replaces workers that die, and ends
//! when they have ended. What a worker serves is in [`Sockets`](crate::Sockets).
//!
//! # Layout
//!
//! - `cpu`: how many workers fill the machine.
//! - `guard`: what must not be there when the process forks.
//! - `fork`: the fork itself, and how a child becomes a worker of its own.
//! - `lifeline`: a worker does not outlive its supervisor.
//! - `supervisor`: starts, replaces and stops workers.
//! - `scoreboard`: what all of them know of each other; `shared`: the memory it lies in.
//! - `restarts`, `signals`: the supervisor's memory and ears.
//! - `presence`: what others see of the server, made of `title`, `pid_file`, `privileges`
//!   and `affinity`; `options`: how it is set.

mod affinity;
mod cpu;
mod fork;
mod guard;
mod lifeline;
mod options;
mod pid_file;
mod presence;
mod privileges;
mod restarts;
mod scoreboard;
mod shared;
mod signals;
mod supervisor;
mod title;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::unistd::Pid;

pub use cpu::cpu_count;
pub use scoreboard::{Scoreboard, SlotPage, State};

use crate::net::Slots;
pub use crate::net::bind_sockets;

use pid_file::Predecessor;
use presence::Presence;
use supervisor::Supervisor;

/// Deaths that are a bug in one request in a thousand must not end a server; workers that die as
/// soon as they start must not keep the machine busy.
const MAX_RESTARTS: usize = 100;

/// See [`MAX_RESTARTS`].
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// What process managers allow a service as well, give or take, before they kill it.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts `workers` processes (0: one per available processor), with the defaults of
/// [`ForkOptions`], and returns in each of them with its number.
///
/// # Errors
///
/// As [`ForkOptions::fork_processes`].
///
/// # Examples
///
/// ```no_run
/// use squall_runtime::process::{bind_sockets, fork_processes};
/// use squall_runtime::{IOLoop, Listener};
///
/// fn main() -> std::io::Result<()> {
///     let sockets = bind_sockets(8000)?;
///     let id = fork_processes(0)?;
///     // From here on this is worker number `id`: loops, threads and connections begin here.
///     for listener in sockets.into_listeners()? {
///         println!("worker {id} serves {listener:?}");
///     }
///     IOLoop::current().start()
/// }
/// ```
pub fn fork_processes(workers: usize) -> io::Result<usize> {
    ForkOptions::new().workers(workers).fork_processes()
}

/// The number of this worker, from 0, or `None` if the process is not one.
///
/// A worker that replaces another has its number.
///
/// # Examples
///
/// ```
/// assert_eq!(squall_runtime::process::task_id(), None);
/// ```
#[must_use]
pub fn task_id() -> Option<usize> {
    match TASK_ID.load(Ordering::Relaxed) {
        NO_WORKER => None,
        id => Some(id),
    }
}

static TASK_ID: AtomicUsize = AtomicUsize::new(NO_WORKER);
const NO_WORKER: usize = usize::MAX;

/// How to fork and supervise, where the defaults will not do.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use squall_runtime::process::ForkOptions;
///
/// let id = ForkOptions::new()
///     .workers(4)
///     .max_restarts(3, Duration::from_secs(1))
///     .stop_timeout(Duration::from_secs(10))
///     .fork_processes()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ForkOptions {
    workers: usize,
    max_restarts: usize,
    restart_window: Duration,
    stop_timeout: Duration,
    page_words: usize,
    max_workers: usize,
    presence: presence::Settings,
}

impl ForkOptions {
    /// The defaults: one worker per available processor, 100 restarts in a minute, 30 seconds
    /// to stop.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            workers: 0,
            max_restarts: MAX_RESTARTS,
            restart_window: RESTART_WINDOW,
            stop_timeout: STOP_TIMEOUT,
            page_words: 0,
            max_workers: 0,
            presence: presence::Settings::default(),
        }
    }

    /// Sets the number of workers. Default 0: [`cpu_count`].
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets how many workers may be replaced within any span of `window`, all workers taken
    /// together, before the supervisor gives up. Default 100 within 60 seconds.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn max_restarts(mut self, restarts: usize, window: Duration) -> Self {
        self.max_restarts = restarts;
        self.restart_window = window;
        self
    }

    /// Sets how long workers that were asked to stop may take before they are killed. Default
    /// 30 seconds.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Sets how many words of 64 bits each page of the [`Scoreboard`] has for what the program
    /// counts itself. Default 0. The system gives memory to those that are written to.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    #[must_use]
    pub fn page_words(mut self, words: usize) -> Self {
        self.page_words = words;
        self
    }

    /// Starts the workers and returns in each of them with its number, 0 to one less than there
    /// are. In the process that called, it does not return: that one supervises, and exits.
    ///
    /// **What it watches.** A worker that exits with another status than 0, or is killed by a
    /// signal, is replaced at once by one with the same number. One that exits with 0 is done
    /// and not replaced; once all are done, the supervisor exits with status 0. If too many
    /// must be replaced in too short a time, it stops the others and exits with status 1.
    ///
    /// **Signals to the supervisor.**
    ///
    /// | signal | effect |
    /// |---|---|
    /// | `SIGTERM`, `SIGINT` | sends `SIGTERM` to all workers, waits, kills those that take too long; exit status 0 |
    /// | the same again | kills all workers at once; exit status 0 |
    /// | `SIGQUIT` | kills all workers at once; exit status 0 |
    /// | `SIGKILL`, and whatever else ends it | the workers are killed with it |
    ///
    /// **Signals to a worker.** `SIGTERM` is the one by which it is asked to stop; until it
    /// handles that signal, it simply ends. `SIGINT` and `SIGQUIT` are ignored: a terminal's
    /// Ctrl-C goes to supervisor and workers alike, and a worker that counted both that and the
    /// supervisor's `SIGTERM` would take the second as an order to hurry. All other signals
    /// have their default effect; those that the program ignored, such as `SIGPIPE`, stay
    /// ignored.
    ///
    /// **What a worker has.** Everything the process had: memory, open files, the sockets of
    /// [`bind_sockets`]. What must not be shared has to be made after the fork: loops, threads,
    /// connections, random generators.
    ///
    /// # Errors
    ///
    /// Nothing was forked if this returns an error, which names what is in the way: other
    /// threads, of which a forked process has only the locks they hold; a loop, whose poller
    /// all workers would share; signal handlers, which would run in each worker on what belongs
    /// to this process; that this is a worker already. Or the system refuses a process or a
    /// socket.
    ///
    /// # Examples
    ///
    /// A program that would wait for ever in each worker is refused:
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    /// use squall_runtime::process::ForkOptions;
    ///
    /// IOLoop::current();
    /// let error = ForkOptions::new().fork_processes().unwrap_err();
    /// assert!(error.to_string().starts_with("cannot fork: an IOLoop was made at "), "{error}");
    /// ```
    pub fn fork_processes(&self) -> io::Result<usize> {
        guard::check()?;
        let count = if self.workers == 0 { cpu_count() } else { self.workers };
        let slots = Slots::open(count.max(self.max_workers))?;
        let scoreboard = Scoreboard::new(count, self.page_words)?;
        scoreboard.install(None);
        let presence = Presence::new(&self.presence, Predecessor::None)?;
        Supervisor::new(self.clone(), slots, scoreboard, presence)?.run()
    }

    /// Has this process serve by itself, without a fork: it gets a [`Scoreboard`] with one slot,
    /// its own. If it has a scoreboard, nothing happens. To be called on the thread of the loop.
    ///
    /// # Errors
    ///
    /// If the system has no memory for the scoreboard.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    pub fn stay(&self) -> io::Result<()> {
        if Scoreboard::current().is_none() {
            let scoreboard = Scoreboard::new(1, self.page_words)?;
            let [page, _] = scoreboard.pages_of(0);
            page.begin(1);
            page.set_pid(Pid::this());
            scoreboard.install(Some(page.index()));
            stamp(page);
            page.set_state(State::Ready);
        }
        Ok(())
    }
}

impl Default for ForkOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes this process, just forked, the worker `id`.
fn enter_worker(id: usize, page: SlotPage, scoreboard: Scoreboard, slots: Slots) {
    TASK_ID.store(id, Ordering::Relaxed);
    scoreboard.install(Some(page.index()));
    stamp(page);
    slots.enter(id);
    // What was drawn from before the fork would give every worker the same numbers.
    fastrand::seed(crate::periodic::random_seed());
}

/// Has the loop of this thread write its turns into the page.
fn stamp(page: SlotPage) {
    let (turn, task) = page.stamps();
    crate::timer::read_clock();
    crate::pulse::write_into(turn, task, SlotPage::now(), crate::timer::tick());
}
