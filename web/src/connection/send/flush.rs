//! Sending while a handler waits for it, and why that fails.

use std::io;

use crate::connection::{Connection, Flags};
use crate::error::undelivered::Undelivered;

impl Connection {
    /// Sends the queued bytes for a handler that waits. If the client does not take them, the error
    /// holds an [`Undelivered`].
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.set(Flags::FLUSHING, true);
        let _stop = StopFlushing(self);
        let sent = std::future::poll_fn(|task| self.poll_output(task)).await;
        // Without output or after an error, nothing else makes a busy handler wait.
        squall_runtime::cooperate().await;
        sent.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let settings = &self.server.settings;
        let (timeout, rate) = (settings.write_timeout, settings.min_write_rate);
        let (kind, why) = match timeout.filter(|_| self.is_too_slow()) {
            Some(timeout) => (io::ErrorKind::TimedOut, Undelivered::TooSlow { timeout, rate }),
            None if is_of_client(error.kind()) => (error.kind(), Undelivered::Gone(error)),
            // A file that cannot be read.
            None => return error,
        };
        io::Error::new(kind, why)
    }
}

fn is_of_client(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkUnreachable,
        NotConnected, TimedOut,
    };
    matches!(
        kind,
        BrokenPipe
            | ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | NotConnected
            | TimedOut
    )
}

/// Leaves sending to the task of the connection when the handler no longer waits for it.
struct StopFlushing<'a>(&'a Connection);

impl Drop for StopFlushing<'_> {
    fn drop(&mut self) {
        self.0.set(Flags::FLUSHING, false);
    }
}
