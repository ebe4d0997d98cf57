//! Requests that fail: the framework refuses them, the handler is cancelled or returns an error, or
//! the client disconnects.

use std::any::Any;
use std::future::{Ready, ready};

use squall_runtime::log;

use crate::connection::body::BodyFailure;
use crate::connection::close::{Cancellation, Departure};
use crate::context::Context;
use crate::context::exchange::ErrorPage;
use crate::context::response::Progress;
use crate::error::panic::{guard, panic_error};
use crate::error::undelivered::Undelivered;
use crate::error::{Error, HTTPError, Result};
use crate::http::StatusCode;

/// Refusals. No method of a handler runs.
impl Context {
    /// Refuses the request with `error`. Middleware and
    /// [`Endpoint::refuse`](crate::Endpoint::refuse) see the error.
    pub(crate) fn refuse(&mut self, error: impl Into<Error>) {
        self.exchange.rare_mut().refusal = Some(error.into());
    }

    /// Like [`refuse`](Self::refuse), but closes the connection, because the rest of the body is
    /// not read.
    pub(crate) fn refuse_body(&mut self, failure: BodyFailure) {
        self.exchange.head.keep_alive = false;
        self.connection.set_linger();
        self.refuse(failure.error());
    }

    /// Refuses the request with 500, because looking up its endpoint panicked.
    pub(crate) fn refuse_panic(&mut self, panic: &(dyn Any + Send)) {
        self.refuse(panic_error(panic));
    }

    /// Refuses the request, because the client disconnected before its body was complete.
    pub(crate) fn refuse_disconnected(&mut self) {
        self.mark_disconnected(Departure::Finished);
        self.refuse(Undelivered::disconnected());
    }

    #[inline]
    pub(crate) fn has_refusal(&self) -> bool {
        self.exchange.rare.as_ref().is_some_and(|rare| rare.refusal.is_some())
    }

    pub(crate) fn take_refusal(&mut self) -> Option<Error> {
        self.exchange.rare.as_mut()?.refusal.take()
    }

    /// Answers with 405, and marks the context. The provided methods of a
    /// [`RequestHandler`](crate::RequestHandler) call this.
    pub(crate) fn refuse_method(&mut self) -> Ready<Result> {
        self.exchange.rare_mut().method_refused = true;
        ready(Err(HTTPError::METHOD_NOT_ALLOWED.into()))
    }

    /// Returns whether [`refuse_method`](Self::refuse_method) was called, and removes the mark.
    pub(crate) fn take_method_refused(&mut self) -> bool {
        let rare = self.exchange.rare.as_mut();
        rare.is_some_and(|rare| std::mem::take(&mut rare.method_refused))
    }
}

/// Cancellations and disconnects.
impl Context {
    /// Notes why the handler was cancelled. Returns the error that replaces its result.
    pub(crate) fn cancelled(&mut self, cancellation: Cancellation) -> Error {
        match cancellation {
            Cancellation::ClientGone(departure) => {
                self.mark_disconnected(departure);
                Undelivered::disconnected().into()
            }
            Cancellation::ServerEnds => HTTPError::SERVICE_UNAVAILABLE.into(),
            Cancellation::TimeLimit => {
                let limit = self.handler_timeout().unwrap_or_default();
                let message = format!("the handler took longer than {limit:?}");
                HTTPError::SERVICE_UNAVAILABLE.with_log_message(message).into()
            }
        }
    }

    /// Notes how the client disconnected. Only the first call counts.
    pub(crate) fn mark_disconnected(&mut self, departure: Departure) {
        self.exchange.rare_mut().departure.get_or_insert(departure);
    }

    /// Returns how the client disconnected, if it did.
    pub(super) fn departure(&self) -> Option<Departure> {
        self.exchange.rare.as_ref()?.departure
    }

    /// Whether the client disconnected before the response was finished.
    pub(super) fn is_disconnected(&self) -> bool {
        self.departure().is_some() && self.exchange.response.progress() != Progress::Finished
    }
}

impl Undelivered {
    /// A client that stops sending a body may still receive the responses before this one.
    pub(super) fn departure(&self) -> Departure {
        match self {
            Self::Disconnected => Departure::Finished,
            Self::TooSlow { .. } | Self::Gone(_) => Departure::Broken,
        }
    }
}

