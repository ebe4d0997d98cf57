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
        let replaced = {
            let mut waiting = self.waiting.borrow_mut();
            match waiting.iter_mut().find(|waiting| waiting.0 == key) {
                Some(place) => Some(std::mem::replace(&mut place.1, waker)),
                None => {
                    waiting.push((key, waker));
                    None
                }
            }
        };
        // With it may go a task, and with that another who waits.
        drop(replaced);
    }

    fn forget(&self, key: u64) {
        let forgotten = {
            let mut waiting = self.waiting.borrow_mut();
            let place = waiting.iter().position(|waiting| waiting.0 == key);
            place.map(|place| waiting.swap_remove(place))
        };
        drop(forgotten);
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
        self.worker.drain.forget(self.key);
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::scoreboard::recorder::Recorder;
    use crate::settings::Settings;

    thread_local! {
        static KEPT: RefCell<Vec<Draining>> = const { RefCell::new(Vec::new()) };
    }

    /// A waker that holds another who waits, as that of a task does which holds both.
    struct Holds;

    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Holds {
        fn drop(&mut self) {
            let kept = KEPT.with_borrow_mut(Vec::pop);
            drop(kept);
        }
    }

    fn poll(draining: &mut Draining, waker: &Waker) {
        assert!(Pin::new(draining).poll(&mut TaskContext::from_waker(waker)).is_pending());
    }

    #[test]
    fn a_waker_that_goes_may_take_another_with_it() {
        let worker = Rc::new(Worker::new(Settings::default(), Recorder::new(0)));
        let keep_another = || {
            let mut other = Draining::new(&worker);
            poll(&mut other, Waker::noop());
            KEPT.with_borrow_mut(|kept| kept.push(other));
        };
        let mut draining = Draining::new(&worker);
        poll(&mut draining, &Waker::from(Arc::new(Holds)));
        keep_another();
        poll(&mut draining, &Waker::from(Arc::new(Holds)));
        assert_eq!(worker.drain.waiting.borrow().len(), 1, "the other went with the first waker");
        keep_another();
        drop(draining);
        assert!(worker.drain.waiting.borrow().is_empty());
    }
}
