//! The way of a job into the pool, and of its result back.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::thread;

use super::{Job, ThreadPool, ThreadPoolError};

/// The result of a job, its panic, or why it did not run.
type Outcome<T> = Result<thread::Result<T>, ThreadPoolError>;

/// A submitted job. As a future, it returns the outcome of the job. Dropping it cancels a job that
/// no thread has begun.
pub(crate) struct Submission<T, P> {
    pool: ThreadPool,
    slot: Arc<Slot<T>>,
    place: Place<P>,
}

enum Place<P> {
    /// The queue was full. `P` makes the job when the future is polled.
    Outside(P),
    /// The job has this ticket.
    Inside(u64),
    Done,
}

impl<T, P: FnOnce() -> Job> Submission<T, P> {
    pub(super) fn new(pool: ThreadPool, slot: Arc<Slot<T>>, pack: P) -> Self {
        let place = match pool.has_room() {
            true => Place::Inside(pool.push(pack())),
            false => Place::Outside(pack),
        };
        Self { pool, slot, place }
    }
}

/// No field is pinned.
impl<T, P> Unpin for Submission<T, P> {}

impl<T, P: FnOnce() -> Job> Future for Submission<T, P> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        if let Place::Outside(_) = self.place
            && let Place::Outside(pack) = std::mem::replace(&mut self.place, Place::Done)
        {
            self.place = Place::Inside(self.pool.push(pack()));
        }
        let outcome = ready!(self.slot.poll(cx));
        self.place = Place::Done;
        Poll::Ready(outcome)
    }
}

impl<T, P> Drop for Submission<T, P> {
    fn drop(&mut self) {
        if let Place::Inside(ticket) = self.place {
            self.pool.cancel(ticket);
        }
    }
}

/// Where a thread of the pool stores the outcome.
pub(super) struct Slot<T>(Mutex<Answer<T>>);

struct Answer<T> {
    outcome: Option<Outcome<T>>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    pub(super) fn fill(&self, outcome: Outcome<T>) {
        let mut answer = self.lock();
        answer.outcome = Some(outcome);
        let waker = answer.waker.take();
        drop(answer);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        if let Some(outcome) = self.lock().outcome.take() {
            return Poll::Ready(outcome);
        }
        // Wakers are cloned and dropped outside of the lock, because both may run foreign code.
        let waker = cx.waker().clone();
        let mut answer = self.lock();
        if let Some(outcome) = answer.outcome.take() {
            return Poll::Ready(outcome);
        }
        let before = answer.waker.replace(waker);
        drop(answer);
        drop(before);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Answer<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(Answer { outcome: None, waker: None }))
    }
}
