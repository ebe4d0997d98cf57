//! Slots of others, which a worker serves while they have no worker of their own.

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
        RefCell::new(Adopted { slots: Vec::new(), is_served: false, waiting: Vec::new() })
    };
}

struct Adopted {
    /// The slots that the supervisor has given to this worker, in order.
    slots: Vec<usize>,
    /// Somebody asks for them.
    is_served: bool,
    /// Who waits for a change.
    waiting: Vec<Waker>,
}

/// Tells this worker which slots it is to serve beside its own.
pub(crate) fn set_adopted(slots: Vec<usize>) {
    let waiting = ADOPTED.with_borrow_mut(|adopted| {
        adopted.slots = slots;
        std::mem::take(&mut adopted.waiting)
    });
    waiting.into_iter().for_each(Waker::wake);
}

/// Whether this worker serves what it is given.
pub(crate) fn serves_adopted() -> bool {
    ADOPTED.with_borrow(|adopted| adopted.is_served)
}

/// What this worker is to listen on beside its own, as it changes: see
/// [`Sockets::adoptions`](crate::Sockets::adoptions).
pub struct Adoptions {
    bound: Weak<[Bound]>,
    /// The slots that were told of.
    held: Vec<usize>,
}

/// A change of what a worker listens on.
///
/// # Examples
///
/// See [`Sockets::adoptions`](crate::Sockets::adoptions).
#[derive(Debug)]
pub enum Adoption {
    /// The slot has no worker that serves it: this one is to accept its connections as well.
    Begin {
        /// The number of the slot.
        slot: usize,
        /// One listener for each address that has one per slot.
        listeners: Vec<Listener>,
    },
    /// The slot has a worker of its own again: the listeners are to be dropped.
    End {
        /// The number of the slot.
        slot: usize,
    },
}

impl Adoptions {
    pub(super) fn new(bound: Weak<[Bound]>) -> Self {
        ADOPTED.with_borrow_mut(|adopted| adopted.is_served = true);
        Self { bound, held: Vec::new() }
    }

    /// Waits for the next change. Where nothing was forked, there is none.
    ///
    /// # Errors
    ///
    /// If the process has no file descriptor left. The change comes again.
    ///
    /// # Examples
    ///
    /// See [`Sockets::adoptions`](crate::Sockets::adoptions).
    pub async fn next(&mut self) -> io::Result<Adoption> {
        match self.next_slot().await {
            Err(slot) => {
                self.held.retain(|&held| held != slot);
                Ok(Adoption::End { slot })
            }
            Ok(slot) => {
                let bound = self.bound.upgrade();
                let bound = bound.iter().flat_map(|bound| bound.iter());
                let listeners = bound.filter_map(|bound| bound.listener_of(slot));
                let listeners = listeners.collect::<io::Result<_>>()?;
                self.held.push(slot);
                Ok(Adoption::Begin { slot, listeners })
            }
        }
    }

    /// A slot to be served, or one that is no longer (`Err`).
    fn next_slot(&self) -> impl Future<Output = Result<usize, usize>> {
        poll_fn(|cx| {
            ADOPTED.with_borrow_mut(|adopted| {
                let is_new = |slot: &&usize| !self.held.contains(slot);
                let is_over = |slot: &&usize| !adopted.slots.contains(slot);
                if let Some(&slot) = self.held.iter().find(is_over) {
                    return Poll::Ready(Err(slot));
                }
                if let Some(&slot) = adopted.slots.iter().find(is_new) {
                    return Poll::Ready(Ok(slot));
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
