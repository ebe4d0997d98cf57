//! What becomes of a request when its handler is done with it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use squall_runtime::{IOLoop, log, panic_location};

use crate::connection::upgrade::Serve;
use crate::connection::watch::{Cancellation, Departure};
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::error::undelivered::Undelivered;
use crate::error::{Error, HTTPError, Result};
use crate::http::StatusCode;

/// How a handler ended.
pub(crate) enum Outcome {
    Returned(Result),
    // Boxed twice, so that all others are shorter.
    Panicked(Box<Box<dyn Any + Send>>),
    /// It did not: it was dropped where it waited.
    Cancelled(Cancellation),
}

/// What becomes of the connection after a response.
pub(crate) enum Conclusion {
    KeepAlive,
    /// It is kept, once the rest of the request's body is out of the way.
    Drain,
    /// It ends, once the response is sent.
    Close,
    /// It ends at once: the response is cut short.
    Abort,
    /// It is broken off: the response is cut short, and its end would look like that of the
    /// body.
    Reset,
    Upgrade(Serve),
}

impl Context {
    /// Completes the response, and says what becomes of the connection.
    #[inline]
    pub(crate) fn conclude(&mut self, outcome: Outcome) -> Conclusion {
        if let Outcome::Returned(result) = outcome {
            if result.is_ok() && !self.connection.worker.is_aborting() && self.send_usual() {
                return Conclusion::KeepAlive;
            }
            self.conclude_specially(Outcome::Returned(result))
        } else {
            self.conclude_specially(outcome)
        }
    }

    #[inline(never)]
    fn conclude_specially(&mut self, outcome: Outcome) -> Conclusion {
        if self.connection.worker.is_aborting() {
            self.log_cut();
        }
        match outcome {
            Outcome::Returned(Ok(())) => {}
            Outcome::Returned(Err(error)) => self.answer_error(&error),
            Outcome::Panicked(panic) => self.answer_error(&panic_error(&**panic)),
            Outcome::Cancelled(Cancellation::ClientGone(departure)) => {
                self.mark_disconnected(departure);
            }
            Outcome::Cancelled(_) if self.is_refused() => self.answer_cut(),
            Outcome::Cancelled(_) => return self.conclude_left(Departure::Finished),
        }
        if let Some(departure) = self.departure() {
            return self.conclude_left(departure);
        }
        // Middleware may have changed what the handler had completed.
        if !self.is_checked()
            && let Err(error) = self.check_whole().and_then(|()| self.complete())
        {
            self.answer_error(&error);
        }
        if let Err(error) = self.send_rest() {
            self.log_error(&error);
        }
        self.log_access();
        if self.exchange.response.progress == Progress::Broken {
            return self.conclude_cut();
        }
        let switches = self.status() == StatusCode::SWITCHING_PROTOCOLS;
        match self.take_upgrade().filter(|_| switches) {
            Some(serve) => Conclusion::Upgrade(serve),
            None if !self.exchange.response.keep_alive => self.conclude_last(),
            None if self.is_body_done() => Conclusion::KeepAlive,
            None => Conclusion::Drain,
        }
    }

    /// The client takes what was finished before it left, but nothing else.
    fn conclude_left(&self, departure: Departure) -> Conclusion {
        self.log_access();
        if self.exchange.response.progress == Progress::Finished {
            return Conclusion::Close;
        }
        match departure {
            // The responses before this one are still on their way.
            Departure::Finished if !self.is_head_sent() => Conclusion::Close,
            Departure::Finished | Departure::Broken => self.conclude_cut(),
        }
    }

    /// The server ends and has not waited any longer, and the client can still be told so.
    fn is_refused(&self) -> bool {
        self.connection.worker.is_aborting()
            && self.exchange.response.progress != Progress::Finished
            && !self.is_head_sent()
    }

