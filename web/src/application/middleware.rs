//! Middleware, and how it calls the next part.

use std::fmt;

use super::contained::{TimeLimit, contained};
use crate::context::Context;
use crate::error::Result;
use crate::handler::endpoint::Endpoint;
use crate::types::local_future::LocalBoxFuture;

/// Middleware without its type: an `async` function of a context and a [`Next`].
///
/// [`Application::around`](crate::Application::around) creates it; you seldom need the trait
/// itself.
pub trait Around {
    /// Handles the request, by itself or with `next`.
    fn call<'a>(&'a self, cx: &'a mut Context, next: Next<'a>) -> LocalBoxFuture<'a, Result>;
}

impl<F> Around for F
where
    F: AsyncFn(&mut Context, Next<'_>) -> Result + 'static,
{
    fn call<'a>(&'a self, cx: &'a mut Context, next: Next<'a>) -> LocalBoxFuture<'a, Result> {
        Box::pin(self(cx, next))
    }
}

/// The next part after a middleware: another middleware, or the handler.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Next, Result, get, route};
///
/// async fn no_store(cx: &mut Context, next: Next<'_>) -> Result {
///     next.run(cx).await?;
///     cx.set_header("Cache-Control", "no-store")
/// }
///
/// let app = Application::new([route("/", get(async || "42"))]).around(no_store);
/// let response = TestClient::new(app).get("/").send();
/// assert_eq!(response.header("cache-control"), Some("no-store"));
/// ```
pub struct Next<'a> {
    rest: &'a [Box<dyn Around>],
    endpoint: &'a dyn Endpoint,
    limit: &'a TimeLimit,
}

impl<'a> Next<'a> {
    pub(super) fn new(
        rest: &'a [Box<dyn Around>],
        endpoint: &'a dyn Endpoint,
        limit: &'a TimeLimit,
    ) -> Self {
        Self { rest, endpoint, limit }
    }

    /// Runs the next part.
    ///
    /// # Errors
    ///
    /// Returns an error that has no response yet. The status, the headers and the body that were
    /// set before the error are discarded. Headers that you set now are part of the response to the
    /// error, also if you return it.
    ///
    /// - The error of a function or of an inner middleware. A
    ///   [`RequestHandler`](crate::RequestHandler) responds to its own errors, and only the
    ///   [status](Context::status) shows them.
    /// - 500 for a panic in a handler or an inner middleware, and for a response that cannot be
    ///   sent, such as a body with status 204.
    /// - 503 if the [`handler_timeout`](crate::HTTPServer::handler_timeout) expired or the server
    ///   aborts its requests. The handler was dropped where it waited.
    /// - 499 if the client disconnected before the response: see [`Context::status`]. The
    ///   middleware around the dropped part continues, but only until it waits itself.
    /// - A request that the framework refuses: 404 if no route matches, and 405, 413 and 417 if the
    ///   endpoint is functions or an [`Endpoint`] of the user.
    pub async fn run(self, cx: &mut Context) -> Result {
        let (limit, connection) = (self.limit, cx.connection());
        let result = match contained(limit, connection, || self.call(cx)).await {
            Ok(result) => result.and_then(|()| cx.check_response()),
            Err(cancellation) => Err(cx.cancelled(cancellation)),
        };
        result.inspect_err(|error| {
            cx.apply_known_status(error);
            cx.discard_response(error);
        })
    }

    fn call(self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        if let Some((first, rest)) = self.rest.split_first() {
            return first.call(cx, Next { rest, ..self });
        }
        match cx.take_refusal() {
            Some(error) => self.endpoint.refuse(cx, error),
            None => self.endpoint.call(cx),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("middleware_left", &self.rest.len()).finish_non_exhaustive()
    }
}
