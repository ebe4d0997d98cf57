//! How a connection ends, and how a handler ends when its client disconnects first.

use std::net::Shutdown;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use squall_runtime::PeerClosed;

use super::{Connection, Flags, Phase};
use crate::types::shield;

/// How long a client may still send after its last response.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// How many bytes it may still send.
const LINGER_BYTES: usize = 256 * 1024;

/// Sends the queued bytes, then ends the connection.
///
/// A client that is still sending may continue for a while. Closing a socket with unread bytes
/// resets the connection, and the client may lose the response (RFC 9112 §9.6).
pub(crate) async fn close(connection: &Connection) {
    let sent = std::future::poll_fn(|task| connection.poll_output(task)).await;
    if sent.is_err() {
        // A client that was only slow must not mistake what it has for the whole response.
        return connection.stream.reset();
    }
    let must_linger = connection.has(Flags::LINGER) || connection.backlog().received;
    if !must_linger || connection.stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut left = LINGER_BYTES;
    std::future::poll_fn(|task| connection.poll_linger(task, &mut left)).await;
}

/// How a client disconnected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Departure {
    /// The client sends no more. It may still take a response.
    Finished,
    /// The connection is broken.
    Broken,
}

/// Why a handler is cancelled: it is dropped at its `await`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cancellation {
    ClientGone(Departure),
    /// The graceful shutdown has reached its limit.
    ServerEnds,
    /// The handler has reached its time limit.
    TimeLimit,
}

impl Connection {
    fn poll_linger(&self, task: &mut TaskContext<'_>, left: &mut usize) -> Poll<()> {
        self.enter(Phase::Closing);
        while *left > 0 {
            self.with(|buffers| buffers.input.reset());
            let received = self.poll_fill(task);
            if received.is_pending() && self.poll_receive_limit(task).is_ready() {
                break;
            }
            match ready!(received) {
                Ok(count) if count > 0 => *left = left.saturating_sub(count),
                _ => break,
            }
        }
        Poll::Ready(())
    }

    /// Cancels the handler of the current request. It notices this when it is polled next.
    pub(crate) fn cancel_handler(&self, cancellation: Cancellation) {
        self.cancellation.set(Some(cancellation));
    }

    pub(crate) fn is_handler_cancelled(&self) -> bool {
        self.cancellation.get().is_some()
    }

    /// Takes the cancellation. The caller ends what it runs; the futures around it continue.
    pub(crate) fn take_cancellation(&self) -> Option<Cancellation> {
        self.cancellation.take()
    }

    /// Wakes the task of a handler that waits for nothing from the client. Returns whether it did.
    ///
    /// Such a task watches for one event only: that the client closes its sending side.
    pub(super) fn wake_waiting_handler(&self) -> bool {
        self.phase() == Phase::Handler
            && !self.has(Flags::FLUSHING)
            && self.stream.shutdown(Shutdown::Read).is_ok()
    }

    /// Sends and watches the client while a handler waits. Ready when the client has disconnected.
    pub(crate) fn poll_meanwhile(&self, task: &mut TaskContext<'_>) -> Poll<Departure> {
        if !self.has(Flags::FLUSHING) && matches!(self.poll_output(task), Poll::Ready(Err(_))) {
            return Poll::Ready(Departure::Broken);
        }
        if self.has(Flags::RECEIVING) {
            return Poll::Pending; // A disconnect ends the body.
        }
        self.enter(Phase::Handler);
        self.save_memory();
        match ready!(self.stream.poll_peer_closed(task)) {
            PeerClosed::Finished if self.is_answered_after_finish() => Poll::Pending,
            PeerClosed::Finished => Poll::Ready(Departure::Finished),
            PeerClosed::Reset => Poll::Ready(Departure::Broken),
        }
    }

    /// Whether the handler continues although its client sends no more.
    ///
    /// Only a handler that waits for something of its own is cancelled. If it waits for the
    /// framework, the outcome would depend on whether the FIN arrives early or late.
    fn is_answered_after_finish(&self) -> bool {
        self.has(Flags::HALF_CLOSE.with(Flags::FLUSHING)) || shield::is_up(self.id())
    }
}
