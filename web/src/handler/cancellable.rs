use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::connection::Connection;
use crate::connection::watch::Cancellation;
use crate::context::conclude::panic_error;
use crate::error::Result;
use crate::handler::future_slot::guard;

/// Runs the user's part of a handler. The part around it goes on whatever happens inside: a panic
/// becomes an error, and after a cancellation the user's part has been dropped where it waited.
pub(crate) fn cancellable<F>(connection: Rc<Connection>, work: F) -> Cancellable<F>
where
    F: Future<Output = Result>,
{
    Cancellable { work: Some(work), connection }
}

pin_project! {
    pub(crate) struct Cancellable<F> {
        #[pin]
        work: Option<F>,
        connection: Rc<Connection>,
    }
}

impl<F: Future<Output = Result>> Future for Cancellable<F> {
    type Output = Result<Result, Cancellation>;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(cancellation) = this.connection.take_cancellation() {
            drop_work(this.work);
            return Poll::Ready(Err(cancellation));
        }
        let Some(work) = this.work.as_mut().as_pin_mut() else { return Poll::Pending };
        match guard(|| work.poll(task)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => {
                drop_work(this.work);
                Poll::Ready(Ok(Err(panic_error(&*panic))))
            }
        }
    }
}

/// The panic hook has reported a panic here. The request is concluded all the same.
#[cold]
fn drop_work<F>(mut work: Pin<&mut Option<F>>) {
    let _ = guard(|| work.set(None));
}
