//! Why a WebSocket cannot be used any more.

use std::fmt;
use std::io;

use crate::websocket::codec::close::CloseCode;
use crate::websocket::codec::error::DecodeError;

/// Why a WebSocket cannot be used any more.
///
/// A handler may return it with `?`. The framework then logs no error: the connection is over, and
/// the handler is not at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// A message was sent after either side had begun to close the connection (Tornado's
    /// `WebSocketClosedError`).
    Closed,
    /// The connection broke or ended without a close frame.
    ConnectionLost(io::ErrorKind),
    /// The peer broke the protocol or a limit, and the connection was closed for it.
    Protocol(ProtocolError),
    /// The peer was silent for the
    /// [`ping_timeout`](crate::websocket::WebSocketOptions::ping_timeout), and the connection was
    /// closed with 1011.
    PingTimeout,
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProtocolError(pub(super) DecodeError);

impl ProtocolError {
    /// Returns the code with which the connection was closed: 1002 for an invalid frame, 1007 for
    /// text that is not UTF-8 or corrupt compressed data, 1009 for an exceeded limit.
    pub fn close_code(&self) -> CloseCode {
        self.0.close_code()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ProtocolError {}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the WebSocket is closed"),
            Self::ConnectionLost(kind) => write!(f, "the WebSocket connection was lost: {kind}"),
            Self::Protocol(error) => write!(f, "the peer broke the WebSocket protocol: {error}"),
            Self::PingTimeout => f.write_str("the peer did not answer a ping in time"),
        }
    }
}

impl std::error::Error for WebSocketError {}
