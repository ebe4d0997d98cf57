//! What other threads may do with a loop: put a message into its queue and wake it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::SegQueue;

use super::Runnable;
use super::late::drop_late;
use super::wake::Signal;

/// The part of a loop that other threads hold on to. It may outlive the loop.
pub(crate) struct Remote {
    queue: SegQueue<Message>,
    pub(super) signal: Signal,
    /// Written to when the loop sleeps. Empty until the loop first has something to sleep on.
    bell: OnceLock<OwnedFd>,
    /// The loop is about to end: no more callbacks are taken.
    refuses_callbacks: AtomicBool,
    /// The loop has ended, and receives nothing.
    closed: AtomicBool,
}

pub(crate) enum Message {
    /// A task that was woken by another thread. It is run, and dropped, at home only.
    Run(Runnable),
    Call(Box<dyn FnOnce() + Send>, &'static Location<'static>),
}

impl Remote {
    pub(crate) fn new() -> Self {
        Self {
            queue: SegQueue::new(),
            signal: Signal::new(),
            bell: OnceLock::new(),
            refuses_callbacks: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Puts `message` into the loop's queue, and wakes the loop if it sleeps.
    pub(crate) fn send(&self, message: Message) {
        self.queue.push(message);
        self.wake();
        if self.is_closed() {
            self.clear();
        }
    }

    /// Drops what nobody will receive any more. A message may own what owns this queue.
    pub(crate) fn clear(&self) {
        while let Some(message) = self.receive() {
            drop_late(message);
        }
    }

    /// Makes the loop look around if it sleeps, or not fall asleep.
    pub(crate) fn wake(&self) {
        if self.signal.announce() {
            self.ring();
        }
    }

    /// Takes the next message, if there is one.
    pub(crate) fn receive(&self) -> Option<Message> {
        self.queue.pop()
    }

    pub(crate) fn hang_bell(&self, bell: OwnedFd) {
        drop(self.bell.set(bell));
    }

    pub(crate) fn refuse_callbacks(&self) {
        self.refuses_callbacks.store(true, Ordering::SeqCst);
    }

    pub(crate) fn refuses_callbacks(&self) -> bool {
        self.refuses_callbacks.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    #[cold]
    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            // An eventfd wants eight bytes, a pipe does not care. The only error possible is that
            // the pipe is full, and then the loop will wake up anyway.
            let _full = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("waiting", &self.queue.len())
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}
