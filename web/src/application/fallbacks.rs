//! What answers a request that no row matches.

use std::panic::Location;
use std::rc::Rc;

use super::flatten::Fallback;
use super::middleware::Around;
use crate::context::Context;
use crate::error::{HTTPError, Result};
use crate::handler::endpoint::Endpoint;
use crate::http::Method;
use crate::routing::Router;
use crate::types::drop_each::DropEach;
use crate::types::local_future::LocalBoxFuture;

/// The fallbacks of scopes and of the application.
pub(super) struct Fallbacks {
    /// Finds the innermost scope for a path. Each has two patterns.
    router: Router,
    scopes: Vec<Scoped>,
    /// The fallback of the application.
    last: Option<Found>,
}

/// A scope that has a fallback, or middleware, which sees its requests.
struct Scoped {
    endpoint: Option<Found>,
    around: Vec<Rc<dyn Around>>,
}

impl Fallbacks {
    pub(super) fn new(fallbacks: Vec<Fallback>) -> Self {
        let patterns = fallbacks.iter().flat_map(|fallback| {
            fallback.patterns.iter().map(|pattern| (fallback.host.as_ref(), pattern))
        });
        let router = Router::new(patterns);
        let scopes = fallbacks.into_iter().map(|Fallback { endpoint, around, .. }| Scoped {
            endpoint: endpoint.map(|(endpoint, location)| Found { endpoint, location }),
            around,
        });
        Self { router, scopes: scopes.collect(), last: None }
    }

    pub(super) fn set_last(
        &mut self,
        endpoint: Box<dyn Endpoint>,
        location: &'static Location<'static>,
    ) {
        self.last = Some(Found { endpoint, location });
    }

    /// Returns the endpoint for the request, and the middleware of its scopes.
    ///
    /// A scope without a fallback leaves the request to the application: its middleware still sees
    /// the response.
    pub(super) fn find(&self, cx: &Context) -> (&[Rc<dyn Around>], &dyn Endpoint) {
        let found = match self.scopes.is_empty() {
            true => None,
            false => cx.find_elsewhere(&self.router).map(|place| &self.scopes[place / 2]),
        };
        let around = found.map_or(&[][..], |scope| &scope.around);
        let endpoint = found.and_then(|scope| scope.endpoint.as_ref()).or(self.last.as_ref());
        (around, endpoint.map_or(&NotFound, |endpoint| endpoint as &dyn Endpoint))
    }

    pub(super) fn clear(&mut self, each: &mut DropEach) {
        self.scopes.drain(..).for_each(|scope| {
            each.drop(scope.endpoint);
            scope.around.into_iter().for_each(|middleware| each.drop(middleware));
        });
        each.drop(self.last.take());
    }

    /// Returns the endpoints, and the lines that set them.
    pub(super) fn endpoints(
        &self,
    ) -> impl Iterator<Item = (&dyn Endpoint, &'static Location<'static>)> {
        let of_scopes = self.scopes.iter().filter_map(|scope| scope.endpoint.as_ref());
        of_scopes.chain(&self.last).map(|found| (&*found.endpoint, found.location))
    }
}

/// The endpoint of a fallback. It answers with 404 where it does not have the method.
struct Found {
    endpoint: Box<dyn Endpoint>,
    location: &'static Location<'static>,
}

impl Endpoint for Found {
    fn allowed(&self, cx: &mut Context) -> &[Method] {
        self.endpoint.allowed(cx)
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        match self.endpoint.allowed(cx).contains(cx.method()) {
            true => self.endpoint.call(cx),
            false => NotFound.call(cx),
        }
    }

    fn refuse<'a>(
        &'a self,
        cx: &'a mut Context,
        error: crate::error::Error,
    ) -> LocalBoxFuture<'a, Result> {
        self.endpoint.refuse(cx, error)
    }
}

/// The endpoint where no route matches. CONNECT never matches a route, because its target has no
/// path.
struct NotFound;

impl Endpoint for NotFound {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[]
    }

    fn call<'a>(&'a self, _: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(std::future::ready(Err(HTTPError::NOT_FOUND.into())))
    }
}
