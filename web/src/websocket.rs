//! WebSockets (RFC 6455), with compression (RFC 7692).
//!
//! # Server
//!
//! A row of the route table serves WebSockets: see [`websocket()`](crate::websocket()). An async
//! function has one connection from the first message to the last:
//!
//! ```
//! use squall::testing::TestClient;
//! use squall::websocket::WebSocket;
//! use squall::{Application, Result, websocket};
//!
//! async fn echo(mut ws: WebSocket) -> Result {
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! let client = TestClient::new(Application::new([websocket("/echo", echo)]));
//! let mut ws = client.websocket("/echo").connect();
//! ws.send("hello");
//! assert_eq!(ws.recv(), Some("hello".into()));
//! ws.close(1000, "");
//! ```
//!
//! A [`WebSocketHandler`] has a method for each event, and may authenticate the client before. It
//! reaches other connections through their [`WebSocketSender`]s:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! use squall::testing::TestClient;
//! use squall::websocket::{
//!     CloseCode, Message, Prepared, WebSocket, WebSocketHandler, WebSocketSender,
//! };
//! use squall::{Application, Context, HTTPError, Result, websocket};
//!
//! #[derive(Clone, Default)]
//! struct Chat {
//!     /// Shared by all connections of the worker.
//!     members: Rc<RefCell<Vec<WebSocketSender>>>,
//! }
//!
//! impl WebSocketHandler for Chat {
//!     async fn prepare(&mut self, cx: &mut Context) -> Result {
//!         cx.header("authorization").ok_or(HTTPError::UNAUTHORIZED)?;
//!         Ok(())
//!     }
//!
//!     async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
//!         self.members.borrow_mut().push(ws.sender());
//!         Ok(())
//!     }
//!
//!     async fn on_message(&mut self, _: &WebSocket, message: Message) -> Result {
//!         let message = Prepared::new(message); // Encoded once for all.
//!         let members = self.members.borrow().clone();
//!         for member in members {
//!             let _ = member.send_prepared(&message).await; // It may be gone.
//!         }
//!         Ok(())
//!     }
//!
//!     fn on_close(&mut self, _: Option<CloseCode>, _: &str) {
//!         self.members.borrow_mut().retain(WebSocketSender::is_open);
//!     }
//! }
//!
//! let client = TestClient::new(Application::new([websocket("/chat", Chat::default())]));
//! let connect = || client.websocket("/chat").header("Authorization", "Bearer secret").connect();
//! let (ada, mut grace) = (connect(), connect());
//! ada.send("hello");
//! assert_eq!(grace.recv(), Some("hello".into()));
//! assert_eq!(client.websocket("/chat").try_connect().unwrap_err().status(), 401);
//! ```
//!
//! # What the framework does
//!
//! - **A request that is no handshake is refused**, and its connection is kept: 400 for missing or
//!   invalid headers, 403 for a page of another [origin](WebSocketHandler::check_origin), 405 for
//!   other methods than GET, 426 for another version than 13.
//! - **The peer's frames are checked.** A frame that breaks the protocol closes the connection with
//!   1002, text that is not UTF-8 with 1007, and a message over a limit with 1009.
//! - **A slow peer makes senders wait.** A connection holds
//!   [`max_send_buffer`](WebSocketOptions::max_send_buffer) and one message at most.
//! - **A slow handler makes the peer wait.** One message is read ahead. Pings and close frames
//!   before it are answered meanwhile.
//! - **Dead peers are found** by a ping every
//!   [30 seconds](WebSocketOptions::ping_interval).
//! - **Memory is given back.** A connection that waits holds no buffer. What it holds for
//!   compression is described at [`WebSocketCompression`].
//! - **The end of the server closes every WebSocket**: with 1001 if all of the server ends, and
//!   with 1012 if other workers serve on, after a reload or an upgrade. See
//!   [`DrainReason`](crate::DrainReason).
//! - **Errors and panics close with 1011** and are logged: see [`WebSocketHandler`].
//! - **Everything is counted** in the [metrics](crate::metrics), and the access log has a line for
//!   each WebSocket when it ends.
//!
//! # Layout
//!
//! | file | content |
//! |---|---|
//! | `message` | [`Message`]: a whole message, as text or bytes |
//! | `handshake` | `Sec-WebSocket-Key`, `Sec-WebSocket-Accept` |
//! | `handshake::extensions` | `Sec-WebSocket-Extensions`: its grammar |
//! | `handshake::permessage_deflate` | the parameters of the compression, offered and agreed |
//! | `codec` | frames: bytes in, events out, and back |
//! | `session` | a WebSocket over a stream: receiving, sending, pings, closing |
//! | `handler` | WebSockets of a server: the handshake, handlers and functions |
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
