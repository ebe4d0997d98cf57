//! The graceful shutdown as handlers and upgraded connections await it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

/// Whether the graceful shutdown of a server has begun, and the tasks that wait for it.
#[derive(Default)]
pub(super) struct Drain {
    reason: Cell<Option<DrainReason>>,
    waiting: RefCell<Vec<(u64, Waker)>>,
    next_key: Cell<u64>,
}

impl Drain {
    /// The reason, if the shutdown has begun.
    pub(super) fn reason(&self) -> Option<DrainReason> {
        self.reason.get()
    }

    /// Begins the shutdown, and wakes all tasks that wait for it.
    pub(super) fn begin(&self, reason: DrainReason) {
        self.reason.set(Some(reason));
        self.waiting.take().into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Returns a future that waits for the shutdown.
    pub(super) fn wait(self: &Rc<Self>) -> Draining {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        Draining { drain: Rc::clone(self), key }
    }

    /// Stores the waker of the future with this key.
    fn store(&self, key: u64, task: &TaskContext<'_>) {
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
        // Dropping a waker can drop its task and with it another `Draining`, which borrows the
        // list.
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

/// The reason for the graceful shutdown of a process.
///
/// [`Context::draining`](crate::Context::draining) and
/// [`HTTPServer::on_drain`](crate::HTTPServer::on_drain) report it.
///
/// # Examples
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
    /// The whole server shuts down, because of a signal.
    Shutdown,
    /// This worker ends and others continue: after a reload, an upgrade of the program, a reduction
    /// of workers, or the last request that a worker may serve. A client that reconnects at once is
    /// served.
    Restart,
}

impl DrainReason {
    /// Returns the code with which to close a WebSocket: 1001, going away (RFC 6455 §7.4.1), or
    /// 1012, service restart (IANA registry).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::Upgraded;
    ///
    /// async fn chat(stream: Upgraded) {
    ///     // Beside reading and writing.
    ///     let code = stream.draining().await.close_code();
    ///     // Send a close frame with `code`, and wait for the client's.
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

/// Waits until the graceful shutdown begins. Returned by
/// [`Context::draining`](crate::Context::draining) and
/// [`Upgraded::draining`](crate::Upgraded::draining).
pub struct Draining {
    drain: Rc<Drain>,
    key: u64,
}

impl Future for Draining {
    type Output = DrainReason;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<DrainReason> {
        if let Some(reason) = self.drain.reason() {
            return Poll::Ready(reason);
        }
        self.drain.store(self.key, task);
        Poll::Pending
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.drain.forget(self.key);
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

    thread_local! {
        static KEPT: RefCell<Vec<Draining>> = const { RefCell::new(Vec::new()) };
    }

    /// A waker that owns another `Draining`, as the waker of a task does that owns both.
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
    fn dropping_a_waker_may_drop_another_waiting_future() {
        let drain = Rc::new(Drain::default());
        let keep_another = || {
            let mut other = drain.wait();
            poll(&mut other, Waker::noop());
            KEPT.with_borrow_mut(|kept| kept.push(other));
        };
        let mut draining = drain.wait();
        poll(&mut draining, &Waker::from(Arc::new(Holds)));
        keep_another();
        poll(&mut draining, &Waker::from(Arc::new(Holds)));
        assert_eq!(drain.waiting.borrow().len(), 1, "the first waker took the other with it");
        keep_another();
        drop(draining);
        assert!(drain.waiting.borrow().is_empty());
    }
}
