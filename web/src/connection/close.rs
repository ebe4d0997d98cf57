use std::net::Shutdown;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use super::Connection;
use super::patience::Phase;

/// How long a client may still send to a connection that has had its last response.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// How much it may still send.
const LINGER_BYTES: usize = 256 * 1024;

/// Ends the connection: what is queued is sent first.
///
/// A client that is still sending is listened to for a while, for closing on unread bytes
/// resets the connection, and the response is lost with it (RFC 9112 §9.6).
pub(crate) async fn close(connection: &Connection) {
    let sent = std::future::poll_fn(|task| connection.poll_output(task)).await;
    if sent.is_err() {
        // A client that was only slow must not take what it has for all.
        return connection.stream.reset();
    }
    if !connection.must_linger() {
        return;
    }
    if connection.stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut left = LINGER_BYTES;
    std::future::poll_fn(|task| connection.poll_linger(task, &mut left)).await;
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
}
