use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::worker::Worker;

/// Whether the server has begun to end, and who wants to know.
#[derive(Default)]
pub(super) struct Drain {
    begun: Cell<Option<DrainReason>>,
    waiting: RefCell<Vec<(u64, Waker)>>,
    next: Cell<u64>,
}

impl Drain {
    /// Why it has begun, if it has.
    pub(super) fn begun(&self) -> Option<DrainReason> {
        self.begun.get()
    }

    pub(super) fn begin(&self, reason: DrainReason) {
        self.begun.set(Some(reason));
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

/// Why a process that serves ends gracefully: told by
/// [`Context::draining`](crate::Context::draining) and
/// [`HTTPServer::on_drain`](crate::HTTPServer::on_drain).
///
/// ```
/// use squall::DrainReason;
///
/// assert_eq!(DrainReason::Shutdown.close_code(), 1001);
/// assert_eq!(DrainReason::Restart.close_code(), 1012);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DrainReason {
    /// The server ends: it was told to by a signal.
    Shutdown,
    /// This worker ends, and others serve on: a reload, a new version of the program, fewer workers,
    /// or one that has served enough. Who connects again at once is served.
    Restart,
}

impl DrainReason {
    /// The code with which a WebSocket is closed for this reason: 1001, going away (RFC 6455
    /// §7.4.1), or 1012, service restart (the registry of IANA).
    ///
    /// ```
    /// use squall::Upgraded;
    ///
    /// async fn chat(stream: Upgraded) {
    ///     // Beside reading and writing.
    ///     let code = stream.draining().await.close_code();
    ///     // Send a close frame with `code`, and wait for that of the client.
    /// }
    /// ```
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Shutdown => 1001,
            Self::Restart => 1012,
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
    type Output = DrainReason;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<DrainReason> {
        let drain = &self.worker.drain;
        if let Some(reason) = drain.begun() {
            return Poll::Ready(reason);
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
    use crate::connection::settings::Settings;
    use crate::scoreboard::recorder::Recorder;

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
