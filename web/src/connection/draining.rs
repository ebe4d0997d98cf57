use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::worker::Worker;

/// Whether the server has begun to end, and who wants to know.
#[derive(Default)]
pub(super) struct Drain {
    has_begun: Cell<bool>,
    waiting: RefCell<Vec<(u64, Waker)>>,
    next: Cell<u64>,
}

impl Drain {
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    pub(super) fn begin(&self) {
        self.has_begun.set(true);
        self.waiting.take().into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Replaces the waker of who waits as `key`.
    fn wait(&self, key: u64, task: &TaskContext<'_>) {
        let waker = task.waker().clone();
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|waiting| waiting.0 == key) {
            Some(place) => place.1 = waker,
            None => waiting.push((key, waker)),
        }
    }
}

/// Waits until the server has begun to end: see [`Context::draining`](crate::Context::draining).
pub struct Draining {
    worker: Rc<Worker>,
    key: u64,
}

impl Draining {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        let key = worker.drain.next.get();
        worker.drain.next.set(key + 1);
        Self { worker: Rc::clone(worker), key }
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let drain = &self.worker.drain;
        if drain.has_begun() {
            return Poll::Ready(());
        }
        drain.wait(self.key, task);
        Poll::Pending
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.worker.drain.waiting.borrow_mut().retain(|waiting| waiting.0 != self.key);
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").finish_non_exhaustive()
    }
}
