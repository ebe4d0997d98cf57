//! Limits of the supervision: deaths, time, memory.

use std::time::Duration;

use super::ForkOptions;

/// Rejects a time of zero, which no worker could keep.
#[track_caller]
pub(in crate::process) fn check_time(setting: &str, time: Option<Duration>) {
    assert!(time != Some(Duration::ZERO), "`ForkOptions::{setting}` must be longer than zero");
}

/// A bug in one request of a thousand must not end a server, and neither must a test that kills
/// workers at random. A worker that dies at once does not keep the machine busy either, because its
/// replacement waits.
pub(super) const MAX_RESTARTS: usize = 1000;

/// See [`MAX_RESTARTS`].
pub(super) const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// For each worker. With the delays between them, this takes about 15 seconds.
const MAX_FAILED_STARTS: usize = 10;

/// About the time that service managers allow a service before they kill it.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than a turn of a well-behaved loop, and short enough for a client that has just
/// connected.
pub(super) const ADOPT_AFTER: Duration = Duration::from_millis(300);

/// The time that other servers with one process per worker give a request.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Limits of the supervision.
impl ForkOptions {
    /// Sets how many workers that have died may be replaced within `window`, all workers taken
    /// together, before the supervisor gives up. Default: 1000 within 60 seconds. A replacement
    /// that dies while the worker it should replace still serves does not count.
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

    /// Sets how many workers may die before they are *ready* within `window`, all workers taken
    /// together, before the supervisor gives up. Default: 10 for each worker, within 60 seconds. A
    /// replacement that dies while the worker it should replace still serves does not count.
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

    /// Sets how soon a worker must be *ready*. A worker that is not ready in time is killed, which
    /// counts as a death. Default: `None`, no limit, because a worker that runs no loop is never
    /// ready.
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

    /// Sets how long a worker may take to stop before it is killed. Default: 30 seconds, or the
    /// time of [`default_timeouts`](Self::default_timeouts): an HTTP server sets its `drain_delay`,
    /// its `shutdown_timeout` and 5 seconds. A shorter time kills workers that are [finishing their
    /// requests](crate::process#running-it). Zero kills them at once.
    ///
    /// # Examples
    ///
    /// See [`ForkOptions`].
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Sets [`start_timeout`](Self::start_timeout) and [`stop_timeout`](Self::stop_timeout) unless
    /// they have been set. It is meant for a framework, which knows the work of its workers.
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

    /// Returns how long a worker may take to be ready.
    pub(in crate::process) fn start_limit(&self) -> Option<Duration> {
        self.start_timeout.flatten()
    }

    /// Returns how long a worker may take to end.
    pub(in crate::process) fn stop_limit(&self) -> Duration {
        self.stop_timeout.unwrap_or(STOP_TIMEOUT)
    }

    /// Sets how long a turn of a worker's loop may last. If a turn lasts longer, the supervisor
    /// replaces the worker, and the log says what the worker was doing. Default: 30 seconds. With
    /// `None`, a worker may hang for ever.
    ///
    /// Time in which the worker could not run does not count: while it is suspended by a signal or
    /// a debugger, or while the supervisor cannot run either, as in a container that is paused.
    ///
    /// The limit does not apply to a worker that is stopping, which has its
    /// [`stop_timeout`](Self::stop_timeout), nor to a worker that was suspended by `SIGSTOP`. A
    /// suspended worker is not replaced, and others serve its listeners until it continues.
    ///
    /// **Finding the cause.** The log names the route of the request, the line that spawned the
    /// running task, and the state of the process: running, sleeping, or waiting in a system call.
    /// Then the worker receives `SIGABRT`. The kernel writes a core file if core files are enabled
    /// (`ulimit -c unlimited`, `LimitCORE=infinity`); read the stack with `coredumpctl debug`, or
    /// `gdb program core`. A worker that takes longer than [`stop_timeout`](Self::stop_timeout) to
    /// abort is killed. The log has no backtrace: a signal handler cannot safely walk its own
    /// stack, because the thread may hold the locks that this takes, and a debugger would stop the
    /// supervisor for seconds.
    ///
    /// After a change of [`user`](Self::user), the kernel does not write the core file
    /// (`fs.suid_dumpable`), and does not show the system call.
    ///
    /// Other workers serve its listeners long before that: see [`adopt_after`](Self::adopt_after).
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
    /// as well. Then only clients that had connected before wait. Default: 300 milliseconds. With
    /// `None`, new clients of a worker that hangs wait for it.
    ///
    /// The supervisor checks every 250 milliseconds. With the default, a client that connects to a
    /// worker that hangs is accepted after a little more than half a second. This needs workers
    /// that [adopt](crate::Sockets::adoptions) listeners.
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

    /// Sets how much memory a worker may have, in bytes that are not swapped out. A worker that has
    /// more is replaced, and ends gracefully once the new one is ready. Memory that workers share,
    /// such as the program itself, counts for each of them. Default: `None`, no limit. On Linux,
    /// the supervisor checks every 5 seconds. Each worker's limit is lower by up to an eighth, so
    /// that they are not all replaced at the same time.
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
