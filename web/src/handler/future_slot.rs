//! Reuses the memory of a handler's future for the next request of the same row.
//!
//! The future owns the context of its request, so it borrows nothing and can be kept in a box. When
//! it is done, the box goes back to the slot of its row, and the next request puts its future
//! there. A plain request therefore allocates nothing.
//!
//! ```text
//!  between requests:   endpoint ──Rc──▶ FutureSlot ──Box──▶ SlottedFuture (done)
//!                                           ◀──────Weak──────────┘
//!
//!  during a request:   endpoint ──Rc──▶ FutureSlot (empty)
//!                                           ◀──────Weak──────────┐
//!             connection's task ──▶ RunningHandler ──Box──▶ SlottedFuture
//! ```
//!
//! A second request that arrives during the first finds the slot empty and allocates a box. Of
//! several boxes, the slot keeps the one that came back last. A box whose endpoint is gone, or
//! whose handler was dropped before it was done, is freed.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::context::finish::Outcome;

/// The largest future, in bytes, whose memory is kept. It is kept for as long as its row.
const MAX_KEPT: usize = 16 * 1024;

/// A request whose handler is done.
pub(crate) struct Answered {
    pub(crate) cx: Context,
    pub(crate) outcome: Outcome,
}

/// A handler that is running. It owns the context of its request.
pub struct RunningHandler(Pin<Box<dyn ErasedHandlerFuture>>);

impl RunningHandler {
    /// Returns a handler that is done already, because creating its future panicked.
    #[cold]
    pub(crate) fn panicked(cx: Context, panic: Box<dyn Any + Send>) -> Self {
        // The request was recorded as running before its future was created.
        cx.connection().server.recorder.pause();
        let answered = Answered { cx, outcome: Outcome::Panicked(Box::new(panic)) };
        Rc::new(FutureSlot::default()).start(ready(answered))
    }

    /// Waits until the handler is done.
    pub(crate) async fn wait(mut self) -> Answered {
        let answered = self.0.as_mut().await;
        self.0.return_memory();
        answered
    }
}

impl fmt::Debug for RunningHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningHandler").finish_non_exhaustive()
    }
}

/// Adds a slot to `make`, which creates the future of a handler: the futures take turns in it.
pub(crate) fn in_slot<H, F>(make: impl Fn(H, Context) -> F) -> impl Fn(H, Context) -> RunningHandler
where
    F: Future<Output = Answered> + 'static,
{
    let slot = Rc::new(FutureSlot::default());
    move |handler, cx| slot.start(make(handler, cx))
}

/// Holds the box of the last future of type `F` while no request uses it.
struct FutureSlot<F>(Cell<Option<Pin<Box<SlottedFuture<F>>>>>);

impl<F> Default for FutureSlot<F> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<F: Future<Output = Answered> + 'static> FutureSlot<F> {
    /// Puts `future` into the box of the last one, or into a new box.
    fn start(self: &Rc<Self>, future: F) -> RunningHandler {
        match self.0.take() {
            Some(mut slotted) => {
                slotted.as_mut().project().future.set(future);
                RunningHandler(slotted)
            }
            None => RunningHandler(Box::pin(SlottedFuture { future, slot: Rc::downgrade(self) })),
        }
    }
}

pin_project! {
    struct SlottedFuture<F> {
        // Stays after it is done, until the next request replaces it.
        #[pin]
        future: F,
        slot: Weak<FutureSlot<F>>,
    }
}

/// A [`SlottedFuture`] of any handler.
trait ErasedHandlerFuture: Future<Output = Answered> {
    /// Puts the box into its slot. The future must be done.
    fn return_memory(self: Pin<Box<Self>>);
}

impl<F: Future<Output = Answered>> Future for SlottedFuture<F> {
    type Output = Answered;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Answered> {
        self.project().future.poll(task)
    }
}

impl<F: Future<Output = Answered>> ErasedHandlerFuture for SlottedFuture<F> {
    fn return_memory(self: Pin<Box<Self>>) {
        if size_of::<F>() <= MAX_KEPT
            && let Some(slot) = self.slot.upgrade()
        {
            slot.0.set(Some(self));
        }
    }
}
