//! The hooks that write the responses to errors.

use std::error::Error as StdError;

use super::Application;
use crate::context::Context;
use crate::context::error_hooks::ErrorHooks;
use crate::error::{Error, Result};
use crate::handler::respond::Respond;

impl Application {
    /// Makes `hook` write the response to every error, in place of the standard page.
    ///
    /// It is called for the errors of functions and of handlers (unless the handler has a
    /// [`write_error`](crate::RequestHandler::write_error) of its own), for panics and expired time
    /// limits, for refused requests (404, 405, 413, 417), and for malformed ones. It runs outside of
    /// all [middleware](Self::around), which sees the error first and may respond to it with
    /// [`send_error`](Context::send_error); that calls the hook as well.
    ///
    /// Before the call, the status and the headers are those of the error, and the body is empty.
    /// Headers that middleware has set after the error are there, too. The hook may change the
    /// status. It cannot wait. The error is logged by its final status: as a warning below 500, if
    /// it has something to say, and otherwise as an error.
    ///
    /// A malformed request has no method, path or headers: a malformed head (400), one that was not
    /// complete in time (408), one that is too long (414, 431), one that the server does not support
    /// (501, 505), or a malformed PROXY protocol header (400, 403). The hook then finds that
    /// [`has_request`](Context::has_request) is `false`; the method is `GET`, and the path is empty.
    /// No middleware sees these. The connection is closed after the response.
    ///
    /// If `hook` returns an error or panics, that is logged as well, and the response is a 500
    /// without a body. If the head has been sent, there is no response to write: the connection is
    /// cut, and `hook` is not called.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, HTTPError, Result, get, route};
    ///
    /// async fn closed() -> Result {
    ///     Err(HTTPError::FORBIDDEN.with_message("only for members"))?
    /// }
    ///
    /// let app = Application::new([route("/", get(closed))]).on_error(|cx, error| cx.problem(error));
    /// let client = TestClient::new(app);
    /// let response = client.get("/").send();
    /// assert_eq!(response.header("content-type"), Some("application/problem+json"));
    /// assert_eq!(
    ///     response.text(),
    ///     r#"{"title":"Forbidden","status":403,"detail":"only for members"}"#,
    /// );
    /// assert_eq!(client.get("/nowhere").send().text(), r#"{"title":"Not Found","status":404}"#);
    /// assert!(client.exchange("no request\r\n\r\n").ends_with(r#""status":400}"#));
    /// ```
    #[must_use]
    pub fn on_error<F>(self, hook: F) -> Self
    where
        F: Fn(&mut Context, &Error) -> Result + 'static,
    {
        self.errors.borrow_mut().of_all = Some(Box::new(hook));
        self
    }

    /// Makes `hook` write the response to errors of the type `E`. It comes before
    /// [`on_error`](Self::on_error), and has the same rules. With several hooks, the first that fits
    /// wins.
    ///
    /// The hook returns the response, as a function does, but not a stream, because it cannot wait. If it returns an error, the response is a
    /// 500 without a body.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    ///
    /// use squall::testing::TestClient;
    /// use squall::{Application, Result, StatusCode, get, route};
    ///
    /// async fn double(text: String) -> Result<String> {
    ///     Ok((2 * text.parse::<i32>()?).to_string())
    /// }
    ///
    /// let app = Application::new([route("/{text}", get(double))])
    ///     .on_error_of(|_, error: &ParseIntError| (StatusCode::BAD_REQUEST, error.to_string()));
    /// let client = TestClient::new(app);
    /// assert_eq!(client.get("/21").send().text(), "42");
    /// let response = client.get("/x").send();
    /// assert_eq!(response.status(), 400);
    /// assert_eq!(response.text(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn on_error_of<E, R, F>(self, hook: F) -> Self
    where
        E: StdError + 'static,
        R: Respond,
        F: Fn(&mut Context, &E) -> R + 'static,
    {
        self.errors.borrow_mut().of_types.push(Box::new(move |cx, error| {
            let error = error.downcast_ref::<E>()?;
            Some(hook(cx, error).respond(cx))
        }));
        self
    }

    /// Returns the hooks, and the statuses of the failures that functions return.
    pub(crate) fn take_error_hooks(&self) -> ErrorHooks {
        let mut hooks = self.errors.take();
        self.rows.iter().for_each(|row| row.endpoint.know(&mut hooks.failures));
        self.fallbacks.endpoints().for_each(|(endpoint, _)| endpoint.know(&mut hooks.failures));
        hooks
    }
}
