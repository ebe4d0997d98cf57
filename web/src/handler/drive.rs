use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;

use crate::connection::Connection;
use crate::connection::watch::Cancellation;
use crate::context::conclude::Outcome;
use crate::error::Result;
use crate::handler::future_slot::guard;
use crate::scoreboard::served::Served;
use crate::types::shield;

/// Runs a handler to its end.
///
/// It is polled before anything is sent, so that a response that is ready at once leaves
/// together with its neighbours of a pipeline. While it waits, what it has queued is sent,
/// and the client is watched.
#[inline]
pub(crate) fn drive<F>(connection: Rc<Connection>, served: Served, handler: F) -> Drive<F>
where
    F: Future<Output = Result>,
{
    Drive { handler: Some(handler), connection, served }
}

pin_project! {
    pub(crate) struct Drive<F> {
        // None once it was dropped where it waited.
        #[pin]
        handler: Option<F>,
        connection: Rc<Connection>,
        served: Served,
    }
}

impl<F: Future<Output = Result>> Future for Drive<F> {
    type Output = Outcome;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Outcome> {
        let mut this = self.project();
        let (connection, served) = (this.connection, this.served);
        let Some(handler) = this.handler.as_mut().as_pin_mut() else { return Poll::Pending };
        let recorder = &connection.worker.recorder;
        recorder.run(*served);
        let polled = shield::poll_for(connection.id(), || {
            catch_unwind(AssertUnwindSafe(|| handler.poll(task)))
        });
        recorder.pause();
        match polled {
            Ok(Poll::Ready(result)) => Poll::Ready(Outcome::Returned(result)),
            Ok(Poll::Pending) => {
                let cancellation = ready!(poll_meanwhile(connection, task));
                Poll::Ready(cancel(this.handler, cancellation, connection, *served, task))
            }
            Err(panic) => Poll::Ready(Outcome::Panicked(Box::new(panic))),
        }
    }
}

/// While the handler waits.
#[inline(never)]
fn poll_meanwhile(connection: &Connection, task: &mut TaskContext<'_>) -> Poll<Cancellation> {
    if connection.worker.is_aborting() {
        return Poll::Ready(Cancellation::ServerEnds);
    }
    connection.worker.recorder.wait();
    connection.poll_meanwhile(task).map(Cancellation::ClientGone)
}

/// Polls the handler once more, so that it ends what the user has begun: the innermost part that
/// waits is dropped, and those around it (`on_finish`, middleware) run until they wait as well.
///
/// Then drops the rest. It holds what is the user's, and if dropping that panics, the request has
/// still to be concluded and counted.
#[cold]
fn cancel<F: Future<Output = Result>>(
    mut handler: Pin<&mut Option<F>>,
    cancellation: Cancellation,
    connection: &Connection,
    served: Served,
    task: &mut TaskContext<'_>,
) -> Outcome {
    let recorder = &connection.worker.recorder;
    connection.cancel_handler(cancellation);
    recorder.run(served);
    let polled = guard(|| handler.as_mut().as_pin_mut().map(|handler| handler.poll(task)));
    // The panic hook has reported a panic here.
    let _ = guard(|| handler.set(None));
    recorder.pause();
    connection.take_cancellation();
    match polled {
        Ok(Some(Poll::Ready(result))) => Outcome::Returned(result),
        Ok(_) => Outcome::Cancelled(cancellation),
        Err(panic) => Outcome::Panicked(Box::new(panic)),
    }
}
