//! What is written leaves while a handler waits for it; and why it does not.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use super::{Connection, Flags};
use crate::error::Error;

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

/// How a client has not taken what was sent to it: no fault of the application.
#[derive(Debug)]
pub(crate) enum Undelivered {
    TooSlow { timeout: Duration, rate: u64 },
    Gone(io::Error),
}

impl Undelivered {
    /// What has ended a handler, if it is this.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow { timeout, rate } => write!(
                f,
                "the client takes its response too slowly (write_timeout {timeout:?}, \
                 min_write_rate {rate} bytes/s)"
            ),
            Self::Gone(error) => write!(f, "the client is gone: {error}"),
        }
    }
}

impl StdError for Undelivered {}