    /// It is in the log already.
    #[cold]
    fn answer_cut(&mut self) {
        if self.put_error(&HTTPError::SERVICE_UNAVAILABLE.into())
            && let Err(error) = self.write_error_page().and_then(|()| self.complete())
        {
            self.answer_failure(&error);
        }
    }

    /// The server ends, and has not waited any longer.
    #[cold]
    fn log_cut(&self) {
        let (method, target) = (self.method(), self.path());
        log::warn(log::GENERAL, format_args!("{method} {target} is cut: it took too long"));
    }

    fn conclude_cut(&self) -> Conclusion {
        let looks_whole = self.is_head_sent() && self.ends_with_connection();
        match looks_whole || self.connection.is_too_slow() {
            true => Conclusion::Reset,
            false => Conclusion::Abort,
        }
    }

    pub(super) fn take_upgrade(&mut self) -> Option<Serve> {
        self.exchange.seldom_mut()?.upgrade.take()
    }

    #[inline]
    fn is_body_done(&self) -> bool {
        !self.exchange.awaits_body || self.connection.is_body_done()
    }

    fn conclude_last(&self) -> Conclusion {
        if !(self.is_body_done() && self.exchange.head.has_end()) {
            self.connection.set_linger();
        }
        Conclusion::Close
    }

    /// Answers what is no request at all with what `write_error` writes. The connection ends with
    /// it.
    ///
    /// One line of the log tells of it: there is no method and no path for the access log, and
    /// whatever its status is, the fault is the client's.
    pub(crate) fn answer_refusal(
        &mut self,
        error: HTTPError,
        write_error: impl FnOnce(&mut Self, &Error) -> Result,
    ) {
        self.exchange.forget_request();
        log::warn(log::GENERAL, format_args!("no request from {}: {error}", self.client()));
        let error = error.into();
        if !self.put_error(&error) {
            return;
        }
        if let Err(error) = write_error(self, &error).and_then(|()| self.complete()) {
            self.answer_failure(&error);
        }
        if let Err(error) = self.send_rest() {
            self.log_error(&error);
        }
    }

    /// Writes the standard page of `error`, if it is not too late for it.
    pub(crate) fn answer_error(&mut self, error: &Error) {
        if !self.begin_error(error) {
            return;
        }
        if let Err(error) = self.write_error_page().and_then(|()| self.complete()) {
            self.answer_failure(&error);
        }
    }

    /// Answers with nothing but a 500, because the page of another error could not be written.
    pub(crate) fn answer_failure(&mut self, error: &Error) {
        self.write_error_line(error, true);
        if self.put_error(error) {
            let response = &mut self.exchange.response;
            response.clear();
            response.status = StatusCode::INTERNAL_SERVER_ERROR;
            response.progress = Progress::Complete;
        }
    }

    /// Has the request answered with 500, because finding who answers it panicked.
    pub(crate) fn refuse_panic(&mut self, panic: &(dyn Any + Send)) {
        self.refuse(panic_error(panic));
    }

    /// Puts `error` in the place of what was written, and logs it. `false`: the head has been
    /// sent, and only the end of the connection can tell the client; or all of the response has,
    /// and stays as it is.
    pub(crate) fn begin_error(&mut self, error: &Error) -> bool {
        self.log_error(error);
        self.put_error(error)
    }

    fn put_error(&mut self, error: &Error) -> bool {
        self.take_upgrade();
        if let Some(why) = Undelivered::of(error) {
            self.mark_disconnected(why.departure());
        }
        if self.departure().is_some() {
            return false;
        }
        if self.is_head_sent() {
            if self.exchange.response.progress != Progress::Finished {
                self.exchange.response.progress = Progress::Broken;
            }
            return false;
        }
        let response = &mut self.exchange.response;
        response.clear();
        response.progress = Progress::Open;
        response.status = error.status();
        if let Some(error) = error.http() {
            response.headers.extend(error.headers());
            if let Some(reason) = error.reason() {
                self.set_reason(reason.to_owned());
            }
        }
        true
    }

