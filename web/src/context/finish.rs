//! The end of a request: complete the response, send it, decide what happens to the connection.
//!
//! [`complete`](Context::complete) checks the response, `send_rest` (in `send.rs`) queues its
//! bytes, and [`conclude`](Context::conclude) does both after the handler, whatever the handler
//! did. The response to most requests takes the short way in `finish/fast.rs`.

use std::any::Any;

use crate::connection::Connection;
use crate::connection::close::{Cancellation, Departure};
use crate::context::Context;
use crate::context::response::{Progress, Response, ResponseError};
use crate::context::upgrade::{ServeWebSocket, Upgrade};
use crate::error::Result;
use crate::error::panic::panic_error;
use crate::http::{Method, StatusCode};
use crate::http1::encode::ResponseFraming;
use crate::http1::head::Head;
use crate::http1::header_list::HeaderRole;
use crate::scoreboard::Ending;

mod fast;

/// How a handler ended.
pub(crate) enum Outcome {
    Returned(Result),
    // Boxed twice, so that the enum is smaller.
    Panicked(Box<Box<dyn Any + Send>>),
    /// The handler was dropped at an `await`.
    Cancelled(Cancellation),
}

/// What happens to the connection after a response.
pub(crate) enum Conclusion {
    /// The connection waits for the next request.
    KeepAlive,
    /// The rest of the request's body is read and dropped. Then the connection waits.
    Drain,
    /// The connection is closed once the response is sent.
    Close,
    /// The connection is closed at once: the response is cut short.
    Abort,
    /// The connection is reset, because the client would take its end for the end of the body.
    Reset,
    /// The connection is handed over to another protocol.
    Upgrade(Upgrade),
    /// Like `Upgrade`, with the request.
    WebSocket(ServeWebSocket, Context),
}

