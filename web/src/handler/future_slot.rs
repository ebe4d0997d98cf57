//! The answer to a request while its handler works.
//!
//! It is a future that owns the context of the request, so that it borrows nothing and the next
//! request of the same row can use its memory again: no request allocates.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::thread;

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::context::conclude::Outcome;

/// Calls code of the user that is no future.
pub(crate) fn guard<R>(work: impl FnOnce() -> R) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(work))
}

/// A request whose handler is done, and what it came to.
pub(crate) struct Answered {
    pub(crate) cx: Context,
    pub(crate) outcome: Outcome,
}

/// A handler at work, of which only the server knows more.
pub struct Answer(Pin<Box<dyn Work>>);

impl Answer {
    /// Nobody works: what was to make the future has panicked.
    #[cold]
    pub(crate) fn panicked(cx: Context, panic: Box<dyn Any + Send>) -> Self {
        cx.connection().worker.recorder.pause();
        let answered = Answered { cx, outcome: Outcome::Panicked(Box::new(panic)) };
        Rc::new(Spare::default()).begin(std::future::ready(answered))
    }

    /// Waits until the handler is done.
    #[inline]
    pub(crate) fn done(self) -> impl Future<Output = Answered> {
        let mut work = Some(self.0);
        std::future::poll_fn(move |task| match work.take().map(|work| work.go_on(task)) {
            Some(Ok(answered)) => Poll::Ready(answered),
            Some(Err(waiting)) => {
                work = Some(waiting);
                Poll::Pending
            }
            None => Poll::Pending,
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// What an [`Answer`] consists of, its type erased.
trait Work {
    /// Polls the future. What waits is given back.
    fn go_on(
        self: Pin<Box<Self>>,
        task: &mut TaskContext<'_>,
    ) -> Result<Answered, Pin<Box<dyn Work>>>;
}

/// How large a future may be, in bytes, for its memory to be kept: it is kept for as long as the row is.
const KEPT: usize = 16 * 1024;

/// The memory for a future of one type, while no request needs it.
pub(crate) struct Spare<F>(Cell<Option<Pin<Box<Place<F>>>>>);

impl<F> Default for Spare<F> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<F: Future<Output = Answered> + 'static> Spare<F> {
    #[inline]
    pub(crate) fn begin(self: &Rc<Self>, future: F) -> Answer {
        let Some(mut place) = self.0.take() else { return Answer(new_place(future, self)) };
        place.as_mut().project().future.set(future);
        Answer(place)
    }
}

#[cold]
fn new_place<F>(future: F, home: &Rc<Spare<F>>) -> Pin<Box<Place<F>>> {
    Box::pin(Place { future, home: Rc::downgrade(home) })
}

pin_project! {
    struct Place<F> {
        // One that is done, as long as no other has taken its place.
        #[pin]
        future: F,
        home: Weak<Spare<F>>,
    }
}

impl<F: Future<Output = Answered> + 'static> Work for Place<F> {
    fn go_on(
        mut self: Pin<Box<Self>>,
        task: &mut TaskContext<'_>,
    ) -> Result<Answered, Pin<Box<dyn Work>>> {
        let place = self.as_mut().project();
        let Poll::Ready(answered) = place.future.poll(task) else { return Err(self) };
        if size_of::<F>() <= KEPT
            && let Some(home) = place.home.upgrade()
        {
            home.0.set(Some(self));
        }
        Ok(answered)
    }
}
