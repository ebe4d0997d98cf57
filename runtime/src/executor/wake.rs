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

    /// Notes that a message is in the queue. If this returns `true`, the loop sleeps, and the
    /// caller must ring the bell. No other thread will.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        self.0.swap(PENDING, Ordering::AcqRel) == PARKED
    }

    /// The loop calls this before it sleeps. If this returns `false`, there is a message, and the
    /// loop must not sleep.
    #[must_use]
    pub(crate) fn park(&self) -> bool {
        self.0.compare_exchange(AWAKE, PARKED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The loop calls this when it is awake again.
    pub(crate) fn unpark(&self) {
        // This fails if there was an announcement, which stays.
        let _ = self.0.compare_exchange(PARKED, AWAKE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The loop calls this before it empties the queue. Returns whether the queue may have
    /// messages. A message that arrives while the queue is emptied is announced again.
    pub(crate) fn take(&self) -> bool {
        // An announcement that this load misses is found by `park`.
        self.is_pending() && self.0.swap(AWAKE, Ordering::AcqRel) == PENDING
    }

    /// The loop calls this if it leaves messages in the queue.
    pub(crate) fn leave_pending(&self) {
        // An exchange, because a store would hide the writes before an announcement.
        self.0.swap(PENDING, Ordering::AcqRel);
    }

    /// Returns whether [`take`](Self::take) would return `true`.
    pub(crate) fn is_pending(&self) -> bool {
        self.0.load(Ordering::Relaxed) == PENDING
    }
}
