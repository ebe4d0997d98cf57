//! Settings of the fork and of the supervision.

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
use crate::process::shared::area;
use crate::process::shared::scoreboard::{Scoreboard, SlotPage, State};
use crate::process::stamp;
use crate::process::supervisor::stuck::OwnMemory;
use crate::process::supervisor::{Setup, Supervisor};
use crate::process::unsupervised;

pub use hooks::WorkerExit;

pub(super) use limits::check_time;

use hooks::{Describe, Hooks};
use limits::{ADOPT_AFTER, MAX_RESTARTS, RESTART_WINDOW, STALL_TIMEOUT};

mod hooks;
mod limits;

/// More than the processors of any machine. Each worker has sockets and shared memory of its own.
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

/// How to fork and supervise workers.
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
    exchanges: bool,
    pub(super) describe: Option<Describe>,
    pub(super) hooks: Hooks,
    pub(super) presence: presence::Settings,
}

impl ForkOptions {
    /// Returns the defaults: one worker per available processor, and the default that each setting
    /// documents.
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
            exchanges: false,
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

    /// Sets how many workers there may be after `SIGTTIN`, which starts one more. Default: twice
    /// the number at the start. Each worker has a socket for each TCP address from the start,
    /// because a process that has dropped privileges could not bind one later. A socket listens
    /// once it has a worker. A number below the number at the start changes nothing.
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

    /// Sets how many words of 64 bits each page of the [`Scoreboard`] has for the program's own
    /// counts. Default: 0. The kernel allocates memory only for words that are written.
    ///
    /// # Panics
    ///
    /// If `words` is more than 16,777,216, which is 128 MiB for each page.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    // Public only for the framework above this crate.
    #[doc(hidden)]
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

    /// Sets whether the workers have memory to [exchange](crate::process::Exchange) messages.
    /// Default: no.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::ForkOptions;
    ///
    /// let options = ForkOptions::new().exchanges(true);
    /// ```
    // Public only for the framework above this crate.
    #[doc(hidden)]
    #[must_use]
    pub fn exchanges(mut self, exchanges: bool) -> Self {
        self.exchanges = exchanges;
        self
    }

