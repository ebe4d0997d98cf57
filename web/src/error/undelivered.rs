//! [`Undelivered`]: a response that did not reach its client.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use super::Error;

/// Why a client did not receive its response. This is not an error of the application.
#[derive(Debug)]
pub(crate) enum Undelivered {
    TooSlow {
        timeout: Duration,
        rate: u64,
    },
    Gone(io::Error),
    /// The client disconnected while nothing was being sent.
    Disconnected,
}

impl Undelivered {
    /// Returns the reason if it is the cause of `error`.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
    }

    /// Returns the error for a client that has disconnected.
    pub(crate) fn disconnected() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, Self::Disconnected)
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
            Self::Gone(error) => write!(f, "the client has disconnected: {error}"),
            Self::Disconnected => f.write_str("the client has disconnected"),
        }
    }
}

impl StdError for Undelivered {}
