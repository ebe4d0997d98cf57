//! The handles of a session, and the task that drives it.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_lite::Stream;

use super::error::WebSocketError;
use super::shared::Session;
use super::state::Incoming;
use crate::error::{Error, Result};
use crate::types::text::Text;
use crate::websocket::codec::close::{CloseCode, CloseFrame, IntoCloseCode};
use crate::websocket::codec::prepared::Prepared;
use crate::websocket::message::Message;

/// The line of the user for which an error is logged.
type Place = &'static Location<'static>;

/// A reference to a session that keeps the connection open.
pub(super) struct Handle {
    session: Rc<Session>,
}

impl Handle {
    pub(super) fn new(session: &Rc<Session>) -> Self {
        Self { session: Rc::clone(session) }
    }

    pub(super) fn session(&self) -> &Rc<Session> {
        &self.session
    }

    pub(super) fn poll_recv(
        &self,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Message>, WebSocketError>> {
        loop {
            match ready!(self.session.poll_recv(task))? {
                None => return Poll::Ready(Ok(None)),
                Some(Incoming::Message(message)) => return Poll::Ready(Ok(Some(message))),
                Some(Incoming::Ping(_) | Incoming::Pong(_)) => {}
            }
        }
    }

    pub(super) fn send(&self, message: Message, place: Place) -> impl Future<Output = Result> {
        let mut message = Some(message);
        poll_fn(move |task| {
            let sent = self.session.poll_send(task, &mut message);
            sent.map_err(|error| Error::at(place, error))
        })
    }

    pub(super) fn send_prepared(
        &self,
        message: &Prepared,
        place: Place,
    ) -> impl Future<Output = Result> {
        poll_fn(move |task| {
            let sent = self.session.poll_send_prepared(task, message);
            sent.map_err(|error| Error::at(place, error))
        })
    }

    pub(super) fn ping(
        &self,
        payload: impl AsRef<[u8]>,
        place: Place,
    ) -> impl Future<Output = Result> {
        poll_fn(move |task| {
            let sent = ready!(self.session.poll_ping(task, payload.as_ref()));
            let sent = sent.map_err(|error| Error::at(place, error))?;
            Poll::Ready(sent.map_err(|error| Error::at(place, error)))
        })
    }

    pub(super) fn close(
        &self,
        code: impl IntoCloseCode,
        reason: impl Into<Text>,
        place: Place,
    ) -> impl Future<Output = Result> {
        let begun = close_frame(code, reason, place);
        if let Ok(frame) = &begun {
            self.session.begin_close(Some(frame));
        }
        let mut begun = begun.map(drop);
        poll_fn(move |task| {
            std::mem::replace(&mut begun, Ok(()))?;
            self.session.poll_ended(task).map(Ok)
        })
    }
}

fn close_frame(
    code: impl IntoCloseCode,
    reason: impl Into<Text>,
    place: Place,
) -> Result<CloseFrame> {
    let code = code.into_close_code().map_err(|error| Error::at(place, error))?;
    CloseFrame::new(code, reason).map_err(|error| Error::at(place, error))
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(&self.session)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The other reference is that of the driver.
        if Rc::strong_count(&self.session) == 2 {
            self.session.handle_dropped();
        }
    }
}

/// Sends messages through a [`WebSocket`](crate::websocket::WebSocket), from any task of its
/// thread.
///
/// Clones are handles of the same connection. Returned by
/// [`WebSocket::sender`](crate::websocket::WebSocket::sender) and
/// [`WebSocket::split`](crate::websocket::WebSocket::split).
#[derive(Clone)]
pub struct WebSocketSender {
    pub(super) handle: Handle,
}

impl WebSocketSender {
    pub(crate) fn session(&self) -> &Rc<Session> {
        self.handle.session()
    }

    /// Sends a message: see [`WebSocket::send`](crate::websocket::WebSocket::send).
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::send`](crate::websocket::WebSocket::send).
    #[track_caller]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result> {
        self.handle.send(message.into(), Location::caller())
    }

    /// Sends a message to this peer and to others: see
    /// [`WebSocket::send_prepared`](crate::websocket::WebSocket::send_prepared).
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::send`](crate::websocket::WebSocket::send).
    #[track_caller]
    pub fn send_prepared(&self, message: &Prepared) -> impl Future<Output = Result> {
        self.handle.send_prepared(message, Location::caller())
    }

    /// Sends a ping: see [`WebSocket::ping`](crate::websocket::WebSocket::ping).
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::ping`](crate::websocket::WebSocket::ping).
    #[track_caller]
    pub fn ping(&self, payload: impl AsRef<[u8]>) -> impl Future<Output = Result> {
        self.handle.ping(payload, Location::caller())
    }

    /// Closes the connection: see [`WebSocket::close`](crate::websocket::WebSocket::close).
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::close`](crate::websocket::WebSocket::close).
    #[track_caller]
    pub fn close(
        &self,
        code: impl IntoCloseCode,
        reason: impl Into<Text>,
    ) -> impl Future<Output = Result> {
        self.handle.close(code, reason, Location::caller())
    }

    /// Says whether neither side has begun to close the connection.
    pub fn is_open(&self) -> bool {
        self.handle.session().is_open()
    }

    /// Returns how many bytes wait for a peer that reads slowly.
    pub fn buffered(&self) -> usize {
        self.handle.session().buffered()
    }
}

impl fmt::Debug for WebSocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketSender").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

/// Receives the messages of a [`WebSocket`](crate::websocket::WebSocket), as a [`Stream`].
///
/// The stream ends when the connection is closed. Returned by
/// [`WebSocket::split`](crate::websocket::WebSocket::split).
pub struct WebSocketReceiver {
    pub(super) handle: Handle,
}

impl WebSocketReceiver {
    /// Receives the next message: see [`WebSocket::recv`](crate::websocket::WebSocket::recv).
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::recv`](crate::websocket::WebSocket::recv).
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>>> {
        let place = Location::caller();
        poll_fn(move |task| self.handle.poll_recv(task).map_err(|error| Error::at(place, error)))
    }

    /// Returns the close frame that the peer sent: see
    /// [`WebSocket::close_frame`](crate::websocket::WebSocket::close_frame).
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.handle.session().close_frame()
    }
}

impl Stream for WebSocketReceiver {
    type Item = Result<Message, WebSocketError>;

    fn poll_next(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Message, WebSocketError>>> {
        self.handle.poll_recv(task).map(Result::transpose)
    }
}

impl fmt::Debug for WebSocketReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReceiver").finish_non_exhaustive()
    }
}

/// Drives a session in a task of its own. Ends with the connection. When all handles are dropped,
/// closes the connection with 1000.
#[must_use = "a session does nothing unless it is driven"]
pub(crate) struct Driver {
    session: Rc<Session>,
}

impl Driver {
    pub(crate) fn new(session: &Rc<Session>) -> Self {
        Self { session: Rc::clone(session) }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        if Rc::strong_count(&self.session) == 1 && self.session.is_open() {
            self.session.begin_close(CloseFrame::new(CloseCode::NORMAL, "").ok().as_ref());
        }
        self.session.poll_drive(task)
    }
}
