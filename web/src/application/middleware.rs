use std::fmt;

use super::contained::{TimeLimit, contained};
use crate::context::Context;
use crate::error::Result;
use crate::handler::endpoint::Endpoint;
use crate::types::local_future::LocalBoxFuture;

/// Middleware, its type erased: an `async` function of a context and a [`Next`].
///
/// Made by [`Application::around`](crate::Application::around), seldom named.
pub trait Around {
    /// Answers the request, with the help of `next` or without.
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

/// What comes after a piece of middleware: the next one, or the handler.
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

    /// Lets the rest of the application answer.
    ///
    /// # Errors
    ///
    /// Returns an error that is not answered yet:
    ///
    /// - one that a function or inner middleware has returned. A
    ///   [`RequestHandler`](crate::RequestHandler) answers its errors itself: they show as the
    ///   [status](Context::status);
    /// - 500 for a panic in a handler or in inner middleware, and for a response that cannot be
    ///   sent as it is (a body with status 204);
    /// - 503 when the [`handler_timeout`](crate::HTTPServer::handler_timeout) is over, or the server
    ///   ends and waits no longer. The handler was dropped where it waited;
    /// - 499 when the client did not wait for the response: see [`Context::status`]. The middleware
    ///   around the part that was dropped then runs on, but only until it waits itself;
    /// - a request that the framework refuses: 404 if no route matches, and, where functions or an
    ///   [`Endpoint`] of the user would answer, 405, 413 and 417.
    pub async fn run(self, cx: &mut Context) -> Result {
        let (limit, connection) = (self.limit, cx.connection());
        match contained(limit, connection, || self.call(cx)).await {
            Ok(result) => result?,
            Err(cancellation) => return Err(cx.cancelled(cancellation)),
        }
        cx.check_response()
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
