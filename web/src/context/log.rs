//! The lines that the log gets about a request.

use std::fmt;
use std::panic::Location;

use squall_runtime::{IOLoop, log};

use crate::context::Context;
use crate::error::Error;
use crate::error::panic::Panicked;
use crate::error::undelivered::Undelivered;
use crate::http::StatusCode;

impl Context {
    /// Logs an error if it is the server's fault, or if it has a message for the log.
    pub(super) fn log_error(&self, error: &Error, status: StatusCode) {
        let has_message =
            error.http().is_none_or(|error| error.log_message().or(error.message()).is_some());
        let is_cut = status == StatusCode::SERVICE_UNAVAILABLE && !has_message;
        if is_cut && self.connection.server.is_aborting() {
            // `log_cut` has logged it.
            return;
        }
        let is_of_server = status.is_server_error();
        if has_message || is_of_server {
            self.write_error_line(error, is_of_server);
        }
    }

    pub(super) fn write_error_line(&self, error: &Error, is_of_server: bool) {
        let request = self.request_for_log();
        if let Some(why) = Undelivered::of(error) {
            // A plain disconnect is in the access log.
            if matches!(why, Undelivered::TooSlow { .. }) {
                log::warn(log::GENERAL, format_args!("{request} aborted: {why}"));
            }
        } else if is_of_server || error.downcast_ref::<Panicked>().is_some() {
            log_failure(&request, error, self.exchange.policy().location);
        } else {
            log::warn(log::GENERAL, format_args!("{request}: {error}"));
        }
    }

    /// Logs that the request was not finished when the shutdown time-out ended.
    pub(super) fn log_cut(&self) {
        let (method, target) = (self.method(), self.path());
        log::warn(
            log::GENERAL,
            format_args!("{method} {target} aborted: the server shut down before it finished"),
        );
    }

    /// Notes that the status reports the health of the server. A probe that finds the server not
    /// ready repeats, and must not fill the log with errors.
    pub(crate) fn mark_as_probe(&mut self) {
        self.exchange.rare_mut().answers_probe = true;
    }

    /// Writes the line of the access log. Its level depends on the status, as in Tornado.
    pub(super) fn log_access(&self) {
        let status = self.status();
        let answers_probe = || self.exchange.rare.as_ref().is_some_and(|rare| rare.answers_probe);
        if status.is_server_error() && !answers_probe() {
            self.write_access_line(log::error, status);
        } else if status.is_client_error() {
            self.write_access_line(log::warn, status);
        } else if log::is_access_enabled() {
            self.write_access_line(log::info, status);
        }
    }

    #[cold]
    fn write_access_line(&self, level: fn(log::Target, fmt::Arguments<'_>), status: StatusCode) {
        let took = IOLoop::present_nanos().saturating_sub(self.exchange.began);
        let (request, milliseconds) = (self.access_text(status), took as f64 / 1e6);
        level(log::ACCESS, format_args!("{request} {milliseconds:.2}ms"));
    }

    /// Returns the line of the access log without the time that the request took.
    pub(crate) fn access_text(&self, status: StatusCode) -> String {
        let (code, method, path) = (status.as_u16(), self.method(), self.path());
        let mark = if self.exchange.head.query.is_some() { "?" } else { "" };
        let (query, client) = (self.query(), self.client_for_log());
        format!("{code} {method} {path}{mark}{query} ({client})")
    }

    /// Returns the method and the path, or a replacement if there was no request.
    fn request_for_log(&self) -> String {
        match self.path() {
            path if path.is_empty() => "no request".to_owned(),
            path => format!("{} {path}", self.method()),
        }
    }

    /// Returns the address of the client, or `-` over a Unix socket and after the client has reset
    /// the connection, because the kernel has forgotten the address by then.
    pub(super) fn client_for_log(&self) -> String {
        self.remote_ip().map_or_else(|| "-".to_owned(), |ip| ip.to_string())
    }
}

/// Logs an error of user code. `route` is the line of its route.
pub(crate) fn log_failure(request: &str, error: &Error, route: Option<&'static Location<'static>>) {
    let place = place_of(error, route);
    log::error(log::APPLICATION, format_args!("{request}: {error}{place}"));
}

/// Names the user's line that an error comes from: the line of the panic or of the `?`, otherwise
/// the line of the route.
fn place_of(error: &Error, route: Option<&'static Location<'static>>) -> String {
    if let Some(panic) = error.downcast_ref::<Panicked>() {
        return panic.place.as_ref().map_or_else(String::new, |at| format!(", at {at}"));
    }
    match (error.location_of_user(), route) {
        (Some(location), _) => format!(", at {location}"),
        (None, Some(route)) => format!(", in the handler of the route at {route}"),
        (None, None) => String::new(),
    }
}
