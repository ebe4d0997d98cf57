//! Middleware, and how it calls the next part.

use std::fmt;
use std::rc::Rc;

use super::contained::{TimeLimit, contained};
use crate::context::Context;
use crate::error::Result;
use crate::handler::endpoint::Endpoint;
use crate::types::local_future::LocalBoxFuture;

/// Middleware of any type.
pub(crate) trait Around {
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

/// Middleware that is a type, with settings for example.
///
/// [`Application::middleware`](crate::Application::middleware) and
/// [`Route::middleware`](crate::Route::middleware) add it. Middleware without settings can be an
/// async function: see [`Application::around`](crate::Application::around), which also describes the
/// rules for all middleware.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Middleware, Next, Result, get, route};
///
/// struct CacheFor(u32);
///
/// impl Middleware for CacheFor {
///     async fn handle(&self, cx: &mut Context, next: Next<'_>) -> Result {
///         let result = next.run(cx).await;
///         cx.set_header("Cache-Control", format!("max-age={}", self.0))?;
///         result
///     }
/// }
///
/// let app = Application::new([
///     route("/", get(async || "short")).middleware(CacheFor(10)),
///     route("/logo", get(async || "long")),
/// ]);
/// let client = TestClient::new(app.middleware(CacheFor(3600)));
/// assert_eq!(client.get("/logo").send().header("cache-control"), Some("max-age=3600"));
/// ```
pub trait Middleware: 'static {
    /// Handles the request, by itself or with `next`.
    ///
    /// # Errors
    ///
    /// The error becomes the response, unless middleware around this one responds to it.
    fn handle(&self, cx: &mut Context, next: Next<'_>) -> impl Future<Output = Result>;
}

/// Makes a [`Middleware`] one of any type.
pub(super) struct Stateful<M>(pub(super) M);

impl<M: Middleware> Around for Stateful<M> {
    fn call<'a>(&'a self, cx: &'a mut Context, next: Next<'a>) -> LocalBoxFuture<'a, Result> {
        Box::pin(self.0.handle(cx, next))
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
    rest: &'a [Rc<dyn Around>],
    /// The middleware of the scopes and the row, which follows `rest`.
    inner: &'a [Rc<dyn Around>],
    endpoint: &'a dyn Endpoint,
    limit: &'a TimeLimit,
}

impl<'a> Next<'a> {
    pub(super) fn new(
        rest: &'a [Rc<dyn Around>],
        inner: &'a [Rc<dyn Around>],
        endpoint: &'a dyn Endpoint,
        limit: &'a TimeLimit,
    ) -> Self {
        Self { rest, inner, endpoint, limit }
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
        if let Some((first, rest)) = self.inner.split_first() {
            return first.call(cx, Next { rest, inner: &[], ..self });
        }
        match cx.take_refusal() {
            Some(error) => self.endpoint.refuse(cx, error),
            None => self.endpoint.call(cx),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("middleware_left", &(self.rest.len() + self.inner.len()))
            .finish_non_exhaustive()
    }
}
