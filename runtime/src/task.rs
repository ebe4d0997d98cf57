//! A task: await it, cancel it by dropping it, or detach it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::executor::TaskHandle;

pub use crate::executor::JoinError;

/// A spawned task. Awaiting it returns the output of its future.
///
/// Dropping it cancels the task. The loop drops the future of the task at the latest in its next
/// turn. [`detach`](Self::detach) lets the task run on by itself.
///
/// # Examples
///
/// ```
/// use squall_runtime::IOLoop;
///
/// let io_loop = IOLoop::current();
/// let sum = io_loop.run_sync(async {
///     let task = IOLoop::current().spawn(async { 1 + 2 });
///     task.await
/// })?;
/// assert_eq!(sum.unwrap(), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a task is cancelled when it is dropped: await it, or call `detach`"]
pub struct Task<T>(pub(crate) TaskHandle<T>);

impl<T> Task<T> {
    /// Lets the task run on without a handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// IOLoop::current().spawn(async { println!("some time") }).detach();
    /// ```
    pub fn detach(self) {
        self.0.detach();
    }

    /// Cancels the task and waits until its future is dropped. Returns the output if the task was
    /// already done, and `None` if it was not done or had panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use squall_runtime::IOLoop;
    ///
    /// let output = IOLoop::current().run_sync(async {
    ///     IOLoop::current().spawn(pending::<u32>()).cancel().await
    /// })?;
    /// assert_eq!(output, None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn cancel(self) -> Option<T> {
        self.0.cancel().await
    }

    /// Returns whether the task has ended: it has an output, was cancelled, or panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// assert!(!IOLoop::current().spawn(async {}).is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Lets other tasks, timers and sockets run before it continues.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, yield_now};
///
/// IOLoop::current().run_sync(async {
///     for part in 0..3 {
///         // ... some work ...
///         yield_now().await;
///     }
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
