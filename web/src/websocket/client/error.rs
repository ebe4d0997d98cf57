//! Why no connection was made.

use std::fmt;
use std::io;

use crate::http::{HeaderMap, StatusCode};

/// Why [`websocket_connect`](super::websocket_connect) made no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one of a WebSocket. The text says why.
    InvalidUrl(&'static str),
    /// The host is unknown, refuses the connection, or ended it before it answered.
    Io(io::Error),
    /// The server did not complete the handshake within the
    /// [`connect_timeout`](super::ConnectOptions::connect_timeout).
    TimedOut,
    /// The server answered with another status than 101, for instance 403.
    Rejected {
        /// The status of the response.
        status: StatusCode,
        /// The headers of the response, for instance `WWW-Authenticate` or `Location`.
        headers: Box<HeaderMap>,
    },
    /// The server answered with 101, but its response breaks the protocol. The text says how.
    InvalidResponse(&'static str),
}

impl ConnectError {
    /// Says whether a later attempt may succeed: after an I/O error, a time-out, and the statuses
    /// 408, 425, 429 and 5xx. An invalid URL and any other response stay as they are.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Io(_) | Self::TimedOut => true,
            Self::Rejected { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
            }
            Self::InvalidUrl(_) | Self::InvalidResponse(_) => false,
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(reason) => write!(f, "invalid WebSocket URL: {reason}"),
            Self::Io(error) => write!(f, "cannot connect to the WebSocket server: {error}"),
            Self::TimedOut => f.write_str("the WebSocket server did not answer in time"),
            Self::Rejected { status, .. } => {
                write!(f, "the server rejected the WebSocket handshake with {status}")
            }
            Self::InvalidResponse(reason) => {
                write!(f, "invalid response to the WebSocket handshake: {reason}")
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
