//! The agreement between a loop that wants to sleep and the threads that want it awake.
//!
//! A thread first puts its message into the queue and then calls [`Signal::announce`]; the loop
//! calls [`Signal::take`] before it empties the queue and [`Signal::park`] before it sleeps.
//! Both sides first store one flag and then load the other, so at least one of them sees what
//! the other did: either the loop does not sleep, or the thread rings. That needs `SeqCst`; with
//! release and acquire both loads may miss.
//!
//! The flags come from the parent module, so that `tests/loom.rs` can put loom's in their place
//! and try every interleaving.

use super::atomic::{AtomicBool, Ordering::SeqCst};

#[derive(Debug)]
pub(crate) struct Signal {
    /// The loop sleeps, or is about to.
    parked: AtomicBool,
    /// There may be messages in the queue.
    pending: AtomicBool,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self { parked: AtomicBool::new(false), pending: AtomicBool::new(false) }
    }

    /// Tells the loop of a message that is in the queue already. If this returns true the loop
    /// sleeps, and the caller has to ring; nobody else will.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        self.pending.store(true, SeqCst);
        self.parked.load(SeqCst) && self.parked.swap(false, SeqCst)
    }

    /// Called by the loop before it empties the queue: is there anything in it? Clears the flag
    /// first, so that a message that comes while the queue is emptied sets it again.
    pub(crate) fn take(&self) -> bool {
        self.pending.load(SeqCst) && self.pending.swap(false, SeqCst)
    }

    /// Whether [`take`](Self::take) would return true.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(SeqCst)
    }

    /// Called by the loop before it sleeps. If this returns false there is a message, and it must
    /// not sleep.
    #[must_use]
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, SeqCst);
        let quiet = !self.pending.load(SeqCst);
        if !quiet {
            self.unpark();
        }
        quiet
    }

    /// Called by the loop when it is awake again, for whatever reason.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, SeqCst);
    }
}
