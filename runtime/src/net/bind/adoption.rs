//! Slots of other workers that this worker serves while they have no worker of their own.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Weak;
use std::task::{Poll, Waker};

use super::bound::Bound;
use super::listener::Listener;

thread_local! {
    static ADOPTED: RefCell<Adopted> = const {
        RefCell::new(Adopted { slots: Vec::new(), is_supported: false, waiting: Vec::new() })
    };
}

struct Adopted {
    /// The slots that the supervisor has assigned to this worker, in order.
    slots: Vec<usize>,
    /// The program has asked for adoptions.
    is_supported: bool,
    /// Woken when the slots change.
    waiting: Vec<Waker>,
}

/// Sets which slots this worker shall serve beside its own.
pub(crate) fn set_adopted(slots: Vec<usize>) {
    let waiting = ADOPTED.with_borrow_mut(|adopted| {
        adopted.slots = slots;
        std::mem::take(&mut adopted.waiting)
    });
    waiting.into_iter().for_each(Waker::wake);
}

/// Returns whether this worker serves slots that are assigned to it.
pub(crate) fn serves_adopted() -> bool {
    ADOPTED.with_borrow(|adopted| adopted.is_supported)
}

/// The slots of other workers that this worker shall serve, as they change: see
/// [`Sockets::adoptions`](crate::Sockets::adoptions).
pub struct Adoptions {
    bound: Weak<[Bound]>,
    /// The slots that the caller serves.
    held: Vec<usize>,
}

/// A change of the slots that a worker serves.
///
/// # Examples
///
/// See [`Sockets::adoptions`](crate::Sockets::adoptions).
#[derive(Debug)]
pub enum Adoption {
    /// The slot has no worker of its own. This worker shall accept its connections, too.
    Begin {
        /// The number of the slot.
        slot: usize,
        /// One listener for each address that has one per slot.
        listeners: Vec<Listener>,
    },
    /// The slot has a worker of its own again. Drop the listeners.
    End {
        /// The number of the slot.
        slot: usize,
    },
}

/// The next change of the adopted slots.
enum Change {
    Begin(usize),
    End(usize),
}
impl Adoptions {
    pub(super) fn new(bound: Weak<[Bound]>) -> Self {
        ADOPTED.with_borrow_mut(|adopted| adopted.is_supported = true);
        Self { bound, held: Vec::new() }
    }

    /// Waits for the next change. Without a fork, there is none.
    ///
    /// # Errors
    ///
    /// Fails if the process has no file descriptor left. The next call returns the change again.
    ///
    /// # Examples
    ///
    /// See [`Sockets::adoptions`](crate::Sockets::adoptions).
    pub async fn next(&mut self) -> io::Result<Adoption> {
        match self.next_change().await {
            Change::End(slot) => {
                self.held.retain(|&held| held != slot);
                Ok(Adoption::End { slot })
            }
            Change::Begin(slot) => {
                let bound = self.bound.upgrade();
                let bound = bound.iter().flat_map(|bound| bound.iter());
                let listeners = bound.filter_map(|bound| bound.listener_of(slot));
                let listeners = listeners.collect::<io::Result<_>>()?;
                self.held.push(slot);
                Ok(Adoption::Begin { slot, listeners })
            }
        }
    }

    fn next_change(&self) -> impl Future<Output = Change> {
        poll_fn(|cx| {
            ADOPTED.with_borrow_mut(|adopted| {
                let is_new = |slot: &&usize| !self.held.contains(slot);
                let is_over = |slot: &&usize| !adopted.slots.contains(slot);
                if let Some(&slot) = self.held.iter().find(is_over) {
                    return Poll::Ready(Change::End(slot));
                }
                if let Some(&slot) = adopted.slots.iter().find(is_new) {
                    return Poll::Ready(Change::Begin(slot));
                }
                adopted.waiting.push(cx.waker().clone());
                Poll::Pending
            })
        })
    }
}

impl fmt::Debug for Adoptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adoptions").field("held", &self.held).finish_non_exhaustive()
    }
}
