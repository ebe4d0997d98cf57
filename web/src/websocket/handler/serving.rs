//! A connection and its handler, from the handshake to the end.

use std::any::Any;
use std::cell::Cell;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use squall_runtime::{IOLoop, log};

use crate::connection::draining::Draining;
use crate::context::Context;
use crate::context::log::log_failure;
use crate::context::upgrade::Handover;
use crate::error::panic::{guard, panic_error};
use crate::error::{Error, Result};
use crate::http::StatusCode;
use crate::scoreboard::Page;
use crate::types::text::Text;
use crate::websocket::codec::close::{CloseCode, CloseFrame};
use crate::websocket::message::NotText;
use crate::websocket::session::{Incoming, Session, WebSocket, WebSocketError};

use super::WebSocketHandler;
use super::opening::Opening;

/// Serves a connection with a handler of its own.
pub(super) async fn serve_handler<H: WebSocketHandler>(
    handler: H,
    opening: Opening,
    handover: Handover,
) {
    let (socket, cx) = Socket::open(opening, handover, true);
    let mut closing = Closing { handler, socket };
    let (handler, socket) = (&mut closing.handler, &closing.socket);
    let ws = WebSocket::new(&socket.session);
    let conversation = async {
        open(handler, &ws, cx).await?;
        converse(handler, &ws, &socket.session).await
    };
    let ended = socket.drive(conversation).await;
    socket.close(ended).await;
}

/// Serves a connection with a function.
pub(super) async fn serve_function<F: Future<Output = Result>>(
    function: impl FnOnce(WebSocket) -> F,
    opening: Opening,
    handover: Handover,
) {
    let (socket, cx) = Socket::open(opening, handover, false);
    forget(cx);
    let ws = WebSocket::new(&socket.session);
    let ended = socket.drive(async { function(ws).await }).await;
    socket.close(ended).await;
}

async fn open<H: WebSocketHandler>(handler: &mut H, ws: &WebSocket, mut cx: Context) -> Result {
    handler.open(ws, &mut cx).await?;
    forget(cx);
    Ok(())
}

/// Gives back the memory of the request.
fn forget(cx: Context) {
    let connection = cx.connection();
    drop(cx);
    connection.let_go();
}

/// Gives the handler what comes, up to the end.
async fn converse<H: WebSocketHandler>(
    handler: &mut H,
    ws: &WebSocket,
    session: &Session,
) -> Result {
    while let Some(incoming) = poll_fn(|task| session.poll_recv(task)).await? {
        match incoming {
            Incoming::Message(message) => handler.on_message(ws, message).await?,
            Incoming::Ping(payload) => handler.on_ping(ws, payload).await?,
            Incoming::Pong(payload) => handler.on_pong(ws, payload).await?,
        }
    }
    Ok(())
}

/// A handler that is told of the end, even if its connection is dropped.
struct Closing<H: WebSocketHandler> {
    handler: H,
    socket: Socket,
}

impl<H: WebSocketHandler> Drop for Closing<H> {
    fn drop(&mut self) {
        let frame = self.socket.session.close_frame();
        let code = frame.as_ref().map(CloseFrame::code);
        let reason = frame.as_ref().map_or("", |frame| frame.reason().as_str());
        if let Err(panic) = guard(|| self.handler.on_close(code, reason)) {
            log_failure("WebSocket", &panic_error(&*panic), self.socket.location);
        }
    }
}

/// How a conversation ended.
enum Ended {
    Returned(Result),
    Panicked(Box<dyn Any + Send>),
    /// The connection is over, and the handler waited for something of its own.
    Cancelled,
}

/// A session of the server. Counted and logged when it is dropped.
struct Socket {
    session: Rc<Session>,
    draining: Cell<Option<Draining>>,
    /// The line of the route.
    location: Option<&'static Location<'static>>,
    page: Page,
    /// When the head of the request was complete.
    began: u64,
    /// The line for the access log, if there is one.
    line: Option<Box<str>>,
}

