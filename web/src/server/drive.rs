use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::thread;

use crate::connection::Connection;
use crate::connection::watch::Departure;
use crate::context::conclude::Outcome;
use crate::error::Result;
use crate::local_future::LocalBoxFuture;
use crate::scoreboard::served::Served;

/// Calls code of the user that is no future: the clone of a handler, a method that makes one.
pub(super) fn guard<R>(work: impl FnOnce() -> R) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Runs a handler to its end.
///
/// It is polled before anything is sent, so that a response that is ready at once leaves
/// together with its neighbours of a pipeline. While it waits, what it has queued is sent,
/// and the client is watched.
pub(super) fn drive<'a>(
    connection: &'a Connection,
    mut handler: LocalBoxFuture<'a, Result>,
    served: Served,
) -> impl Future<Output = Outcome> + 'a {
    std::future::poll_fn(move |task| {
        let recorder = &connection.worker.recorder;
        recorder.run(served);
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(task)));
        recorder.pause();
        match polled {
            Ok(Poll::Ready(result)) => Poll::Ready(Outcome::Returned(result)),
            Ok(Poll::Pending) if connection.worker.is_aborting() => {
                Poll::Ready(Outcome::Left(Departure::Finished))
            }
            Ok(Poll::Pending) => {
                recorder.wait();
                connection.poll_meanwhile(task).map(Outcome::Left)
            }
            Err(panic) => Poll::Ready(Outcome::Panicked(panic)),
        }
    })
}
