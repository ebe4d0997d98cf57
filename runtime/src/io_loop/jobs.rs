//! Jobs that block, on threads of a pool.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::virtual_time::ClockHold;
use super::{CURRENT, IOLoop};
use crate::thread_pool::{ThreadPool, ThreadPoolError};

impl IOLoop {
    /// Runs `job` on a thread of the loop's own pool. This is for work that would block the loop:
    /// the file system, a client without `async`, long computations. A trip costs some
    /// microseconds.
    ///
    /// The call submits the job, and the result returns to the loop's thread. Dropping the future
    /// cancels a job that no thread has begun. A running job cannot be stopped; its result is then
    /// dropped. Under [virtual time](Self::use_virtual_time), the clock does not move until the job
    /// is done.
    ///
    /// The pool has up to 32 threads per loop, and therefore per worker. See [`ThreadPool`] for its
    /// limits and the order of jobs, and [`set_default_executor`](Self::set_default_executor) to
    /// change the number. [`RegularFile`](crate::RegularFile), [`FilePart`](crate::FilePart) and
    /// [`resolve`](crate::resolve) use the same pool. For work that may occupy all threads for
    /// long, use a pool of your own with [`run_in`](Self::run_in).
    ///
    /// `job` and its result must be `Send`. Copy the body of a request into `Bytes` first.
    ///
    /// # Errors
    ///
    /// Fails if the pool has no thread and the kernel refuses it one.
    ///
    /// # Panics
    ///
    /// A panic of the job continues where the future is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let io_loop = IOLoop::current();
    /// let sum = io_loop.run_sync(async {
    ///     IOLoop::current().run_in_executor(|| (1..=1_000_000_u64).sum::<u64>()).await
    /// })??;
    /// assert_eq!(sum, 500_000_500_000);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn run_in_executor<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, ThreadPoolError>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.run_in(&self.default_pool(), job)
    }

    /// Like [`run_in_executor`](Self::run_in_executor), but runs `job` on a thread of `pool`.
    ///
    /// # Errors
    ///
    /// Fails if `pool` has no thread and the kernel refuses it one.
    ///
    /// # Panics
    ///
    /// A panic of the job continues where the future is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, ThreadPool};
    ///
    /// // Slow queries wait for each other, but files do not wait for them.
    /// let database = ThreadPool::new(4);
    /// let row = IOLoop::current().run_sync(async {
    ///     IOLoop::current().run_in(&database, || "a row").await
    /// })??;
    /// assert_eq!(row, "a row");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn run_in<T, F>(
        &self,
        pool: &ThreadPool,
        job: F,
    ) -> impl Future<Output = Result<T, ThreadPoolError>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (holds, remote) = (Arc::clone(&self.0.clock_holds), Arc::clone(&self.0.remote));
        let submission = pool.submit(job, move || ClockHold::new(holds, remote));
        async move {
            match submission.await? {
                Ok(result) => Ok(result),
                Err(panic) => resume_unwind(panic),
            }
        }
    }

    /// Makes `pool` the pool of [`run_in_executor`](Self::run_in_executor), of files and of
    /// [`resolve`](crate::resolve) on this loop. Jobs that were submitted earlier stay in their
    /// pool.
    ///
    /// Each worker has its own loop, so call this after the fork. In a server, that is where the
    /// application is built.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, ThreadPool};
    ///
    /// IOLoop::current().set_default_executor(ThreadPool::new(8));
    /// ```
    pub fn set_default_executor(&self, pool: ThreadPool) {
        drop(self.0.pool.replace(pool));
    }

    fn default_pool(&self) -> ThreadPool {
        self.0.pool.borrow().clone()
    }
}

/// Drops `value` on a thread of the loop's pool, because that may take long. Without a loop or a
/// thread, it is dropped here.
pub(crate) fn drop_in_executor(value: impl Send + 'static) {
    let pool = CURRENT.try_with(|current| current.get().map(IOLoop::default_pool));
    if let Ok(Some(pool)) = pool {
        pool.drop_there(value);
    }
}