impl Context {
    /// Finishes the response and sends it, without waiting for the client to receive it.
    ///
    /// Handlers rarely call this: the response is finished when the handler returns. Call it
    /// earlier to let the client have the response while the handler goes on.
    ///
    /// # Errors
    ///
    /// Returns [`ResponseError`] if the response is finished already, or cannot be sent as it is:
    /// it has a body although its status allows none, or its `Content-Length` is not the length of
    /// the body.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn quick(cx: &mut Context) -> Result {
    ///     cx.write("noted")?;
    ///     cx.finish()?;
    ///     assert!(cx.is_finished() && cx.write("too late").is_err());
    ///     Ok(()) // Slow work goes before this line, or into a task of its own.
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(quick))]));
    /// assert_eq!(client.get("/").send().text(), "noted");
    /// ```
    #[track_caller]
    pub fn finish(&mut self) -> Result {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        self.complete()?;
        self.send_rest()
    }

    /// Checks the response and fixes its body.
    #[track_caller]
    #[inline]
    pub(crate) fn complete(&mut self) -> Result {
        if self.exchange.response.progress() == Progress::Open {
            self.check_response()?;
            self.exchange.response.set_complete();
        }
        Ok(())
    }

    /// Checks that status, `Content-Length` and body fit together, unless the head has been sent.
    #[inline]
    pub(crate) fn check_response(&self) -> Result {
        let response = &self.exchange.response;
        let is_plain =
            response.status == StatusCode::OK && !response.headers.has(HeaderRole::ContentLength);
        if is_plain || self.is_head_sent() {
            return Ok(());
        }
        self.check_status_and_length()
    }

    #[inline(never)]
    fn check_status_and_length(&self) -> Result {
        let response = &self.exchange.response;
        if response.status.is_informational() && !self.is_upgrade() {
            return Err(ResponseError::NotFinal(response.status).into());
        }
        let written = response.body.len();
        if is_bodiless(response.status) && written > 0 {
            return Err(ResponseError::NoBodyAllowed(response.status).into());
        }
        let is_head_without_body = *self.method() == Method::HEAD && written == 0;
        if let Some(declared) = self.declared_length()?
            && declared != written
            && !is_head_without_body
            && !is_bodiless(response.status)
        {
            return Err(ResponseError::WrongLength { declared, written }.into());
        }
        Ok(())
    }

    /// Completes and queues the response after the handler has ended. Returns what happens to the
    /// connection.
    pub(crate) fn conclude(&mut self, outcome: Outcome) -> Conclusion {
        let is_aborting = self.connection.server.is_aborting();
        if !is_aborting && matches!(outcome, Outcome::Returned(Ok(()))) && self.send_fast() {
            return Conclusion::KeepAlive;
        }
        if is_aborting {
            self.log_cut();
        }
        match outcome {
            Outcome::Returned(Ok(())) => {}
            Outcome::Returned(Err(error)) => self.respond_with_error(&error),
            Outcome::Panicked(panic) => self.respond_with_error(&panic_error(&**panic)),
            Outcome::Cancelled(Cancellation::ClientGone(departure)) => {
                self.mark_disconnected(departure);
            }
            // The shutdown has cut the handler, and the client can still be sent a 503.
            Outcome::Cancelled(_) if is_aborting && !self.is_head_sent() => self.respond_to_cut(),
            Outcome::Cancelled(_) => return self.conclude_unsent(Departure::Finished),
        }
        if let Some(departure) = self.departure() {
            return self.conclude_unsent(departure);
        }
        // Middleware may have changed a response that the handler had completed.
        if !self.exchange.response.is_checked()
            && let Err(error) = self.check_response().and_then(|()| self.complete())
        {
            self.respond_with_error(&error);
        }
        if let Err(error) = self.send_rest() {
            self.log_error(&error, error.status());
        }
        self.conclude_sent()
    }

    /// The response has been queued, as far as it can be.
    fn conclude_sent(&mut self) -> Conclusion {
        let switches = self.status() == StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = self.take_upgrade().filter(|_| switches);
        let is_broken = self.exchange.response.progress() == Progress::Broken;
        // The line about a WebSocket is written when it ends.
        if is_broken || !matches!(upgrade, Some(Upgrade::WebSocket(_))) {
            self.log_access();
        }
        if is_broken {
            return self.conclude_cut();
        }
        if let Some(upgrade) = upgrade {
            return Conclusion::Upgrade(upgrade);
        }
        let is_body_read = !self.exchange.awaits_body || self.connection.is_body_done();
        if self.exchange.response.keep_alive {
            return if is_body_read { Conclusion::KeepAlive } else { Conclusion::Drain };
        }
        if !is_body_read || !self.exchange.head.has_end() {
            self.connection.set_linger();
        }
        Conclusion::Close
    }

    /// The client has disconnected, or the shutdown has cut the response. The client still receives
    /// what was finished before.
    fn conclude_unsent(&self, departure: Departure) -> Conclusion {
        self.log_access();
        if self.exchange.response.progress() == Progress::Finished {
            return Conclusion::Close;
        }
        match departure {
            // The responses before this one may still be on their way.
            Departure::Finished if !self.is_head_sent() => Conclusion::Close,
            Departure::Finished | Departure::Broken => self.conclude_cut(),
        }
    }

    fn conclude_cut(&self) -> Conclusion {
        let looks_whole = self.is_head_sent() && self.ends_with_connection();
        match looks_whole || self.connection.is_too_slow() {
            true => Conclusion::Reset,
            false => Conclusion::Abort,
        }
    }

    /// Returns how the request ended, for the scoreboard.
    pub(crate) fn ending(&self) -> Ending {
        match self.exchange.response.progress() {
            Progress::Finished => Ending::of(self.status()),
            _ if self.is_disconnected() => Ending::DISCONNECTED,
            Progress::Open | Progress::Complete | Progress::Streaming | Progress::Broken => {
                Ending::INCOMPLETE
            }
        }
    }
}

/// Whether the connection stays open after `response`, if all of the request's body is read.
#[inline]
pub(super) fn keeps_alive(
    connection: &Connection,
    request: &Head,
    response: &Response,
    framing: ResponseFraming,
) -> bool {
    // The client takes what follows such a response for another protocol, even if the handler has
    // failed after its 101, or nothing here opens tunnels (RFC 9110 §9.3.6).
    let leaves_http = response.status == StatusCode::SWITCHING_PROTOCOLS
        || request.method == Method::CONNECT && response.status.is_success();
    request.keep_alive
        && framing != ResponseFraming::UntilClose
        && !connection.server.is_draining()
        && !connection.is_at_last_request()
        && !response.headers.asks_to_close()
        && !leaves_http
}

/// Whether responses with this status have no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}
