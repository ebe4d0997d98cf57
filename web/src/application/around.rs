use std::fmt;

use crate::context::Context;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::local_future::LocalBoxFuture;

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
}

impl<'a> Next<'a> {
    pub(crate) fn new(rest: &'a [Box<dyn Around>], endpoint: &'a dyn Endpoint) -> Self {
        Self { rest, endpoint }
    }

    /// Lets the rest of the application answer.
    ///
    /// # Errors
    ///
    /// What a function returned as an error and nobody has answered yet. A
    /// [`RequestHandler`](crate::RequestHandler) answers its errors itself: they show as the
    /// [status](Context::status).
    pub async fn run(self, cx: &mut Context) -> Result {
        self.call(cx).await
    }

    pub(crate) fn call<'c>(self, cx: &'c mut Context) -> LocalBoxFuture<'c, Result>
    where
        'a: 'c,
    {
        match self.rest.split_first() {
            Some((first, rest)) => first.call(cx, Next { rest, endpoint: self.endpoint }),
            None => self.endpoint.call(cx),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("middleware_left", &self.rest.len()).finish_non_exhaustive()
    }
}
