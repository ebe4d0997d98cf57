//! Runs the user's future: [`drive`] around a whole handler, [`cancellable`] around its methods.
//!
//! Both catch panics. `drive` watches the connection while the handler waits, and cancels the
//! handler when the client disconnects or the server stops waiting. `cancellable` then drops the
//! method that is running, so that `on_finish` still runs after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;

use crate::connection::Connection;
use crate::connection::close::Cancellation;
use crate::context::finish::Outcome;
use crate::error::Result;
use crate::error::panic::{guard, panic_error};
use crate::scoreboard::in_flight::InFlight;
use crate::types::shield;

/// Runs a handler to its end.
///
/// Polls the handler before anything is sent. A response that is ready at once leaves together with
/// the others of a pipeline. While the handler waits, its queued output is sent and the client is
/// watched.
pub(crate) fn drive<F>(connection: Rc<Connection>, in_flight: InFlight, handler: F) -> Drive<F>
where
    F: Future<Output = Result>,
{
    Drive { handler: Some(handler), connection, in_flight }
}

pin_project! {
    pub(crate) struct Drive<F> {
        // `None` after the handler was cancelled.
        #[pin]
        handler: Option<F>,
        connection: Rc<Connection>,
        in_flight: InFlight,
    }
}

impl<F: Future<Output = Result>> Future for Drive<F> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Outcome> {
        let mut this = self.project();
        let (connection, in_flight) = (this.connection, this.in_flight);
        let Some(handler) = this.handler.as_mut().as_pin_mut() else { return Poll::Pending };
        let recorder = &connection.server.recorder;
        // The scoreboard names the running request only while its handler is polled.
        recorder.run(*in_flight);
        let polled = shield::poll_for(connection.id(), || {
            catch_unwind(AssertUnwindSafe(|| handler.poll(task)))
        });
        recorder.pause();
        match polled {
            Ok(Poll::Ready(result)) => Poll::Ready(Outcome::Returned(result)),
            Ok(Poll::Pending) => {
                let cancellation = ready!(poll_meanwhile(connection, task));
                Poll::Ready(cancel(this.handler, cancellation, connection, *in_flight, task))
            }
            Err(panic) => Poll::Ready(Outcome::Panicked(Box::new(panic))),
        }
    }
}

/// Sends and watches the client while the handler waits. Ready if the handler must be cancelled.
#[inline(never)]
fn poll_meanwhile(connection: &Connection, task: &mut TaskContext<'_>) -> Poll<Cancellation> {
    if connection.server.is_aborting() {
        return Poll::Ready(Cancellation::ServerEnds);
    }
    connection.server.recorder.wait();
    connection.poll_meanwhile(task).map(Cancellation::ClientGone)
}

/// Polls the handler once more, then drops it.
///
/// The last poll lets the innermost part that waits be dropped, and the parts around it
/// (`on_finish`, middleware) run until they wait as well. Dropping user code may panic. The request
/// must be concluded and counted nevertheless.
#[cold]
fn cancel<F: Future<Output = Result>>(
    mut handler: Pin<&mut Option<F>>,
    cancellation: Cancellation,
    connection: &Connection,
    in_flight: InFlight,
    task: &mut TaskContext<'_>,
) -> Outcome {
    let recorder = &connection.server.recorder;
    connection.cancel_handler(cancellation);
    recorder.run(in_flight);
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

/// Runs a part of a handler that can be cancelled while the rest goes on.
///
/// A panic becomes an error. A cancellation drops `work` at its `await`.
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

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(cancellation) = this.connection.take_cancellation() {
            // The panic hook has reported a panic here.
            let _ = guard(|| this.work.set(None));
            return Poll::Ready(Err(cancellation));
        }
        let Some(work) = this.work.as_mut().as_pin_mut() else { return Poll::Pending };
        match guard(|| work.poll(task)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => {
                let _ = guard(|| this.work.set(None));
                Poll::Ready(Ok(Err(panic_error(&*panic))))
            }
        }
    }
}
