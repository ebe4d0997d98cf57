//! WebSockets (RFC 6455), with compression (RFC 7692).
//!
//! | file | content |
//! |---|---|
//! | `message` | [`Message`]: a whole message, as text or bytes |
//! | `handshake` | `Sec-WebSocket-Key`, `Sec-WebSocket-Accept` |
//! | `handshake::extensions` | `Sec-WebSocket-Extensions`: its grammar |
//! | `handshake::permessage_deflate` | the parameters of the compression, offered and agreed |
//! | `codec` | frames: bytes in, events out, and back |
//! | `session` | a WebSocket over a stream: receiving, sending, pings, closing |
//! | `client` | [`websocket_connect`] |
//!
//! `message`, `handshake` and `codec` are pure: they do no I/O, read no clock and log nothing.

pub(crate) mod client;
pub(crate) mod codec;
pub(crate) mod compression;
mod handler;
pub(crate) mod handshake;
pub(crate) mod message;
pub(crate) mod session;

pub use crate::connection::settings::websocket::{WebSocketCompression, WebSocketOptions};
pub use client::{ConnectError, ConnectOptions, Reconnect, websocket_connect};
pub use codec::close::{
    CloseCode, CloseFrame, CloseReasonTooLong, IntoCloseCode, InvalidCloseCode,
};
pub use codec::prepared::Prepared;
pub use handler::{
    IntoWebSocketEndpoint, WebSocketFunction, WebSocketHandler, is_allowed_origin, kind,
};
pub use message::{Message, MessageKind, NotText};
pub use session::{ProtocolError, WebSocket, WebSocketError, WebSocketReceiver, WebSocketSender};
