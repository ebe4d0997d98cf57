//! What wakes a task, from any thread.
//!
//! Most tasks wait for a descriptor or a timer, where they are known by their number ([`Waiter`]),
//! and their waker is looked at but never kept. So all of them are polled with the same waker, one
//! after the other, until one of them does keep it: then it is that task's as long as it is kept,
//! and the others get another.
//!
//! [`Waiter`]: super::Waiter

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::task::{Wake, Waker};

use super::remote::{Message, Remote};
use super::wake::Sent;
use super::{LOCAL, is_home};
use crate::slab::NONE;

/// Wakes the task with a number. If that is gone, another one may have its number by now: that is
/// woken for nothing, which tasks have to bear anyway.
pub(crate) struct TaskWaker {
    remote: Arc<Remote>,
    index: AtomicU32,
    sent: Sent,
}

impl TaskWaker {
    fn new(remote: &Arc<Remote>) -> Self {
        Self { remote: Arc::clone(remote), index: AtomicU32::new(NONE), sent: Sent::new() }
    }

    fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }

    /// The message has come home. Returns the number of the task that is to be woken.
    pub(super) fn received(&self) -> u32 {
        self.sent.received();
        self.index()
    }

    /// Only the first of many that wake a task before the loop looks has to send anything.
    #[cold]
    fn send_home(self: Arc<Self>) {
        if self.sent.send() {
            let remote = Arc::clone(&self.remote);
            remote.send(Message::Wake(self));
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if is_home(&self.remote) {
            LOCAL.with(|local| local.wake(self.index()));
        } else {
            self.send_home();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if is_home(&self.remote) {
            LOCAL.with(|local| local.wake(self.index()));
        } else {
            Self::send_home(Arc::clone(self));
        }
    }
}

/// A waker that tasks are polled with, until one of them keeps it.
pub(super) struct Lent {
    shared: Arc<TaskWaker>,
    waker: Waker,
}

/// As many as `Lent` itself holds.
const OWN: usize = 2;

impl Lent {
    pub(super) fn new(remote: &Arc<Remote>) -> Self {
        let shared = Arc::new(TaskWaker::new(remote));
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// From here on it wakes this task.
    #[inline]
    pub(super) fn lend(&self, index: u32) {
        // Who has kept it until a moment ago is to be done with what it said before.
        fence(Ordering::Acquire);
        self.shared.index.store(index, Ordering::Relaxed);
    }

    /// Whether the task that was polled last has kept it.
    #[inline]
    pub(super) fn is_kept(&self) -> bool {
        Arc::strong_count(&self.shared) > OWN
    }

    /// Leaves it to that task, and gets another for the others.
    #[cold]
    pub(super) fn leave(&mut self) -> Self {
        let next = Self::new(&self.shared.remote);
        std::mem::replace(self, next)
    }
}