    /// Errors that are the server's, and what an error says for the log.
    fn log_error(&self, error: &Error) {
        // The line about the request that is cut says it.
        let is_for_log = error.http().is_none_or(|error| error.log_message().is_some());
        let is_cut = error.status() == StatusCode::SERVICE_UNAVAILABLE && !is_for_log;
        if is_cut && self.connection.worker.is_aborting() {
            return;
        }
        let is_of_server = error.status().is_server_error();
        if is_for_log || is_of_server {
            self.write_error_line(error, is_of_server);
        }
    }

    #[cold]
    fn write_error_line(&self, error: &Error, is_of_server: bool) {
        let request = self.request_for_log();
        if let Some(why) = Undelivered::of(error) {
            // That the client has gone is in the line of the access log.
            if matches!(why, Undelivered::TooSlow { .. }) {
                log::warn(log::GENERAL, format_args!("{request} is cut: {why}"));
            }
        } else if let Some(panic) = error.downcast_ref::<Panicked>() {
            let place = panic.place.as_ref().map_or_else(String::new, |at| format!(", at {at}"));
            log::error(log::APPLICATION, format_args!("{request}: {error}{place}"));
        } else if is_of_server {
            let place = self.place_of(error);
            log::error(log::APPLICATION, format_args!("{request}: {error}{place}"));
        } else {
            log::warn(log::GENERAL, format_args!("{request}: {error}"));
        }
    }

    /// Which line of the user an error comes from: that of the `?`, or else that of the route.
    fn place_of(&self, error: &Error) -> String {
        match (error.location_of_user(), self.exchange.policy().location) {
            (Some(location), _) => format!(", at {location}"),
            (None, Some(route)) => format!(", in the handler of the route at {route}"),
            (None, None) => String::new(),
        }
    }

    /// The method and the path; neither where there is no request.
    fn request_for_log(&self) -> String {
        match self.path() {
            path if path.is_empty() => "no request".to_owned(),
            path => format!("{} {path}", self.method()),
        }
    }

    /// Notes that this tells of the server's health: that it is not ready is no failure, and
    /// whoever asks does so again and again.
    pub(crate) fn mark_as_probe(&mut self) {
        self.exchange.make_seldom().answers_probe = true;
    }

    #[cold]
    fn answers_probe(&self) -> bool {
        self.exchange.seldom().is_some_and(|seldom| seldom.answers_probe)
    }

    /// The line of the access log: at the level of its status, as Tornado's.
    pub(super) fn log_access(&self) {
        let status = self.status();
        let level = if status.is_server_error() && !self.answers_probe() {
            log::error
        } else if status.is_client_error() {
            log::warn
        } else if log::is_access_enabled() {
            log::info
        } else {
            return;
        };
        self.write_access_line(level, status);
    }

    /// The address of the client, as it stands in the log.
    fn client(&self) -> String {
        self.remote_ip().map_or_else(|| "-".to_owned(), |ip| ip.to_string())
    }

    #[cold]
    fn write_access_line(&self, level: fn(log::Target, fmt::Arguments<'_>), status: StatusCode) {
        let took = IOLoop::present_nanos().saturating_sub(self.exchange.began);
        let (code, method, path) = (status.as_u16(), self.method(), self.path());
        let mark = if self.exchange.head.query.is_some() { "?" } else { "" };
        let (query, milliseconds) = (self.query(), took as f64 / 1e6);
        let client = self.client();
        level(
            log::ACCESS,
            format_args!("{code} {method} {path}{mark}{query} ({client}) {milliseconds:.2}ms"),
        );
    }
}

/// A panic as the error that answers it.
pub(crate) fn panic_error(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("of unknown kind").to_owned();
    Panicked { message, place: panic_location(panic) }.into()
}

/// The panic of a handler.
#[derive(Debug)]
struct Panicked {
    message: String,
    /// Where it was raised, for the log only.
    place: Option<String>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.message)
    }
}

impl StdError for Panicked {}
