//! The two sides of a task: the future that the loop runs, and the handle for awaiting it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use async_task::FallibleTask;
use pin_project_lite::pin_project;

use super::LOCAL;
use super::caught::{caught, report};
use super::join_error::JoinError;
use super::remote::Remote;
use super::sites::Site;
use super::waiter::Waiter;

/// The name of a task in log lines.
const TASK: &str = "a task";

pin_project! {
    /// The user's future inside a task. It catches panics. `async_task` would pass a panic on to
    /// the loop, and abort the process at a panic of a destructor.
    pub(super) struct Spawned<F> {
        // The number of the task.
        index: u32,
        site: Site,
        // `None` only in `drop`.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Spawned<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            LOCAL.with(|local| {
                // A cancelled task is dropped without being polled.
                local.enter(*this.site);
                caught(TASK, || this.future.set(None));
                let listed = local.tasks.borrow_mut().remove(*this.index);
                drop(listed);
            });
        }
    }
}

impl<F> Spawned<F> {
    pub(super) fn new(index: u32, site: Site, future: F) -> Self {
        Self { index, site, future: Some(future) }
    }
}

impl<F: Future> Future for Spawned<F> {
    type Output = Ended<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Pending;
        };
        LOCAL.with(|local| {
            local.enter(*this.site);
            local.current.set(*this.index, cx.waker());
        });
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ended(Some(Ok(output)))),
            Err(payload) => {
                report(TASK, &*payload);
                Poll::Ready(Ended(Some(Err(JoinError::panicked(payload)))))
            }
        }
    }
}

/// The result of a task. It catches a panic of the output's destructor, at which `async_task` would
/// abort the process.
pub(super) struct Ended<T>(Option<Result<T, JoinError>>);

impl<T> Ended<T> {
    fn into_result(mut self) -> Result<T, JoinError> {
        self.0.take().unwrap_or(Err(JoinError::CANCELLED))
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        if let Some(result) = self.0.take() {
            caught(TASK, || drop(result));
        }
    }
}

/// Awaits the end of a task. Dropping it cancels the task.
pub(crate) struct TaskHandle<T>(FallibleTask<Ended<T>, Arc<Remote>>);

impl<T> TaskHandle<T> {
    pub(super) fn new(task: async_task::Task<Ended<T>, Arc<Remote>>) -> Self {
        Self(task.fallible())
    }

    pub(crate) fn detach(self) {
        self.0.detach();
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Cancels the task and waits until its future is dropped. Returns the output if the task had
    /// already ended.
    pub(crate) async fn cancel(self) -> Option<T> {
        let mut cancelled = pin!(self.0.cancel());
        let ended = poll_fn(|cx| poll_caught(cx, |cx| cancelled.as_mut().poll(cx)));
        ended.await?.into_result().ok()
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, JoinError>;

    /// Returns ready when the task has ended and its future is dropped.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = poll_caught(cx, |cx| Pin::new(&mut self.0).poll(cx));
        ended.map(|ended| ended.map_or(Err(JoinError::CANCELLED), Ended::into_result))
    }
}

/// Calls `poll` with a waker that does not panic. At a panic, `async_task` would abort the process.
fn poll_caught<R>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    if Waiter::of_current_task(cx.waker()).is_some() {
        // The waker of a task runs no user code.
        return poll(cx);
    }
    let waker = Waker::from(Arc::new(CaughtWaker(Some(cx.waker().clone()))));
    poll(&mut Context::from_waker(&waker))
}

/// A waker of another executor. It catches panics. `None` only in `drop`.
struct CaughtWaker(Option<Waker>);

impl Wake for CaughtWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        caught("a waker", || self.0.iter().for_each(Waker::wake_by_ref));
    }
}

impl Drop for CaughtWaker {
    fn drop(&mut self) {
        caught("a waker", || self.0 = None);
    }
}