/// Responses to errors.
impl Context {
    /// Replaces the response with the page of `error`: its status, its headers and the standard
    /// page. Logs the error as if the handler had returned it.
    ///
    /// Middleware uses it to write its own page for the error of a function: afterwards, call
    /// [`clear_body`](Self::clear_body), or look at the [`status`](Self::status) that this sets.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// async fn nothing() -> Result {
    ///     Err(HTTPError::NOT_FOUND)?
    /// }
    ///
    /// let app = Application::new([route("/", get(nothing))]).around(async |cx, next| {
    ///     if let Err(error) = next.run(cx).await {
    ///         cx.send_error(&error);
    ///     }
    ///     cx.set_header("X-Site", "mine")
    /// });
    /// let response = TestClient::new(app).get("/").send();
    /// assert_eq!((response.status().as_u16(), response.header("x-site")), (404, Some("mine")));
    /// ```
    pub fn send_error(&mut self, error: &Error) {
        self.respond_with_error(error);
    }

    /// Logs `error` and replaces the response with its page, unless the head has been sent.
    pub(crate) fn respond_with_error(&mut self, error: &Error) {
        self.respond_with_error_by(error, Self::write_error);
    }

    /// Like [`respond_with_error`](Self::respond_with_error), with the response that `write`
    /// writes. The log level depends on the final status, which `write` may change.
    pub(crate) fn respond_with_error_by(
        &mut self,
        error: &Error,
        write: impl FnOnce(&mut Self, &Error) -> Result,
    ) {
        self.apply_known_status(error);
        if !self.put_error(error) {
            return self.log_error(error, error.status());
        }
        let written = guard(|| write(self, error).and_then(|()| self.complete()));
        self.log_error(error, self.status());
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.respond_with_bare_500(&error),
            Err(panic) => {
                let error = panic_error(&*panic);
                self.respond_with_error(&error);
            }
        }
    }

    /// Replaces the response with a 500 without a body, because the page of another error could not
    /// be written.
    pub(crate) fn respond_with_bare_500(&mut self, error: &Error) {
        self.write_error_line(error, true);
        if self.put_error(error) {
            self.exchange.clear_response();
            let response = &mut self.exchange.response;
            response.status = StatusCode::INTERNAL_SERVER_ERROR;
            response.set_complete();
        }
    }

    /// Responds with 503 to a request that the shutdown cut. The log has a line about it already.
    pub(super) fn respond_to_cut(&mut self) {
        let error = HTTPError::SERVICE_UNAVAILABLE.into();
        if self.put_error(&error)
            && let Err(error) = self.write_error(&error).and_then(|()| self.complete())
        {
            self.respond_with_bare_500(&error);
        }
    }

    /// Responds to bytes that are not a request. The connection is closed after it.
    ///
    /// Logs one line. It is a warning whatever the status is, because the client is at fault. The
    /// access log has no line, because there is no method and no path.
    pub(crate) fn respond_to_malformed(&mut self, error: HTTPError) {
        self.exchange.clear_request();
        let client = self.client_for_log();
        log::warn(log::GENERAL, format_args!("rejected request from {client}: {error}"));
        let error = error.into();
        if !self.put_error(&error) {
            return;
        }
        if let Err(error) = self.write_error(&error).and_then(|()| self.complete()) {
            self.respond_with_bare_500(&error);
        }
        if let Err(error) = self.send_rest() {
            self.log_error(&error, error.status());
        }
    }

    /// Discards the response that `error` replaces, unless the error has done so before. Middleware
    /// then sets headers that the response to the error keeps.
    pub(crate) fn discard_response(&mut self, error: &Error) {
        if !self.is_head_sent() && Undelivered::of(error).is_none() && error.discards() {
            self.exchange.clear_response();
        }
    }

    /// Keeps the message and the body of `error` for
    /// [`write_error_page`](Self::write_error_page).
    fn set_error_page(&mut self, error: &Error) {
        let message = error.http().and_then(HTTPError::message).map(str::to_owned);
        let body = error.http().and_then(HTTPError::body).cloned();
        if message.is_some() || body.is_some() || self.exchange.rare.is_some() {
            self.exchange.rare_mut().error_page = ErrorPage { message, body };
        }
    }

    /// Replaces the response with the status and the headers of `error`.
    ///
    /// Returns `false` if no page may follow. Either the client has disconnected; or the head has
    /// been sent, so that only the end of the connection shows the client that something failed.
    fn put_error(&mut self, error: &Error) -> bool {
        self.take_upgrade();
        if let Some(why) = Undelivered::of(error) {
            self.mark_disconnected(why.departure());
        }
        if self.departure().is_some() {
            return false;
        }
        if self.is_head_sent() {
            self.exchange.response.set_broken();
            return false;
        }
        self.discard_response(error);
        let response = &mut self.exchange.response;
        response.clear_body();
        response.status = error.status();
        if let Some(error) = error.http() {
            response.headers.extend(error.headers());
            if let Some(reason) = error.reason() {
                self.set_reason(reason.to_owned());
            }
        }
        self.set_error_page(error);
        true
    }
}
