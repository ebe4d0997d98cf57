//! What users may set of the fork and of the supervision.

use std::io;
use std::time::Duration;

use nix::unistd::Pid;

use crate::net::Slots;
use crate::panic_hook;

use crate::process::cpu_count;
use crate::process::guard;
use crate::process::handover::image::Image;
use crate::process::handover::inherited;
use crate::process::host::presence::{self, Presence};
use crate::process::shared::scoreboard::{Scoreboard, SlotPage, State};
use crate::process::single;
use crate::process::stamp;
use crate::process::supervisor::Supervisor;
use crate::process::supervisor::stuck::OwnMemory;

pub use hooks::WorkerExit;

pub(super) use limits::check_time;

use hooks::{Describe, Hooks};
use limits::{ADOPT_AFTER, MAX_RESTARTS, RESTART_WINDOW, STALL_TIMEOUT};

mod hooks;
mod limits;

/// More than any machine has processors; each worker has sockets and shared memory of its own.
const MAX_WORKERS: usize = 10_000;

/// See [`ForkOptions::page_words`].
const MAX_PAGE_WORDS: usize = 1 << 24;

#[track_caller]
fn check_workers(setting: &str, workers: usize) {
    assert!(
        workers <= MAX_WORKERS,
        "`ForkOptions::{setting}` must be at most {MAX_WORKERS}, not {workers}"
    );
}

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
    max_workers: Option<usize>,
    pub(super) max_restarts: usize,
    pub(super) restart_window: Duration,
    failed_starts: Option<(usize, Duration)>,
    start_timeout: Option<Option<Duration>>,
    stop_timeout: Option<Duration>,
    pub(super) stall_timeout: Option<Duration>,
    pub(super) adopt_after: Option<Duration>,
    pub(super) max_memory: Option<u64>,
    page_words: usize,
    pub(super) describe: Option<Describe>,
    pub(super) hooks: Hooks,
    pub(super) presence: presence::Settings,
}