    /// Starts the workers, and returns in each of them with its number, counted from 0. It does not
    /// return in the calling process, which becomes the supervisor and exits at the end.
    ///
    /// **Replacements.** A worker that exits with another status than 0, or is killed by a signal,
    /// is replaced by one with the same number. It is replaced at once, unless it dies before it
    /// has been *ready* for a second. If its replacement dies as early, the next one waits for 0.1
    /// s, then 0.2 s, and so on up to 2 s, each varied at random by up to a quarter. A worker is
    /// ready when its loop runs and the listeners of all sockets that were bound before the fork
    /// have been taken or dropped.
    ///
    /// A worker that exits with 0 is done. It is not replaced, and the log says so. Once all
    /// workers are done, the supervisor exits with status 0. If too many workers must be replaced
    /// in too short a time, it stops the others and exits with status 1. A replacement that dies
    /// while the worker it should replace still serves does not count: the next one waits for up to
    /// a minute, and after three failures following `SIGHUP` the existing workers stay. A worker
    /// that [cannot start](crate::process::give_up_start) prevents the whole server from starting.
    ///
    /// **Waiting clients.** If a worker has died, hangs or was suspended, another worker accepts
    /// the clients in its queue, provided that the workers [adopt](crate::Sockets::adoptions)
    /// listeners. Otherwise the clients wait for the replacement. No listener is closed before all
    /// workers end. Then each worker accepts the clients in its queue before it closes its
    /// listener. If a worker dies meanwhile, another one accepts them, or, if none is left, a
    /// worker that is started for this purpose, within the [`stop_timeout`](Self::stop_timeout).
    ///
    /// **Signals to the supervisor.** The module documentation has [all of
    /// them](crate::process#running-it), with times and log lines.
    ///
    /// | signal | effect |
    /// |---|---|
    /// | `SIGTERM`, `SIGINT` | sends `SIGTERM` to all workers, waits, and kills those that take too long; exit status 0 |
    /// | the same again | kills all workers at once; exit status 0 |
    /// | `SIGQUIT` | kills all workers at once; exit status 0 |
    /// | `SIGHUP` | replaces the workers one after the other: each new one is ready before the old one is sent `SIGTERM` |
    /// | `SIGTTIN` | starts one more worker, up to [`max_workers`](Self::max_workers) |
    /// | `SIGTTOU` | sends `SIGTERM` to the worker with the highest number; the last worker stays |
    /// | `SIGUSR2` | runs the [new version](crate::process#a-new-version-of-the-program) of the program, and ends when that is ready |
    /// | `SIGKILL`, and any other signal that ends it | the kernel kills the workers |
    ///
    /// **Signals to a worker.** `SIGTERM` stops a worker gracefully. Only the supervisor should
    /// send it: a worker that receives it from elsewhere exits with 0, and is not replaced. To
    /// replace workers, send `SIGHUP` to the supervisor. A worker that does not handle `SIGTERM`
    /// yet is killed by it, and replaced. `SIGINT`, `SIGQUIT` and `SIGHUP` have no effect, because
    /// a terminal sends them to supervisor and workers alike, and a worker would take the
    /// supervisor's `SIGTERM` for a second order to stop. All other signals have their default
    /// effect. Signals that the program ignored, such as `SIGPIPE`, stay ignored.
    ///
    /// **Blocked signals.** Signals that the parent process has blocked stay blocked, except those
    /// that the supervisor receives or sends, and those that a
    /// [`Signals`](crate::signal::Signals) reports.
    ///
    /// **Child processes.** A program that a worker starts inherits the dispositions with which
    /// the server was started: under `nohup` it ignores `SIGHUP`, otherwise it does not. `SIGTERM`
    /// and `SIGCHLD` always have their default effect in it.
    ///
    /// **The state of a worker.** A worker has everything the process had: memory, open files, the
    /// sockets of [`bind_sockets`](crate::process::bind_sockets). Make loops, threads, connections
    /// and random generators after the fork, because processes cannot share them.
    ///
    /// # Errors
    ///
    /// If the process cannot fork. The error names the reason: other threads, of which a forked
    /// process has only the locks; a loop, whose poller all workers would share; signal handlers,
    /// which would run in each worker; a process that is a worker itself; or a process or socket
    /// that the kernel refuses.
    ///
    /// # Examples
    ///
    /// A program that would wait for ever in each worker is rejected:
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
        let inherited = succession.as_mut().and_then(|taken| taken.area.take());
        let area = if self.exchanges { area::prepare(inherited, scoreboard.slots()) } else { None };
        let memory = OwnMemory::open();
        let presence = Presence::new(&self.presence, succession.as_mut())?;
        let setup = Setup {
            options: self.clone(),
            sockets: slots,
            scoreboard,
            area,
            presence,
            memory,
            image,
            succession,
            workers: count,
        };
        Supervisor::new(setup)?.run()
    }

    /// Makes this process serve by itself, without a fork. It gets a [`Scoreboard`] with one slot
    /// for itself. It drops privileges, writes its [`pid_file`](Self::pid_file), and notifies
    /// systemd and a predecessor when its loop runs. If the process already has a scoreboard,
    /// nothing happens. Call it on the thread of the loop.
    ///
    /// # Errors
    ///
    /// If the kernel has no memory for the scoreboard, if privileges cannot be dropped, or if the
    /// pid file cannot be written.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`].
    // Public only for the framework above this crate.
    #[doc(hidden)]
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
            unsupervised::enter(&self.presence)?;
        }
        Ok(())
    }

    /// Returns a page that belongs to no [`Scoreboard`], for a loop on another thread beside the
    /// process's own. The loop of the calling thread writes its turns into the page, unless it
    /// already writes into another one. The page is never freed.
    ///
    /// # Errors
    ///
    /// If the kernel has no memory for it.
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
    // Public only for the framework above this crate.
    #[doc(hidden)]
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
