//! The part of a loop that other threads use: they send it messages and wake it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::SegQueue;

use super::Runnable;
use super::caught::drop_late;
use super::wake::Signal;

/// The part of a loop that other threads hold. It may outlive the loop.
pub(crate) struct Remote {
    queue: SegQueue<Message>,
    pub(super) signal: Signal,
    /// Other threads write to it when the loop sleeps. Empty until the loop first has a reactor.
    bell: OnceLock<OwnedFd>,
    /// The loop is about to end and accepts no more callbacks.
    refuses_callbacks: AtomicBool,
    /// The loop has ended and receives nothing.
    closed: AtomicBool,
}

pub(crate) enum Message {
    /// A task that another thread woke. Only the loop's thread runs and drops it.
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

    /// Drops the messages that the loop will not receive. A message may own an owner of this queue.
    pub(crate) fn clear(&self) {
        while let Some(message) = self.receive() {
            drop_late(message);
        }
    }

    /// Wakes the loop if it sleeps, or keeps it from falling asleep.
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

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            // An eventfd needs eight bytes, and a pipe takes any number. This fails only if the
            // pipe is full, and then the loop wakes up anyway.
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
