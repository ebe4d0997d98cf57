//! The agreement between a loop that wants to sleep and the threads that want it awake.
//!
//! A thread first puts its message into the queue and then calls [`Signal::announce`]; the loop
//! calls [`Signal::park`] before it sleeps and [`Signal::take`] before it empties the queue.
//! All three change one atomic, so they have an order: either the loop finds the announcement
//! when it wants to sleep, or the thread finds the loop asleep and rings. (With one flag for
//! each side, this would take a sequentially consistent fence on both.)
//!
//! The atomic comes from the parent module, so that `tests/loom.rs` can put loom's in its place
//! and try every interleaving.

use super::atomic::{AtomicU8, Ordering};

/// The loop is awake, and has seen all announcements.
const AWAKE: u8 = 0;
/// The loop sleeps, or is about to.
const PARKED: u8 = 1;
/// There is a message in the queue, and the loop knows or will be rung awake.
const PENDING: u8 = 2;

#[derive(Debug)]
pub(crate) struct Signal(AtomicU8);

impl Signal {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Tells the loop of a message that is in the queue already. If this returns true the loop
    /// sleeps, and the caller has to ring; nobody else will.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        self.0.swap(PENDING, Ordering::AcqRel) == PARKED
    }

    /// Called by the loop before it sleeps. If this returns false there is a message, and it must
    /// not sleep.
    #[must_use]
    pub(crate) fn park(&self) -> bool {
        self.0.compare_exchange(AWAKE, PARKED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Called by the loop when it is awake again, for whatever reason.
    pub(crate) fn unpark(&self) {
        // If this fails there was an announcement, which stays.
        let _ = self.0.compare_exchange(PARKED, AWAKE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Called by the loop before it empties the queue: is there anything in it?
    /// A message that comes while the queue is emptied is announced anew.
    pub(crate) fn take(&self) -> bool {
        // An announcement that this load misses is found by `park`.
        self.is_pending() && self.0.swap(AWAKE, Ordering::AcqRel) == PENDING
    }

    /// Called by the loop if it leaves messages in the queue.
    pub(crate) fn leave_pending(&self) {
        // An exchange and no store, which would hide what an announcement has told before.
        self.0.swap(PENDING, Ordering::AcqRel);
    }

    /// Whether [`take`](Self::take) would return true.
    pub(crate) fn is_pending(&self) -> bool {
        self.0.load(Ordering::Relaxed) == PENDING
    }
}
