//! Work that blocks, in threads beside the loop.

use std::future::pending;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_lite::FutureExt;

use crate::IOLoop;

impl IOLoop {
    /// Runs `job` in a thread of a pool, for work that would block the loop: the file system,
    /// a client that knows no `async`, long computations. A trip costs some microseconds.
    ///
    /// The job is handed over at once and the result comes back on the loop's thread. If the
    /// future is dropped before a thread has taken the job up, the job never runs; once it
    /// runs it cannot be stopped. Under
    /// [virtual time](Self::use_virtual_time) the clock stands still until the job is done.
    ///
    /// The pool has up to 500 threads (`BLOCKING_MAX_THREADS` in the environment changes
    /// that), made when needed and ended when idle.
    ///
    /// What it is given has to be `Send`: of the body of a request, make `Bytes` first.
    ///
    /// # Panics
    ///
    /// A panic of the job goes on where the future is awaited: what comes of it is no `Result`.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let sum = io_loop.run_sync(async {
    ///     IOLoop::current().run_in_executor(|| (1..=1_000_000_u64).sum::<u64>()).await
    /// })?;
    /// assert_eq!(sum, 500_000_500_000);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn run_in_executor<T, F>(&self, job: F) -> impl Future<Output = T> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let job = AssertUnwindSafe(blocking::unblock(job)).catch_unwind();
        let clock = self.hold_clock();
        // A task of its own: the clock must go on once the job is done, also while nobody
        // awaits the result yet.
        let done = self.spawn(async move {
            let outcome = job.await;
            drop(clock);
            outcome
        });
        async move {
            match done.await {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => resume_unwind(panic),
                // The loop is going away, and with it whoever waits here.
                Err(_cancelled) => pending().await,
            }
        }
    }
}
