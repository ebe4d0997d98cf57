//! The trait behind a row of the route table: it erases the type of the user's code.

use std::any::Any;

use crate::context::Context;
use crate::error::{Error, KnownFailures, Result};
use crate::handler::future_slot::RunningHandler;
use crate::handler::parameters::needs::Needs;
use crate::http::Method;
use crate::types::local_future::LocalBoxFuture;

/// Answers the requests of a route.
///
/// [`route`](crate::route()) and [`regex`](crate::regex()) make an endpoint from a
/// [`RequestHandler`](crate::RequestHandler) or from functions. Programs rarely name this trait.
///
/// The framework decides which requests reach an endpoint: those with an [allowed](Self::allowed)
/// method, a body that is not too large, and an expectation that can be met.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Endpoint, IntoEndpoint, Method, Result, route};
/// use squall::LocalBoxFuture;
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
    /// Returns the methods that the endpoint answers. Any other method is answered with 405.
    ///
    /// `cx` is the context of the request that asks first. Leave it unchanged. The methods must be
    /// the same for all requests, because the framework remembers a method that was allowed once.
    fn allowed(&self, cx: &mut Context) -> &[Method];

    /// Returns how many path arguments the endpoint takes by position. The pattern must have as
    /// many. The default is 0.
    fn path_arguments(&self) -> usize {
        0
    }

    /// Answers one request.
    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result>;

    /// Answers a request that the framework refuses with `error`, instead of [`call`](Self::call).
    ///
    /// The error is 405 for a method that is not [allowed](Self::allowed), 413 for a body that is
    /// too large, 417 for an expectation that cannot be met, or 4xx for a body that cannot be read.
    ///
    /// By default returns `error`: middleware sees it, and the response is its standard page.
    fn refuse<'a>(&'a self, cx: &'a mut Context, error: Error) -> LocalBoxFuture<'a, Result> {
        let _ = cx;
        Box::pin(std::future::ready(Err(error)))
    }

    /// Returns the methods for a [list](crate::Application::routes) of the routes. The default is
    /// none: they are not known before a request.
    fn methods(&self) -> Vec<Method> {
        Vec::new()
    }

    /// Reports the [state](crate::State) that the endpoint needs. The default is none.
    fn needs(&self, needs: &mut Needs) {
        let _ = needs;
    }

    /// Reports the failures that the endpoint returns.
    #[doc(hidden)]
    fn know(&self, known: &mut KnownFailures) {
        let _ = known;
    }

    /// Returns itself if the endpoint of another row can be merged into it.
    #[doc(hidden)]
    fn mergeable(&mut self) -> Option<&mut dyn Any> {
        None
    }

    /// Starts to answer a request that no middleware and no time limit is around, without
    /// allocating. The default leaves the request to [`call`](Self::call).
    #[doc(hidden)]
    fn start(&self, cx: Context) -> Started {
        Started::CallInstead(cx)
    }
}

/// The result of [`Endpoint::start`].
#[doc(hidden)]
#[derive(Debug)]
pub enum Started {
    /// The handler is running and owns the context.
    Running(RunningHandler),
    /// The endpoint must be [called](Endpoint::call), with the context that this gives back.
    CallInstead(Context),
}

/// A value that can be the endpoint of a route: a [`RequestHandler`](crate::RequestHandler) or
/// [`Functions`](crate::Functions).
///
/// `Kind` is inferred. It lets handlers and functions have an implementation each. To make a type
/// of your own an endpoint, see the example of [`Endpoint`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer the requests of a route",
    label = "neither a `RequestHandler` nor functions",
    note = "for a struct, implement `RequestHandler`; for a function, name its method: `route(\"/\", get(function))`",
    note = "a function that returns a handler must be called: `route(\"/metrics\", metrics::handler())`"
)]
pub trait IntoEndpoint<Kind> {
    /// Erases the type.
    fn into_endpoint(self) -> Box<dyn Endpoint>;
}

/// Marker types for the kinds of endpoint and of path argument. They keep the blanket
/// implementations apart; programs do not name them.
pub mod kind {
    /// A [`RequestHandler`](crate::RequestHandler).
    #[derive(Debug)]
    pub struct Handler;

    /// [`Functions`](crate::Functions).
    #[derive(Debug)]
    pub struct Functions;

    /// A required [path argument](crate::PathArgument).
    #[derive(Debug)]
    pub struct Required;

    /// An optional [path argument](crate::PathArgument): an `Option`.
    #[derive(Debug)]
    pub struct Optional;
}
