//! A connection and its handler, from the handshake to the end.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use futures_lite::FutureExt;
use pin_project_lite::pin_project;
use squall_runtime::{IOLoop, log};

use crate::connection::draining::Draining;
use crate::context::Context;
use crate::context::log::log_failure;
use crate::context::upgrade::Handover;
use crate::error::Result;
use crate::error::panic::{guard, panic_error};
use crate::http::StatusCode;
use crate::scoreboard::Page;
use crate::types::text::Text;
use crate::websocket::codec::close::{CloseCode, CloseFrame};
use crate::websocket::message::NotText;
use crate::websocket::session::{Incoming, Session, WebSocket, WebSocketError};

use super::WebSocketHandler;
use super::opening::Opening;

/// Serves a connection with a handler of its own.
pub(super) fn serve_handler<H: WebSocketHandler>(
    handler: H,
    opening: Opening,
    handover: Handover,
) -> impl Future<Output = ()> {
    let (socket, draining, cx) = Socket::open(opening, handover, true);
    let session = Rc::clone(&socket.session);
    let mut closing = Closing { handler, session, location: socket.location };
    let conversation = async move {
        let ws = WebSocket::new(&closing.session);
        // A panic must not drop the handler: `on_close` runs at the end of the connection.
        let talk = AssertUnwindSafe(converse(&mut closing.handler, &ws, &closing.session, cx));
        let result = talk.catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(panic_error(&*panic)));
        (result, closing)
    };
    Serving { socket, draining: Some(draining), conversation, rest: None, has_ended: false }
}

/// Serves a connection with a function.
pub(super) fn serve_function<F: Future<Output = Result>>(
    function: impl FnOnce(WebSocket) -> F,
    opening: Opening,
    handover: Handover,
) -> impl Future<Output = ()> {
    let (socket, draining, cx) = Socket::open(opening, handover, false);
    forget(cx);
    let conversation = function(WebSocket::new(&socket.session));
    Serving { socket, draining: Some(draining), conversation, rest: None, has_ended: false }
}

/// Gives back the memory of the request.
fn forget(cx: Context) {
    let connection = cx.connection();
    drop(cx);
    connection.forget_http();
}

/// Opens the conversation, and gives the handler what comes, up to the end.
async fn converse<H: WebSocketHandler>(
    handler: &mut H,
    ws: &WebSocket,
    session: &Session,
    mut cx: Context,
) -> Result {
    handler.open(ws, &mut cx).await?;
    forget(cx);
    while let Some(incoming) = poll_fn(|task| session.poll_recv(task)).await? {
        match incoming {
            Incoming::Message(message) => handler.on_message(ws, message).await?,
            Incoming::Ping(payload) => handler.on_ping(ws, payload).await?,
            Incoming::Pong(payload) => handler.on_pong(ws, payload).await?,
        }
    }
    Ok(())
}

/// A handler that is told of the end when it is dropped.
struct Closing<H: WebSocketHandler> {
    handler: H,
    session: Rc<Session>,
    location: Option<&'static Location<'static>>,
}

impl<H: WebSocketHandler> Drop for Closing<H> {
    fn drop(&mut self) {
        let frame = self.session.close_frame();
        let code = frame.as_ref().map(CloseFrame::code);
        let reason = frame.as_ref().map_or("", |frame| frame.reason().as_str());
        if let Err(panic) = guard(|| self.handler.on_close(code, reason)) {
            log_failure("WebSocket", &panic_error(&*panic), self.location);
        }
    }
}

/// What a conversation returns: how it went, and what is kept until the connection has ended.
trait Concluded {
    type Rest;

    fn split(self) -> (Result, Self::Rest);
}

impl Concluded for Result {
    type Rest = ();

    fn split(self) -> (Result, ()) {
        (self, ())
    }
}

impl<H: WebSocketHandler> Concluded for (Result, Closing<H>) {
    type Rest = Closing<H>;

    fn split(self) -> Self {
        self
    }
}

pin_project! {
    /// Drives a session and its conversation. After the conversation, closes the connection and
    /// waits for its end.
    ///
    /// Written by hand, because an `async fn` would hold the conversation twice.
    struct Serving<C, R> {
        socket: Socket,
        draining: Option<Draining>,
        // A panic leaves it here until the end.
        #[pin]
        conversation: C,
        // What the conversation returned: it is dropped at the end.
        rest: Option<R>,
        has_ended: bool,
    }
}

impl<C: Future<Output: Concluded<Rest = R>>, R> Future for Serving<C, R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.project();
        let session = &*this.socket.session;
        let mut is_over = session.poll_drive(task).is_ready();
        if *this.has_ended {
            return if is_over { Poll::Ready(()) } else { Poll::Pending };
        }
        if let Some(draining) = this.draining
            && let Poll::Ready(reason) = Pin::new(draining).poll(task)
        {
            *this.draining = None;
            close(session, reason.close_code(), "");
        }
        match guard(|| this.conversation.poll(task)) {
            Ok(Poll::Ready(concluded)) => {
                let (result, rest) = concluded.split();
                *this.rest = Some(rest);
                *this.has_ended = true;
                this.socket.close_after(result);
            }
            Ok(Poll::Pending) => {}
            Err(panic) => {
                *this.has_ended = true;
                this.socket.close_after(Err(panic_error(&*panic)));
            }
        }
        if session.needs_poll() || *this.has_ended {
            is_over = session.poll_drive(task).is_ready();
        }
        // A handler that was not told of the end waits for something of its own.
        match is_over && (*this.has_ended || !session.saw_end()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// A session of the server. Counted and logged when it is dropped.
struct Socket {
    session: Rc<Session>,
    /// The line of the route.
    location: Option<&'static Location<'static>>,
    page: Page,
    /// When the head of the request was complete.
    began: u64,
    /// The line for the access log, if there is one.
    line: Option<Box<str>>,
}

impl Socket {
    fn open(
        opening: Opening,
        handover: Handover,
        wants_control: bool,
    ) -> (Self, Draining, Context) {
        let Handover { stream, early, cx } = handover;
        let start = opening.start(&cx, early, wants_control);
        let page = cx.connection().server.recorder.page;
        page.websocket_opened();
        let draining = stream.draining();
        let session = Session::new(stream, start, opening.subprotocol);
        let line = log::is_access_enabled()
            .then(|| cx.access_text(StatusCode::SWITCHING_PROTOCOLS).into());
        let (location, began) = (opening.location, cx.began());
        (Self { session, location, page, began, line }, draining, cx)
    }

    /// Begins to close the connection as the result of the conversation demands.
    fn close_after(&self, result: Result) {
        let Err(error) = result else {
            return close(&self.session, CloseCode::NORMAL.as_u16(), "");
        };
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
        log_failure("WebSocket", &error, self.location);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F: Future>(_: impl FnOnce(WebSocket) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_serving<F: Future>(_: impl FnOnce(Opening, Handover) -> F) -> usize {
        size_of::<F>()
    }

    async fn echo(mut ws: WebSocket) -> Result {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    }

    #[test]
    fn a_function_is_held_only_once() {
        let serving = size_of_serving(|opening, handover| serve_function(echo, opening, handover));
        assert!(serving <= size(echo) + 80, "{serving}");
    }
}
