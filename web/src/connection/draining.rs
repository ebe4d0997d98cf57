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
    waiting: RefCell<Waiting>,
}

/// The tasks that wait. The index of each is its key.
#[derive(Default)]
struct Waiting {
    wakers: Vec<Option<Waker>>,
    vacant: Vec<u32>,
}

impl Waiting {
    /// Returns a vacant place.
    fn place(&mut self) -> u32 {
        self.vacant.pop().unwrap_or_else(|| {
            self.wakers.push(None);
            // A process has fewer than 2³² tasks.
            (self.wakers.len() - 1) as u32
        })
    }
}

impl Drain {
    /// The reason, if the shutdown has begun.
    pub(super) fn reason(&self) -> Option<DrainReason> {
        self.reason.get()
    }

    /// Begins the shutdown, and wakes all tasks that wait for it.
    pub(super) fn begin(&self, reason: DrainReason) {
        self.reason.set(Some(reason));
        let wakers = &mut self.waiting.borrow_mut().wakers;
        let wakers: Vec<_> = wakers.iter_mut().filter_map(Option::take).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns a future that waits for the shutdown.
    pub(super) fn wait(self: &Rc<Self>) -> Draining {
        Draining { drain: Rc::clone(self), key: None }
    }

    /// Stores the waker of the future with this key, which gets one if it has none.
    fn store(&self, key: &mut Option<u32>, task: &TaskContext<'_>) {
        let replaced = {
            let mut waiting = self.waiting.borrow_mut();
            let key = *key.get_or_insert_with(|| waiting.place());
            let stored = &mut waiting.wakers[key as usize];
            if stored.as_ref().is_some_and(|waker| waker.will_wake(task.waker())) {
                return;
            }
            stored.replace(task.waker().clone())
        };
        // Dropping a waker can drop its task and with it another `Draining`, which borrows the
        // list.
        drop(replaced);
    }

    fn forget(&self, key: u32) {
        let forgotten = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.vacant.push(key);
            waiting.wakers[key as usize].take()
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
    /// Its place in the list, once it was polled.
    key: Option<u32>,
}

impl Future for Draining {
    type Output = DrainReason;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<DrainReason> {
        if let Some(reason) = self.drain.reason() {
            return Poll::Ready(reason);
        }
        let this = &mut *self;
        this.drain.store(&mut this.key, task);
        Poll::Pending
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.drain.forget(key);
        }
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

    /// How many tasks wait.
    fn count(drain: &Drain) -> usize {
        drain.waiting.borrow().wakers.iter().flatten().count()
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
        assert_eq!(count(&drain), 1, "the first waker took the other with it");
        keep_another();
        drop(draining);
        assert_eq!(count(&drain), 0);
    }

    #[test]
    fn freed_places_are_reused_and_all_tasks_are_woken() {
        let drain = Rc::new(Drain::default());
        let mut all: Vec<_> = (0..3).map(|_| drain.wait()).collect();
        all.iter_mut().for_each(|draining| poll(draining, Waker::noop()));
        drop(all.remove(1));
        let mut last = drain.wait();
        poll(&mut last, Waker::noop());
        poll(&mut last, Waker::noop());
        assert_eq!((count(&drain), drain.waiting.borrow().wakers.len()), (3, 3));
        drain.begin(DrainReason::Restart);
        assert_eq!(count(&drain), 0);
        let ready = Pin::new(&mut last).poll(&mut TaskContext::from_waker(Waker::noop()));
        assert_eq!(ready, Poll::Ready(DrainReason::Restart));
    }
}
