//! What is written leaves while a handler waits for it; and why it does not.

use std::io;

use super::{Connection, Flags};
use crate::error::undelivered::Undelivered;

impl Connection {
    /// Sends what is queued, for a handler that waits for it. If it is the client's fault that it
    /// cannot be, the error holds an [`Undelivered`].
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.set(Flags::FLUSHING, true);
        let _stop = StopFlushing(self);
        let sent = std::future::poll_fn(|task| self.poll_output(task)).await;
        sent.map_err(|error| self.explain(error))
    }

    #[cold]
    fn explain(&self, error: io::Error) -> io::Error {
        let settings = &self.worker.settings;
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

/// Leaves the sending to the connection, when no handler waits for it any more.
struct StopFlushing<'a>(&'a Connection);

impl Drop for StopFlushing<'_> {
    fn drop(&mut self) {
        self.0.set(Flags::FLUSHING, false);
    }
}
