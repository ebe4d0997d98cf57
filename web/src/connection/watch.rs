use std::net::Shutdown;
use std::task::{Context as TaskContext, Poll, ready};

use squall_runtime::PeerClosed;

use super::Connection;
use super::patience::Phase;
use crate::types::shield;

/// Why there is nobody to answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Departure {
    /// The client sends no more, and may still take what is finished.
    Finished,
    /// The connection is broken.
    Broken,
}

/// Why a handler is not waited for any longer: it is dropped at its `await`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cancellation {
    ClientGone(Departure),
    /// The server ends, and waits no longer.
    ServerEnds,
    /// The time limit of the handler is over.
    TimeLimit,
}

impl Connection {
    /// Cancels the handler of the request that is being served. It notices when it is polled next.
    pub(crate) fn cancel_handler(&self, cancellation: Cancellation) {
        self.cancellation.set(Some(cancellation));
    }

    pub(crate) fn is_handler_cancelled(&self) -> bool {
        self.cancellation.get().is_some()
    }

    /// Takes the cancellation: the caller ends what it runs, and those around it are not cancelled.
    pub(crate) fn take_cancellation(&self) -> Option<Cancellation> {
        self.cancellation.take()
    }

    /// Has the task of a handler that waits for nothing of the client look what has become of the
    /// server: the one event that it watches for is that the client ends its side.
    pub(super) fn wake_waiting_handler(&self) -> bool {
        self.phase() == Phase::Handler
            && !self.is_flushing()
            && self.stream.shutdown(Shutdown::Read).is_ok()
    }

    /// Does what a waiting handler leaves to be done; ready when there is nobody to answer.
    pub(crate) fn poll_meanwhile(&self, task: &mut TaskContext<'_>) -> Poll<Departure> {
        if !self.is_flushing() && matches!(self.poll_output(task), Poll::Ready(Err(_))) {
            return Poll::Ready(Departure::Broken);
        }
        if self.is_receiving() {
            return Poll::Pending; // The end of the connection shows as the end of the body.
        }
        self.enter(Phase::Handler);
        self.save_memory();
        match ready!(self.stream.poll_peer_closed(task)) {
            PeerClosed::Finished if self.is_answered_after_finish() => Poll::Pending,
            PeerClosed::Finished => Poll::Ready(Departure::Finished),
            PeerClosed::Reset => Poll::Ready(Departure::Broken),
        }
    }

    /// Whether the handler goes on although its client sends no more. Only one that waits for
    /// something of its own is cancelled: if it waits for the framework, the outcome would depend
    /// on whether the FIN came in time.
    fn is_answered_after_finish(&self) -> bool {
        self.allows_half_close() || self.is_flushing() || shield::is_up(self.id())
    }
}
