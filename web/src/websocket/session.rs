//! A WebSocket over a stream that was upgraded already, on either side.
//!
//! A [`Session`] is shared by its driver and its handles. The driver reads, writes and keeps time.
//! Between two messages, a session holds no buffer.
//!
//! | file | content |
//! |---|---|
//! | `shared` | [`Session`]: who waits for what, and in which task |
//! | `state` | what a session holds; receiving |
//! | `sending` | sending: at once, or from the queue |
//! | `closing` | the closing handshake, faults, time-outs |
//! | `keep_alive` | when to send pings |
//! | `output` | frames that a slow peer has not taken yet |
//! | `unread` | bytes that are not decoded yet |
//! | `transport` | the stream, and the buffer that all streams are read into |
//! | `handle` | [`WebSocketSender`], [`WebSocketReceiver`] and the driver |
//! | `error` | [`WebSocketError`] |

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

mod closing;
mod error;
mod handle;
mod keep_alive;
mod output;
mod sending;
mod shared;
mod state;
mod transport;
mod unread;

pub use error::{ProtocolError, WebSocketError};
pub use handle::{WebSocketReceiver, WebSocketSender};

pub(crate) use handle::Driver;
pub(crate) use shared::Session;
pub(crate) use state::{Incoming, Start};
pub(crate) use transport::Transport;

use crate::error::{Error, Result};
use crate::types::text::Text;
use crate::websocket::codec::close::{CloseFrame, IntoCloseCode};
use crate::websocket::codec::prepared::Prepared;
use crate::websocket::message::Message;
use handle::Handle;

/// A WebSocket connection.
///
/// Only one task can receive at a time. Any number can send: see [`sender`](Self::sender) and
/// [`split`](Self::split). When the last handle is dropped, the connection is closed with 1000.
///
/// Every method that fails because the connection is over returns a [`WebSocketError`].
///
/// # Examples
///
/// ```
/// use squall::websocket::WebSocket;
/// use squall::Result;
///
/// async fn echo(mut ws: WebSocket) -> Result {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
/// # let _ = echo;
/// ```
pub struct WebSocket {
    handle: Handle,
}

impl WebSocket {
    pub(crate) fn new(session: &Rc<Session>) -> Self {
        Self { handle: Handle::new(session) }
    }

    pub(crate) fn session(&self) -> &Rc<Session> {
        self.handle.session()
    }

    /// Receives the next message. Returns `None` once either side has begun to close the
    /// connection.
    ///
    /// Pings are answered, and close frames too, whether or not this is called.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::ConnectionLost`] if the connection ended without a close frame,
    /// [`WebSocketError::Protocol`] if the peer broke the protocol or a limit,
    /// [`WebSocketError::PingTimeout`] if it was silent for too long.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>>> {
        let location = Location::caller();
        poll_fn(move |task| self.poll_recv(task).map_err(|error| Error::at(location, error)))
    }

    fn poll_recv(
        &mut self,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Message>, WebSocketError>> {
        self.handle.poll_recv(task)
    }

    /// Sends a message: text from a `String` or `&str`, binary from bytes. Waits while more than
    /// [`max_send_buffer`](crate::websocket::WebSocketOptions::max_send_buffer) waits for the peer.
    ///
    /// If the future is dropped before it is ready, the message is not sent at all.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] once either side has begun to close the connection, and
    /// [`WebSocketError::ConnectionLost`] if the connection breaks.
    #[track_caller]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result> {
        self.handle.send(message.into(), Location::caller())
    }

    /// Sends a message that others are sent, too. It is encoded once for all of them, and they
    /// share its memory.
    ///
    /// # Errors
    ///
    /// Like [`send`](Self::send).
    #[track_caller]
    pub fn send_prepared(&self, message: &Prepared) -> impl Future<Output = Result> {
        self.handle.send_prepared(message, Location::caller())
    }

    /// Sends a ping with a payload of at most 125 bytes. The session sends pings by itself: see
    /// [`ping_interval`](crate::websocket::WebSocketOptions::ping_interval).
    ///
    /// # Errors
    ///
    /// If the payload is too long, and like [`send`](Self::send).
    #[track_caller]
    pub fn ping(&self, payload: impl AsRef<[u8]>) -> impl Future<Output = Result> {
        self.handle.ping(payload, Location::caller())
    }

    /// Closes the connection with `code`, such as 1000 or a
    /// [`CloseCode`](crate::websocket::CloseCode), and a reason of at most 123 bytes. Waits until
    /// the peer has closed it too, or the
    /// [`close_timeout`](crate::websocket::WebSocketOptions::close_timeout) has passed. Messages
    /// that come meanwhile are dropped.
    ///
    /// The close frame is sent even if the future is never polled. Does nothing if the connection
    /// is being closed already.
    ///
    /// # Errors
    ///
    /// If the code may not be sent or the reason is too long.
    #[track_caller]
    pub fn close(
        &self,
        code: impl IntoCloseCode,
        reason: impl Into<Text>,
    ) -> impl Future<Output = Result> {
        self.handle.close(code, reason, Location::caller())
    }

    /// Returns another handle, which can send from any task of this thread.
    #[must_use]
    pub fn sender(&self) -> WebSocketSender {
        WebSocketSender { handle: self.handle.clone() }
    }

    /// Splits the WebSocket into a half that sends and a half that receives, for two tasks.
    #[must_use]
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (self.sender(), WebSocketReceiver { handle: self.handle })
    }

    /// Says whether neither side has begun to close the connection.
    pub fn is_open(&self) -> bool {
        self.handle.session().is_open()
    }

    /// Returns the subprotocol that was agreed on in the handshake.
    pub fn subprotocol(&self) -> Option<&str> {
        self.handle.session().subprotocol()
    }

    /// Returns how many bytes wait for a peer that reads slowly.
    pub fn buffered(&self) -> usize {
        self.handle.session().buffered()
    }

    /// Returns the close frame that the peer sent. `None` if the connection is open or broke, or if
    /// the frame had no code.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.handle.session().close_frame()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
