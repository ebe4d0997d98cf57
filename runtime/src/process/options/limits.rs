//! How much of what is allowed: deaths, time, memory.

use std::time::Duration;

use super::ForkOptions;

/// Refuses a time of zero, which no worker could keep to.
#[track_caller]
pub(in crate::process) fn check_time(setting: &str, time: Option<Duration>) {
    assert!(time != Some(Duration::ZERO), "`ForkOptions::{setting}` must be longer than zero");
}

/// Deaths that are a bug in one request in a thousand must not end a server, and neither must
/// somebody who kills workers for sport. What keeps workers that die at once from keeping the
/// machine busy is the delay before the next one.
pub(super) const MAX_RESTARTS: usize = 1000;

/// See [`MAX_RESTARTS`].
pub(super) const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// For each worker. With the delays between them, this takes a quarter of a minute.
const MAX_FAILED_STARTS: usize = 10;

/// What process managers allow a service as well, give or take, before they kill it.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than a turn takes in a program that minds its loop, and short enough for who has just
/// connected.
pub(super) const ADOPT_AFTER: Duration = Duration::from_millis(300);

/// As long as other servers with a worker per process give a request.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Limits of the supervision.
impl ForkOptions {
    /// Sets how many workers that have died may be replaced within any span of `window`, all
    /// workers taken together, before the supervisor gives up. Default 1000 within 60 seconds.
    /// Replacements of a worker that goes on serving do not count.
    ///
    /// # Panics
    ///
    /// If `window` is zero.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    #[track_caller]
    pub fn max_restarts(mut self, restarts: usize, window: Duration) -> Self {
        check_time("max_restarts", Some(window));
        self.max_restarts = restarts;
        self.restart_window = window;
        self
    }

    /// Sets how many workers may die before they are *ready* within any span of `window`, all
    /// workers taken together, before the supervisor gives up. Default 10 for each worker,
    /// within 60 seconds. Replacements of a worker that goes on serving do not count.
    ///
    /// # Panics
    ///
    /// If `window` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall_runtime::process::ForkOptions;
    ///
    /// // What does not start at once never will.
    /// let once = ForkOptions::new().max_failed_starts(0, Duration::from_secs(60));
    /// once.fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_failed_starts(mut self, starts: usize, window: Duration) -> Self {
        check_time("max_failed_starts", Some(window));
        self.failed_starts = Some((starts, window));
        self
    }

    pub(in crate::process) fn failed_starts(&self, workers: usize) -> (usize, Duration) {
        let most = MAX_FAILED_STARTS.saturating_mul(workers);
        self.failed_starts.unwrap_or((most, RESTART_WINDOW))
    }

    /// Sets within which time a worker must be *ready*; one that is not is killed, which counts
    /// as a death. Default `None`: no limit, for a worker that runs no loop never is.
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().start_timeout(Duration::from_secs(60)).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn start_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        check_time("start_timeout", timeout);
        self.start_timeout = Some(timeout);
        self
    }

    /// Sets how long workers that were asked to stop may take before they are killed. Default
    /// 30 seconds, or what [`default_timeouts`](Self::default_timeouts) says: an HTTP server has its
    /// `drain_delay`, its `shutdown_timeout` and 5 seconds. One that is shorter than those kills
    /// workers that are [finishing their requests](crate::process#running-it); zero kills them at once.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Sets [`start_timeout`](Self::start_timeout) and [`stop_timeout`](Self::stop_timeout) where
    /// they were not set: for the upper layer, which knows what its workers do.
    ///
    /// # Panics
    ///
    /// If `start` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall_runtime::process::ForkOptions;
    ///
    /// fn start(options: ForkOptions) -> std::io::Result<usize> {
    ///     let minute = Duration::from_secs(60);
    ///     options.default_timeouts(minute, minute).fork_processes()
    /// }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn default_timeouts(mut self, start: Duration, stop: Duration) -> Self {
        check_time("default_timeouts", Some(start));
        self.start_timeout.get_or_insert(Some(start));
        self.stop_timeout.get_or_insert(stop);
        self
    }

    /// How long a worker may take to be ready.
    pub(in crate::process) fn start_limit(&self) -> Option<Duration> {
        self.start_timeout.flatten()
    }

    /// How long one may take to end.
    pub(in crate::process) fn stop_limit(&self) -> Duration {
        self.stop_timeout.unwrap_or(STOP_TIMEOUT)
    }

    /// Sets how long a turn of a worker's loop may last. One that lasts longer will not end: the
    /// worker is replaced, and the log says what it was doing. Default 30 seconds; `None` lets it
    /// hang.
    ///
    /// Time in which the worker could not run does not count: while it is suspended by a signal or a
    /// debugger, or while the supervisor cannot run either, as in a container that is paused.
    ///
    /// It does not apply to a worker that was told to stop, which has its
    /// [`stop_timeout`](Self::stop_timeout), nor to one that was suspended by `SIGSTOP`: that is not
    /// replaced, and others serve its listeners until it goes on.
    ///
    /// **What is had of it.** The log names the request that it serves, by its route, the line that
    /// spawned the task that runs, and whether the process runs, sleeps, or waits for the system,
    /// and for what. Then the worker is sent `SIGABRT`, by which the system writes a core file where
    /// it is set up to (`ulimit -c unlimited`, `LimitCORE=infinity`), and is killed if that takes
    /// longer than [`stop_timeout`](Self::stop_timeout). The file has the stack: `coredumpctl debug`, or `gdb program core`.
    /// The line that hangs is nowhere else: a thread cannot look at its own stack in the handler of
    /// a signal, for it may hold the very locks that takes, and a debugger that looks from outside
    /// holds up the supervisor for seconds.
    ///
    /// After a change of [`user`](Self::user), the system neither writes the file
    /// (`fs.suid_dumpable`) nor tells what the process waits for.
    ///
    /// Long before that, others serve its listeners: see [`adopt_after`](Self::adopt_after).
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// // Tasks that compute for minutes, and should rather be in `run_in_executor`.
    /// ForkOptions::new().stall_timeout(None).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn stall_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.stall_timeout = timeout.into();
        check_time("stall_timeout", self.stall_timeout);
        self
    }

    /// Sets how long a turn of a worker's loop may last before another worker serves its listeners
    /// as well, so that only who has connected before waits. Default 300 milliseconds; `None`:
    /// whoever is sent to it waits for it.
    ///
    /// It is looked at every 250 milliseconds, so that with the default somebody who connects to a
    /// worker that hangs is accepted after little more than half a second. It needs workers that
    /// ask for what they [adopt](crate::Sockets::adoptions).
    ///
    /// # Panics
    ///
    /// If `stall` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall_runtime::process::ForkOptions;
    ///
    /// // Turns of two seconds are nothing special here.
    /// ForkOptions::new().adopt_after(Duration::from_secs(3)).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn adopt_after(mut self, stall: impl Into<Option<Duration>>) -> Self {
        self.adopt_after = stall.into();
        check_time("adopt_after", self.adopt_after);
        self
    }

    /// Sets how much memory a worker may have, in bytes that are not swapped out; one that has
    /// more is replaced: it ends gracefully once the new one is ready. What the workers share,
    /// such as the program itself, counts in each. Default `None`: no limit. It is looked at
    /// every 5 seconds, on Linux, and each worker's limit is lower by a share of up to an eighth,
    /// so that not all are replaced at the same time.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0: every worker has more.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().max_memory(512 << 20).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_memory(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.max_memory = bytes.into();
        assert!(self.max_memory != Some(0), "`ForkOptions::max_memory` must be at least 1 byte");
        self
    }
}
