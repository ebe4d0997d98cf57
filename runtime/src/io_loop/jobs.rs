//! Jobs that block, in the threads of a pool beside the loop.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::virtual_time::ClockHold;
use super::{CURRENT, IOLoop};
use crate::thread_pool::{ThreadPool, ThreadPoolError};

impl IOLoop {
    /// Runs `job` in a thread of the loop's own pool, for work that would block the loop: the file
    /// system, a client that knows no `async`, long computations. A trip costs some microseconds.
    ///
    /// The call submits the job, and the result comes back on the loop's thread. Dropping the future
    /// cancels a job that no thread has begun; a job that has begun cannot be stopped, and its result
    /// is dropped. Under [virtual time](Self::use_virtual_time) the clock does not move until the
    /// job is done.
    ///
    /// The pool has up to 32 threads per loop, and so per worker: see [`ThreadPool`] for its limits
    /// and the order of jobs, and [`set_default_executor`](Self::set_default_executor) for another
    /// number. [`RegularFile`](crate::RegularFile), [`FilePart`](crate::FilePart) and
    /// [`resolve`](crate::resolve) use the same pool. For work that may take all threads for long,
    /// use a pool of your own with [`run_in`](Self::run_in).
    ///
    /// `job` and its result have to be `Send`: of the body of a request, make `Bytes` first.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses the pool a thread and the pool has none.
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

    /// Runs `job` in a thread of `pool`. Otherwise like [`run_in_executor`](Self::run_in_executor).
    ///
    /// # Errors
    ///
    /// Fails if the system refuses `pool` a thread and `pool` has none.
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
    /// // Slow queries wait for each other, and files for none of them.
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
    /// [`resolve`](crate::resolve) on this loop. Jobs that were submitted before stay where they are.
    ///
    /// Each worker has a loop of its own, so call this after the fork: for a server, where the
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

/// Drops `value` in a thread of the pool of this thread's loop, for what takes long to drop. If there
/// is no loop or no thread, it is dropped here.
pub(crate) fn drop_in_executor(value: impl Send + 'static) {
    let pool = CURRENT.try_with(|current| current.get().map(IOLoop::default_pool));
    if let Ok(Some(pool)) = pool {
        pool.drop_there(value);
    }
}
