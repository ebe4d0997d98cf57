//! What keeps a part of an application from taking the parts around it along.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use squall_runtime::{Deadline, IOLoop, Moment};

use crate::answer::guard;
use crate::connection::worker::Worker;
use crate::context::conclude::panic_error;
use crate::error::{Error, HTTPError, Result};
use crate::local_future::LocalBoxFuture;

/// Runs a handler, or a piece of middleware and all inside it.
///
/// Three things that would end it without a result become errors, so that the middleware around it
/// sees them: a panic, the time limit, and a server that ends and waits no longer. What did not end
/// by itself is dropped where it waits.
pub(super) async fn contained<'a>(
    limit: &TimeLimit,
    worker: Rc<Worker>,
    begin: impl FnOnce() -> LocalBoxFuture<'a, Result>,
) -> Result {
    let mut answer = guard(begin).map_err(|panic| panic_error(&*panic))?;
    let result = poll_fn(|task| match guard(|| answer.as_mut().poll(task)) {
        Ok(Poll::Ready(result)) => Poll::Ready(result),
        Ok(Poll::Pending) if worker.is_aborting() => Poll::Ready(Err(server_ends())),
        Ok(Poll::Pending) => limit.poll_reached(task).map(Err),
        Err(panic) => Poll::Ready(Err(panic_error(&*panic))),
    })
    .await;
    // A panic here is in the log already. The request has its result.
    let _ = guard(|| drop(answer));
    result
}

#[cold]
fn server_ends() -> Error {
    let message = "the server ends before the handler has answered";
    HTTPError::SERVICE_UNAVAILABLE.with_log_message(message).into()
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
    fn poll_reached(&self, task: &mut TaskContext<'_>) -> Poll<Error> {
        let (Some(limit), Some(until)) = (self.limit, self.until.get()) else {
            return Poll::Pending;
        };
        self.deadline.poll_until(task, until).map(|()| {
            self.until.set(Some(from_now(limit)));
            let message = format!("the handler took longer than {limit:?}");
            HTTPError::SERVICE_UNAVAILABLE.with_log_message(message).into()
        })
    }
}

/// The time of the turn may be an old one, if another task has kept the loop.
fn from_now(delay: Duration) -> Moment {
    let old = IOLoop::present_nanos().saturating_sub(IOLoop::nanos());
    Moment::after(delay.saturating_add(Duration::from_nanos(old)))
}