impl ForkOptions {
    /// The defaults: one worker per available processor, and what each setting says.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            workers: 0,
            max_workers: None,
            max_restarts: MAX_RESTARTS,
            restart_window: RESTART_WINDOW,
            failed_starts: None,
            start_timeout: None,
            stop_timeout: None,
            stall_timeout: Some(STALL_TIMEOUT),
            adopt_after: Some(ADOPT_AFTER),
            max_memory: None,
            page_words: 0,
            describe: None,
            hooks: Hooks::default(),
            presence: presence::Settings::default(),
        }
    }

    /// Sets the number of workers. Default 0: [`cpu_count`].
    ///
    /// # Panics
    ///
    /// If `workers` is more than 10,000.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Self {
        check_workers("workers", workers);
        self.workers = workers;
        self
    }

    /// Sets how many workers there may be after `SIGTTIN`, which asks for one more. Default:
    /// twice as many as at first. Each has a socket for each TCP address from the start, because
    /// a process that has given up privileges could not bind one later; it listens when its
    /// first worker does. A number below the one at first changes nothing.
    ///
    /// # Panics
    ///
    /// If `workers` is 0 or more than 10,000.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().workers(4).max_workers(16).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_workers(mut self, workers: usize) -> Self {
        check_workers("max_workers", workers);
        assert!(workers > 0, "`ForkOptions::max_workers` must be at least 1");
        self.max_workers = Some(workers);
        self
    }

    /// Sets how many words of 64 bits each page of the [`Scoreboard`] has for what the program
    /// counts itself. Default 0. The system gives memory to those that are written to.
    ///
    /// # Panics
    ///
    /// If `words` is more than 16,777,216, which is 128 MiB for each page.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    #[must_use]
    #[track_caller]
    pub fn page_words(mut self, words: usize) -> Self {
        assert!(
            words <= MAX_PAGE_WORDS,
            "`ForkOptions::page_words` must be at most {MAX_PAGE_WORDS}, not {words}"
        );
        self.page_words = words;
        self
    }

    /// Starts the workers and returns in each of them with its number, 0 to one less than there
    /// are. In the process that called, it does not return: that one supervises, and exits.
    ///
    /// **What it watches.** A worker that exits with another status than 0, or is killed by a
    /// signal, is replaced by one with the same number: at once, unless it dies before it has
    /// been *ready* for a second. If the one that follows does so as well, the next waits for
    /// 0.1 s, then 0.2 s, and so on up to 2 s, each a quarter more or less at random. A worker is
    /// ready when its loop runs and the listeners of all that was bound before the fork were
    /// taken, or dropped. One that exits with 0 is done and not replaced, which the log tells; once all are done, the
    /// supervisor exits with status 0. If too many must be replaced in too short a time, it stops
    /// the others and exits with status 1. A worker that dies while the one it was to replace
    /// goes on serving is no reason to: the next one waits for up to a minute, or, after
    /// `SIGHUP` and three of them, the workers that are there are kept. A worker that says that it
    /// [cannot start](crate::process::give_up_start) keeps the whole server from starting.
    ///
    /// **What waits.** Connections that wait at the listener of a worker that has died, stands
    /// still or was suspended are accepted by another one, if the workers ask for what they
    /// [adopt](crate::Sockets::adoptions); else they wait for the replacement. No listener is
    /// closed before all workers end. Then each accepts who waits before it closes its own, and
    /// who waits for a worker that dies over it is accepted by another, or, if none is left, by
    /// one that is started for that, within the [`stop_timeout`](Self::stop_timeout).
    ///
    /// **Signals to the supervisor.** With the times and the log in [one
    /// place](crate::process#running-it).
    ///
    /// | signal | effect |
    /// |---|---|
    /// | `SIGTERM`, `SIGINT` | sends `SIGTERM` to all workers, waits, kills those that take too long; exit status 0 |
    /// | the same again | kills all workers at once; exit status 0 |
    /// | `SIGQUIT` | kills all workers at once; exit status 0 |
    /// | `SIGHUP` | replaces the workers one after the other: each new one is ready before the old one is sent `SIGTERM` |
    /// | `SIGTTIN` | one worker more, up to [`max_workers`](Self::max_workers) |
    /// | `SIGTTOU` | one worker fewer, down to 1: the one with the highest number is sent `SIGTERM` |
    /// | `SIGUSR2` | runs the [new version](crate::process#a-new-version-of-the-program) of the program; this one ends when that is ready |
    /// | `SIGKILL`, and whatever else ends it | the workers are killed with it |
    ///
    /// **Signals to a worker.** `SIGTERM` is the one by which it is asked to stop. It is the
    /// supervisor's to send: a worker that somebody else sends it to ends with 0, and so for good. To
    /// have one replaced, send `SIGHUP` to the supervisor. One that does not handle `SIGTERM` yet is
    /// killed by it, and replaced. `SIGINT`, `SIGQUIT` and `SIGHUP` have no effect: what a
    /// terminal sends goes to supervisor and workers alike, and a worker that counted both that
    /// and the supervisor's `SIGTERM` would take the second as an order to hurry. All other signals
    /// have their default effect; those that the program ignored, such as `SIGPIPE`, stay
    /// ignored.
    ///
    /// **Blocked signals.** Signals that the parent process has blocked stay blocked, except those
    /// that the supervisor receives or sends, and those that a
    /// [`Signals`](crate::signal::Signals) reports.
    ///
    /// **Child processes.** A program that a worker starts inherits the dispositions with which
    /// the server was started: under `nohup` it ignores `SIGHUP`, otherwise it does not. `SIGTERM`
    /// and `SIGCHLD` always have their default effect in it.
    ///
    /// **What a worker has.** Everything the process had: memory, open files, the sockets of
    /// [`bind_sockets`](crate::process::bind_sockets). What must not be shared has to be made after the
    /// fork: loops, threads, connections, random generators.
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
        panic_hook::install_in_server();
        let count = if self.workers == 0 { cpu_count() } else { self.workers };
        let most = self.max_workers.unwrap_or_else(|| count.saturating_mul(2)).max(count);
        let image = Image::current()?;
        inherited::close_unbound()?;
        let mut succession = inherited::succession()?;
        let slots = Slots::open(most)?;
        // A predecessor may have had more.
        let scoreboard = Scoreboard::new(most.max(slots.count()), self.page_words)?;
        scoreboard.install(None);
        let memory = OwnMemory::open();
        let presence = (Presence::new(&self.presence, succession.as_mut())?, memory);
        let heritage = (image, succession);
        Supervisor::new(self.clone(), slots, scoreboard, presence, heritage, count)?.run()
    }

    /// Has this process serve by itself, without a fork: it gets a [`Scoreboard`] with one slot,
    /// its own. It gives up rights, writes its [`pid_file`](Self::pid_file), and tells systemd and a
    /// predecessor when its loop runs. If it has a scoreboard, nothing happens. To be called on
    /// the thread of the loop.
    ///
    /// # Errors
    ///
    /// If the system has no memory for the scoreboard, if rights cannot be given up, or if the
    /// pid file cannot be written.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    #[track_caller]
    pub fn stay(&self) -> io::Result<()> {
        if Scoreboard::current().is_none() {
            let scoreboard = Scoreboard::new(1, self.page_words)?;
            let [page, _] = scoreboard.pages_of(0);
            page.begin(1);
            page.set_pid(Pid::this());
            scoreboard.set_wanted(1);
            scoreboard.install(Some(page.index()));
            stamp(page);
            page.set_state(State::Ready);
            single::enter(&self.presence)?;
        }
        Ok(())
    }

    /// A page that belongs to no [`Scoreboard`], for a loop that serves beside that of the
    /// process, on another thread: the loop of this thread writes its turns into it, unless it
    /// writes into another one. It is never given back.
    ///
    /// # Errors
    ///
    /// If the system has no memory for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// let page = ForkOptions::new().page_words(8).private_page()?;
    /// assert_eq!(page.extension().len(), 8);
    /// assert!(Scoreboard::current().is_none());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn private_page(&self) -> io::Result<SlotPage> {
        let [page, _] = Scoreboard::new(1, self.page_words)?.pages_of(0);
        page.begin(1);
        page.set_pid(Pid::this());
        if !crate::pulse::is_written() {
            stamp(page);
        }
        page.set_state(State::Ready);
        Ok(page)
    }
}

