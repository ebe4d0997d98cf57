//! What may stand in a route, its type erased: the one seam between the table and the code
//! of its user.

use std::any::Any;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::handler::future_slot::Answer;
use crate::http::Method;
use crate::types::local_future::LocalBoxFuture;

/// Answers the requests of a route.
///
/// Made by [`route`](crate::route()) and [`regex`](crate::regex()) from a
/// [`RequestHandler`](crate::RequestHandler) or from functions; seldom named.
///
/// The framework decides which requests an endpoint gets: those of the methods that it
/// [allows](Self::allowed), whose body is not too large and whose expectations can be met.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Endpoint, IntoEndpoint, LocalBoxFuture, Method, Result, route};
///
/// struct Hello;
///
/// impl Endpoint for Hello {
///     fn allowed(&self, _: &mut Context) -> &[Method] {
///         &[Method::GET]
///     }
///
///     fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
///         Box::pin(async { cx.write("hello") })
///     }
/// }
///
/// struct Own;
///
/// impl IntoEndpoint<Own> for Hello {
///     fn into_endpoint(self) -> Box<dyn Endpoint> {
///         Box::new(self)
///     }
/// }
///
/// let client = TestClient::new(Application::new([route("/", Hello)]));
/// assert_eq!(client.get("/").send().text(), "hello");
/// assert_eq!(client.post("/").send().status(), 405);
/// ```
pub trait Endpoint {
    /// The methods that are answered with something other than 405.
    ///
    /// `cx` is that of the request that asks first; it is left as it was. They must be the same for
    /// all requests: a method that was among them is not asked about again.
    fn allowed(&self, cx: &mut Context) -> &[Method];

    /// How many path arguments the endpoint takes by position: the pattern must have as many.
    fn path_arguments(&self) -> usize {
        0
    }

    /// Answers one request. The box returned is the only allocation made on the way.
    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result>;

    /// Answers a request that the framework refuses with `error`: 405 for a method that is not
    /// [allowed](Self::allowed), 413 for a body that is too large, 417 for an expectation that cannot
    /// be met, 4xx for a body that cannot be read. [`call`](Self::call) is not called then.
    ///
    /// By default returns `error`: middleware sees it, and its standard page is the response.
    fn refuse<'a>(&'a self, cx: &'a mut Context, error: Error) -> LocalBoxFuture<'a, Result> {
        let _ = cx;
        Box::pin(std::future::ready(Err(error)))
    }

    /// Itself, if it can be merged with the endpoint of another row.
    #[doc(hidden)]
    fn mergeable(&mut self) -> Option<&mut dyn Any> {
        None
    }

    /// Answers a request for which nothing but this endpoint is to be asked, without allocating.
    ///
    /// # Errors
    ///
    /// The context, from an endpoint that has to be [called](Self::call).
    #[doc(hidden)]
    fn answer(&self, cx: Context) -> Result<Answer, Context> {
        Err(cx)
    }
}

/// A value that can stand in the route table: a [`RequestHandler`](crate::RequestHandler), or
/// [`Functions`](crate::Functions).
///
/// `Kind` is inferred, and lets another kind of handler stand in the same table.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer the requests of a route",
    label = "neither a `RequestHandler` nor functions",
    note = "for a struct, implement `RequestHandler`; for a function, name its method: `route(\"/\", get(function))`",
    note = "what makes a handler is called: `route(\"/metrics\", metrics::handler())`"
)]
pub trait IntoEndpoint<Kind> {
    /// Erases the type.
    fn into_endpoint(self) -> Box<dyn Endpoint>;
}

/// The kinds of endpoint and of path argument, told apart so that each may have a blanket
/// implementation.
pub mod kind {
    /// A [`RequestHandler`](crate::RequestHandler).
    #[derive(Debug)]
    pub struct Handler;

    /// [`Functions`](crate::Functions).
    #[derive(Debug)]
    pub struct Functions;

    /// A [path argument](crate::PathArgument) that the path must have.
    #[derive(Debug)]
    pub struct Required;

    /// A [path argument](crate::PathArgument) that the path may lack: an `Option`.
    #[derive(Debug)]
    pub struct Optional;
}
