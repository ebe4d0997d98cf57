//! What keeps a part of an application from taking the parts around it along.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use squall_runtime::{Deadline, IOLoop, Moment};

use crate::connection::Connection;
use crate::connection::watch::Cancellation;
use crate::error::Result;
use crate::error::panic::guard;
use crate::error::panic::panic_error;
use crate::types::local_future::LocalBoxFuture;

/// Runs a handler, or a piece of middleware and all inside it.
///
/// A panic becomes an error, so that the middleware around it sees it. If the time limit is over, the
/// server ends and waits no longer, or the client has disconnected, the innermost part that waits is
/// dropped there, and this returns why.
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
            // Unless a part inside has taken it.
            Poll::Pending => match connection.take_cancellation() {
                Some(cancellation) => Poll::Ready(Err(cancellation)),
                None => Poll::Pending,
            },
        }
    })
    .await;
    // A panic here is in the log already. The request has its result.
    let _ = guard(|| drop(answer));
    result
}

/// Why what waits is not waited for any longer, if it is so.
fn due(
    limit: &TimeLimit,
    connection: &Connection,
    task: &mut TaskContext<'_>,
) -> Option<Cancellation> {
    if connection.worker.is_aborting() {
        return Some(Cancellation::ServerEnds);
    }
    limit.poll_reached(task).is_ready().then_some(Cancellation::TimeLimit)
}

/// How long a handler may take, its middleware included.
///
/// The innermost part that waits when the time is over is dropped. The middleware around that part
/// then has as long again for what it does about the error.
pub(super) struct TimeLimit {
    limit: Option<Duration>,
    until: Cell<Option<Moment>>,
    deadline: Deadline,
}

impl TimeLimit {
    /// Begins to count.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        let until = Cell::new(limit.map(from_now));
        Self { limit, until, deadline: Deadline::new() }
    }

    /// Is ready when the time is over. Costs none of the task's budget, which a handler that never
    /// waits would have spent.
    fn poll_reached(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let (Some(limit), Some(until)) = (self.limit, self.until.get()) else {
            return Poll::Pending;
        };
        self.deadline.poll_until(task, until).map(|()| {
            self.until.set(Some(from_now(limit)));
        })
    }
}

/// The time of the turn may be an old one, if another task has kept the loop.
fn from_now(delay: Duration) -> Moment {
    let old = IOLoop::present_nanos().saturating_sub(IOLoop::nanos());
    Moment::after(delay.saturating_add(Duration::from_nanos(old)))
}