impl Default for ForkOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{UnwindSafe, catch_unwind};

    use super::*;

    /// Panics where the setting is set, and says which it is.
    fn refuses(setting: &str, set: impl FnOnce() -> ForkOptions + UnwindSafe) {
        let panic = catch_unwind(set).expect_err(setting);
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap();
        assert!(text.starts_with(&format!("`ForkOptions::{setting}` must be ")), "{text}");
    }

    #[test]
    fn a_setting_out_of_its_range_is_refused_where_it_is_set() {
        const ZERO: Duration = Duration::ZERO;
        let new = ForkOptions::new;
        for workers in [10_001, usize::MAX] {
            refuses("workers", move || new().workers(workers));
            refuses("max_workers", move || new().max_workers(workers));
        }
        refuses("max_workers", move || new().max_workers(0));
        refuses("page_words", move || new().page_words(usize::MAX));
        refuses("max_restarts", move || new().max_restarts(1, ZERO));
        refuses("max_failed_starts", move || new().max_failed_starts(1, ZERO));
        refuses("start_timeout", move || new().start_timeout(ZERO));
        refuses("default_timeouts", move || new().default_timeouts(ZERO, ZERO));
        refuses("stall_timeout", move || new().stall_timeout(ZERO));
        refuses("adopt_after", move || new().adopt_after(ZERO));
        refuses("max_memory", move || new().max_memory(0));
        refuses("upgrade_timeout", move || new().upgrade_timeout(ZERO));
    }
}
