//! That a response did not reach its client.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use super::Error;

/// How a client has not taken what was sent to it: no fault of the application.
#[derive(Debug)]
pub(crate) enum Undelivered {
    TooSlow {
        timeout: Duration,
        rate: u64,
    },
    Gone(io::Error),
    /// It disconnected before anything was sent, or while nothing was.
    Disconnected,
}

impl Undelivered {
    /// What has ended a handler, if it is this.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
    }

    /// The error of a client that has disconnected.
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