impl Socket {
    fn open(opening: Opening, handover: Handover, wants_control: bool) -> (Self, Context) {
        let Handover { stream, early, cx } = handover;
        let start = opening.start(&cx, early, wants_control);
        let page = cx.connection().worker.recorder.page;
        page.websocket_opened();
        let draining = Cell::new(Some(stream.draining()));
        let session = Session::new(Box::new(stream), start, opening.subprotocol);
        let line = log::is_access_enabled()
            .then(|| cx.access_text(StatusCode::SWITCHING_PROTOCOLS).into());
        let (location, began) = (opening.location, cx.began());
        (Self { session, draining, location, page, began, line }, cx)
    }

    /// Drives the session and the conversation, up to the end of the conversation. The end of the
    /// server closes the connection.
    async fn drive(&self, conversation: impl Future<Output = Result>) -> Ended {
        let session = &*self.session;
        let mut conversation = pin!(conversation);
        let mut draining = self.draining.take();
        poll_fn(|task| {
            let mut is_over = session.poll_drive(task).is_ready();
            if let Some(waiting) = &mut draining
                && let Poll::Ready(reason) = Pin::new(waiting).poll(task)
            {
                draining = None;
                close(session, reason.close_code(), "");
                is_over = session.poll_drive(task).is_ready();
            }
            match guard(|| conversation.as_mut().poll(task)) {
                Ok(Poll::Ready(result)) => return Poll::Ready(Ended::Returned(result)),
                Ok(Poll::Pending) => {}
                Err(panic) => return Poll::Ready(Ended::Panicked(panic)),
            }
            if session.needs_poll() {
                is_over = session.poll_drive(task).is_ready();
            }
            match is_over && !session.saw_end() {
                true => Poll::Ready(Ended::Cancelled),
                false => Poll::Pending,
            }
        })
        .await
    }

    /// Closes the connection as the conversation demands, and waits for the end.
    async fn close(&self, ended: Ended) {
        match ended {
            Ended::Returned(Ok(())) => close(&self.session, CloseCode::NORMAL.as_u16(), ""),
            Ended::Returned(Err(error)) => self.close_after(&error),
            Ended::Panicked(panic) => self.close_after(&panic_error(&*panic)),
            Ended::Cancelled => {}
        }
        poll_fn(|task| self.session.poll_drive(task)).await;
    }

    fn close_after(&self, error: &Error) {
        let is_of_connection = error.downcast_ref::<WebSocketError>().is_some();
        if is_of_connection && !self.session.is_open() {
            return;
        }
        if error.downcast_ref::<NotText>().is_some() {
            return close(&self.session, CloseCode::UNSUPPORTED_DATA.as_u16(), "expected text");
        }
        if let Some(http) = error.http()
            && http.status().is_client_error()
        {
            if http.log_message().is_some() {
                log::warn(log::GENERAL, format_args!("WebSocket: {error}"));
            }
            let reason = http.reason().or(http.status().canonical_reason()).unwrap_or_default();
            let reason = Text::from(reason.to_owned());
            return close(&self.session, CloseCode::POLICY_VIOLATION.as_u16(), reason);
        }
        log_failure("WebSocket", error, self.location);
        close(&self.session, CloseCode::INTERNAL_ERROR.as_u16(), "");
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.page.websocket_ended();
        if let Some(line) = &self.line {
            let took = IOLoop::present_nanos().saturating_sub(self.began) as f64 / 1e6;
            let end = match (self.session.close_frame(), self.session.failure()) {
                (_, Some(failure)) => failure.to_string(),
                (Some(frame), None) => format!("the client sent {}", frame.code()),
                (None, None) => "closed".to_owned(),
            };
            log::info(log::ACCESS, format_args!("{line} {took:.2}ms, {end}"));
        }
    }
}

fn close(session: &Session, code: u16, reason: impl Into<Text>) {
    let frame = CloseCode::new(code).ok().and_then(|code| CloseFrame::new(code, reason).ok());
    session.begin_close(frame.as_ref());
}
