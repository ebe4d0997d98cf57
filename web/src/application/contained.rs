//! Stops panics, time-outs and cancellation at the boundary of a handler or a middleware.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use squall_runtime::{Deadline, IOLoop, Moment};

use crate::connection::Connection;
use crate::connection::close::Cancellation;
use crate::error::Result;
use crate::error::panic::{guard, panic_error};
use crate::types::local_future::LocalBoxFuture;

/// Runs a handler, or a middleware and everything inside it.
///
/// A panic becomes an error, which the middleware around it sees. If the time limit expires, the
/// client disconnects, or the server aborts its requests, the innermost part that waits is dropped,
/// and this returns the reason.
pub(super) async fn contained<'a>(
    limit: &TimeLimit,
    connection: Rc<Connection>,
    begin: impl FnOnce() -> LocalBoxFuture<'a, Result>,
) -> Result<Result, Cancellation> {
    let mut answer = match guard(begin) {
        Ok(answer) => answer,
        Err(panic) => return Ok(Err(panic_error(&*panic))),
    };
    let result = poll_fn(|task| {
        let mut poll = |task: &mut TaskContext<'_>| match guard(|| answer.as_mut().poll(task)) {
            Ok(polled) => polled,
            Err(panic) => Poll::Ready(Err(panic_error(&*panic))),
        };
        let mut polled = poll(task);
        if polled.is_pending()
            && !connection.is_handler_cancelled()
            && let Some(cancellation) = due(limit, &connection, task)
        {
            connection.cancel_handler(cancellation);
            polled = poll(task);
        }
        match polled {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            // A part inside may have taken it.
            Poll::Pending => match connection.take_cancellation() {
                Some(cancellation) => Poll::Ready(Err(cancellation)),
                None => Poll::Pending,
            },
        }
    })
    .await;
    // The panic hook has logged a panic here. It does not change the result.
    let _ = guard(|| drop(answer));
    result
}

/// Returns the reason to stop waiting, if there is one.
fn due(
    limit: &TimeLimit,
    connection: &Connection,
    task: &mut TaskContext<'_>,
) -> Option<Cancellation> {
    if connection.server.is_aborting() {
        return Some(Cancellation::ServerEnds);
    }
    limit.poll_reached(task).is_ready().then_some(Cancellation::TimeLimit)
}

/// The time limit of a handler and its middleware.
///
/// When the limit expires, the innermost part that waits is dropped. The middleware around that
/// part then has the same time again to handle the error.
pub(super) struct TimeLimit {
    limit: Option<Duration>,
    until: Cell<Option<Moment>>,
    deadline: Deadline,
}

impl TimeLimit {
    /// Starts the time limit now.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        let until = Cell::new(limit.map(from_now));
        Self { limit, until, deadline: Deadline::new() }
    }

    /// Becomes ready when the limit expires. Takes nothing from the task's budget, because a
    /// handler that never waits would have spent it.
    fn poll_reached(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let (Some(limit), Some(until)) = (self.limit, self.until.get()) else {
            return Poll::Pending;
        };
        self.deadline.poll_until(task, until).map(|()| {
            self.until.set(Some(from_now(limit)));
        })
    }
}

/// Returns the moment after `delay`. The time of the turn may be outdated if a task blocked the
/// loop.
fn from_now(delay: Duration) -> Moment {
    let old = IOLoop::present_nanos().saturating_sub(IOLoop::nanos());
    Moment::after(delay.saturating_add(Duration::from_nanos(old)))
}
