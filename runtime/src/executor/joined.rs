//! A task that somebody may wait for, or cancel.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::caught::{caught, report};
use super::join_error::JoinError;
use super::remote::{Message, Remote};
use super::{LOCAL, is_home};

/// What a task and who waits for it share.
struct Joint<T> {
    remote: Arc<Remote>,
    /// The number of the task.
    index: u32,
    cancelled: AtomicBool,
    /// Nobody ever waits for it: it is taken for a few instructions.
    end: Mutex<End<T>>,
}

/// The end of a task.
struct End<T> {
    output: Option<Result<T, JoinError>>,
    has_come: bool,
    waits: Option<Waker>,
}

impl<T> Joint<T> {
    fn end(&self) -> MutexGuard<'_, End<T>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task has ended, and its future is dropped.
    fn finish(&self, output: Result<T, JoinError>) {
        let mut end = self.end();
        if end.has_come {
            return;
        }
        end.has_come = true;
        end.output = Some(output);
        let waits = end.waits.take();
        drop(end);
        waits.into_iter().for_each(Waker::wake);
    }
}

/// The end of a task that is not the task's own.
pub(crate) struct TaskHandle<T> {
    joint: Arc<Joint<T>>,
    detached: bool,
}

impl<T> TaskHandle<T> {
    pub(crate) fn detach(mut self) {
        self.detached = true;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.joint.end().has_come
    }

    /// Has the loop drop the task's future when it comes to it.
    pub(crate) fn cancel(&self) {
        if self.is_finished() || self.joint.cancelled.swap(true, Ordering::AcqRel) {
            return;
        }
        let (remote, index) = (&self.joint.remote, self.joint.index);
        if is_home(remote) {
            LOCAL.with(|local| local.wake(index));
        } else {
            remote.send(Message::Look(index));
        }
    }

    /// Ready when the task has ended, and its future is dropped.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut end = self.joint.end();
        if end.has_come {
            return Poll::Ready(end.output.take().unwrap_or(Err(JoinError::CANCELLED)));
        }
        if end.waits.as_ref().is_some_and(|waits| waits.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        drop(end);
        // Wakers are cloned and dropped while nothing is locked: both may run anybody's code.
        let waker = cx.waker().clone();
        let mut end = self.joint.end();
        if end.has_come {
            return Poll::Ready(end.output.take().unwrap_or(Err(JoinError::CANCELLED)));
        }
        let before = end.waits.replace(waker);
        drop(end);
        drop(before);
        Poll::Pending
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        if !self.detached {
            self.cancel();
        }
    }
}

pin_project! {
    /// Runs `F` until it ends or is cancelled, and tells how it ended.
    pub(super) struct Joined<F: Future> {
        joint: Arc<Joint<F::Output>>,
        // Empty once it has ended.
        #[pin]
        future: Option<F>,
    }

    impl<F: Future> PinnedDrop for Joined<F> {
        fn drop(this: Pin<&mut Self>) {
            this.end(Err(JoinError::CANCELLED));
        }
    }
}

impl<F: Future> Joined<F> {
    /// The task with this number: what runs, and what waits for it.
    pub(super) fn new(
        remote: &Arc<Remote>,
        index: u32,
        future: F,
    ) -> (Self, TaskHandle<F::Output>) {
        let joint = Arc::new(Joint {
            remote: Arc::clone(remote),
            index,
            cancelled: AtomicBool::new(false),
            end: Mutex::new(End { output: None, has_come: false, waits: None }),
        });
        let handle = TaskHandle { joint: Arc::clone(&joint), detached: false };
        (Self { joint, future: Some(future) }, handle)
    }

    fn end(self: Pin<&mut Self>, output: Result<F::Output, JoinError>) {
        let mut this = self.project();
        caught(|| this.future.set(None));
        this.joint.finish(output);
    }
}

impl<F: Future> Future for Joined<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Ready(());
        };
        if this.joint.cancelled.load(Ordering::Acquire) {
            self.end(Err(JoinError::CANCELLED));
            return Poll::Ready(());
        }
        let output = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => {
                report(&*payload);
                Err(JoinError::panicked(payload))
            }
        };
        self.end(output);
        Poll::Ready(())
    }
}
