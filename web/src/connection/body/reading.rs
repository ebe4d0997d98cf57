//! Waiting for the body of a request.

use std::io;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use super::{BodyFailure, Step};
use crate::connection::{Buffers, Connection, Flags, Phase};

impl Connection {
    /// Reads at most `limit` bytes of the body into `sink`. Returns `false` at the end of the body.
    ///
    /// Sends nothing but `100 Continue`. The task that waits sends the rest of the output.
    pub(crate) fn poll_body(
        &self,
        task: &mut TaskContext<'_>,
        limit: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyFailure>> {
        loop {
            match self.with(|buffers| buffers.body.read(&mut buffers.input, limit, sink))? {
                Step::Data => return Poll::Ready(Ok(true)),
                Step::End => return Poll::Ready(Ok(false)),
                Step::Yield => {
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Starved => {}
            }
            ready!(self.poll_more_body(task, |task| self.poll_fill(task)))?;
        }
    }

    /// Calls `fill` to receive more of the body, within the time limit.
    pub(super) fn poll_more_body(
        &self,
        task: &mut TaskContext<'_>,
        fill: impl FnOnce(&mut TaskContext<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<Result<(), BodyFailure>> {
        if self.with(Buffers::queue_continue) && !self.has(Flags::FLUSHING) {
            // The task of the connection may be another one and does not know of it. An error
            // appears when receiving.
            let _ = self.poll_output(task);
        }
        match fill(task) {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.end_wait_for_body();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => Poll::Ready(Err(BodyFailure::Gone)),
            Poll::Pending => {
                self.begin_wait_for_body();
                self.save_memory();
                self.poll_receive_limit(task).map(|()| {
                    Err(match self.server.is_aborting() {
                        true => BodyFailure::ServerEnds,
                        false => BodyFailure::TimedOut,
                    })
                })
            }
        }
    }

    fn begin_wait_for_body(&self) {
        if self.phase() == Phase::Body {
            return;
        }
        let now = self.server.now();
        let patience = self.with(|buffers| {
            buffers.body.waiting_since = Some(now);
            buffers.body.patience(&self.server.settings)
        });
        let patience = if self.server.is_aborting() { Some(Duration::ZERO) } else { patience };
        self.restart(Phase::Body, patience);
    }

    /// Ends the time limit of a task that waits for the body. Returns whether there is one.
    pub(in crate::connection) fn cut_wait_for_body(&self) -> bool {
        let waits = self.phase() == Phase::Body;
        if waits {
            self.restart(Phase::Body, Some(Duration::ZERO));
        }
        waits
    }

    /// Says that no handler waits any more for the body of `request`.
    pub(crate) fn stop_receiving(&self, request: u32) {
        if request == self.request() {
            self.set_receiving(false);
            self.end_wait_for_body();
        }
    }

    /// Ends the wait: bytes were received, or no task wants them any more.
    fn end_wait_for_body(&self) {
        if self.phase() != Phase::Body {
            return;
        }
        let now = self.server.now();
        self.with(|buffers| {
            if let Some(since) = buffers.body.waiting_since.take() {
                buffers.body.waited += now.saturating_duration_since(since);
            }
        });
        self.enter(Phase::Handler);
    }

    /// Whether the body of the request has been read to its end.
    pub(crate) fn is_body_done(&self) -> bool {
        self.with(|buffers| buffers.body.is_done())
    }

    /// Whether the connection can be kept although the body may not have been read.
    pub(crate) fn can_be_drained(&self) -> bool {
        self.with(|buffers| buffers.body.can_be_drained())
    }

    /// Wakes `waker` when the request ends before its body has been read.
    pub(crate) fn await_end_of_request(&self, waker: &Waker) {
        let known = |buffers: &mut Buffers| {
            buffers.body.waiter.as_ref().is_some_and(|known| known.will_wake(waker))
        };
        if !self.with(known) {
            let waker = waker.clone();
            let old = self.with(|buffers| buffers.body.waiter.replace(waker));
            drop(old);
        }
    }
}
