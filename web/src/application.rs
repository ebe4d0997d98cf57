//! [`Application`]: the route table and the middleware.
//!
//! # Layout
//! - [`route`]: one row of the route table;
//! - [`errors`]: the hooks that write the responses to errors;
//! - [`state`]: the state that requests share;
//! - [`table`]: checks the rows and merges those of functions;
//! - [`middleware`]: middleware, and how it calls the next part;
//! - [`contained`]: stops panics and time-outs at the boundary of a handler or a middleware.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::context::Context;
use crate::context::error_hooks::ErrorHooks;
use crate::context::policy::Target;
use crate::error::{HTTPError, Result};
use crate::handler::endpoint::{Endpoint, Started};
use crate::http::Method;
use crate::routing::Index;
use crate::types::drop_each::DropEach;
use crate::types::local_future::LocalBoxFuture;
use crate::types::state_map::StateMap;

mod contained;
mod errors;
mod middleware;
pub(crate) mod route;
mod state;
mod table;

use contained::TimeLimit;
use route::Route;
use table::Table;

pub use middleware::{Around, Next};
pub use state::MissingState;

pub(crate) use state::StopHook;
pub use table::{ReverseUrlError, TableError};

/// The routes of a server, and the middleware around them.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, RequestHandler, Result, route};
///
/// #[derive(Clone)]
/// struct MainHandler;
///
/// impl RequestHandler for MainHandler {
///     async fn get(&mut self, cx: &mut Context) -> Result {
///         cx.write("Hello, world")
///     }
/// }
///
/// let app = Application::new([route("/", MainHandler)]);
/// assert_eq!(TestClient::new(app).get("/").send().text(), "Hello, world");
/// ```
pub struct Application {
    routes: Vec<Route>,
    names: HashMap<String, usize>,
    index: Index,
    /// The allowed methods of each row, as far as they are known.
    allowed: Box<[AllowedCache]>,
    /// The outermost middleware comes first.
    around: Vec<Box<dyn Around>>,
    state: Rc<StateMap>,
    on_stop: RefCell<Vec<StopHook>>,
    errors: RefCell<ErrorHooks>,
}

impl Application {
    /// Creates an application of `routes`. The first route that matches a path wins.
    ///
    /// Routes of functions with the same pattern and the same options count as one, in the place of
    /// the first: `route("/a", get(list)), route("/a", post(create))`. Each may have a name.
    ///
    /// # Panics
    ///
    /// Panics if the route table is invalid. The message names the row, and the other row if two
    /// conflict. [`try_new`](Self::try_new) returns an error instead. A table is invalid if
    ///
    /// - a pattern is malformed;
    /// - a function takes more arguments than its pattern has;
    /// - two rows for different paths have the same name;
    /// - two functions have the same method and the same paths;
    /// - rows with the same pattern have different options, or one of them is a
    ///   [`RequestHandler`](crate::RequestHandler) or an [`Endpoint`] of the user;
    /// - a row can never match, because an earlier row matches all of its paths, such as `/{name}`
    ///   before `/about` or before `/{id}`. Rows with a regular expression are not checked.
    #[track_caller]
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        match Self::try_new(routes) {
            Ok(application) => application,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`new`](Self::new), but returns an error if the route table is invalid.
    ///
    /// # Errors
    ///
    /// Returns the problem of the first invalid row.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{Application, get, route};
    ///
    /// async fn hello() {}
    ///
    /// let error = Application::try_new([route("/", get(hello)), route("/{", get(hello))]);
    /// assert!(error.unwrap_err().to_string().starts_with("route 2, \"/{\":"));
    /// ```
    pub fn try_new(routes: impl IntoIterator<Item = Route>) -> Result<Self, TableError> {
        let Table { routes, names, .. } = Table::new(routes)?;
        let index = Index::new(routes.iter().filter_map(|route| route.pattern.as_deref().ok()));
        let allowed = routes.iter().map(|_| AllowedCache::default()).collect();
        Ok(Self {
            routes,
            names,
            index,
            allowed,
            around: Vec::new(),
            state: Rc::default(),
            on_stop: RefCell::default(),
            errors: RefCell::default(),
        })
    }

    /// Adds `middleware` around all handlers and all middleware added before.
    ///
    /// The middleware gets the request and the next part, and decides what happens before, after or
    /// instead of it. All requests pass through it: also those that no route matches (404), those
    /// that are refused before their body is read (405, 413, 417), and `OPTIONS`. Malformed
    /// requests do not: see [`on_error`](Self::on_error). Each middleware costs one allocation per
    /// request.
    ///
    /// When `next` returns, a handler has written its response, including the response to its
    /// error. Unless it flushed, nothing has been sent yet, and status and headers can still be
    /// changed. If handlers flush, check [`is_head_sent`](Context::is_head_sent). `next` returns
    /// the error of a function: respond to it with [`send_error`](Context::send_error), or pass it
    /// on with `?`. It also returns an error for a panic and for an expired
    /// [`handler_timeout`](crate::HTTPServer::handler_timeout): see [`Next::run`].
    ///
    /// The time limit covers the handler and its middleware together. When it expires, the
    /// innermost part that waits is dropped. The parts around it then have the same time again.
    ///
    /// The response to an error replaces everything written before, including headers. So set a
    /// header that every response should have after `next`, whether it returned an error or not:
    ///
    /// ```
    /// # use squall::testing::TestClient;
    /// # use squall::{Application, Context, Next, Result};
    /// async fn cors(cx: &mut Context, next: Next<'_>) -> Result {
    ///     let result = next.run(cx).await;
    ///     if !cx.is_head_sent() {
    ///         cx.set_header("Access-Control-Allow-Origin", "*")?;
    ///     }
    ///     result
    /// }
    ///
    /// let client = TestClient::new(Application::new([]).around(cors));
    /// let response = client.get("/nowhere").send();
    /// assert_eq!(response.status(), 404);
    /// assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    /// ```
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPError, get, route};
    ///
    /// async fn secret() -> &'static str {
    ///     "42"
    /// }
    ///
    /// let app = Application::new([route("/secret", get(secret))]).around(async |cx, next| {
    ///     if cx.header("authorization").is_none() {
    ///         return Err(HTTPError::FORBIDDEN.into());
    ///     }
    ///     next.run(cx).await?;
    ///     if !cx.is_head_sent() {
    ///         cx.set_header("Cache-Control", "no-store")?;
    ///     }
    ///     Ok(())
    /// });
    /// let client = TestClient::new(app);
    /// assert_eq!(client.get("/secret").send().status(), 403);
    /// let response = client.get("/secret").header("Authorization", "me").send();
    /// assert_eq!(response.header("cache-control"), Some("no-store"));
    /// ```
    #[must_use]
    pub fn around<F>(mut self, middleware: F) -> Self
    where
        F: AsyncFn(&mut Context, Next<'_>) -> Result + 'static,
    {
        self.around.insert(0, Box::new(middleware));
        self
    }

    /// Returns the path of the route called `name`, with `arguments` in their places,
    /// percent-encoded.
    ///
    /// # Errors
    ///
    /// Returns an error if no route has this name, if the number of arguments is wrong, or if the
    /// pattern is a regular expression that cannot be reversed.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{Application, get, route};
    ///
    /// async fn user() {}
    ///
    /// let app = Application::new([route("/user/{name}", get(user)).name("user")]);
    /// assert_eq!(app.reverse_url("user", &["Ada L."]).unwrap(), "/user/Ada%20L.");
    /// ```
    pub fn reverse_url(&self, name: &str, arguments: &[&str]) -> Result<String, ReverseUrlError> {
        table::reverse(&self.routes, &self.names, name, arguments)
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Fast path of [`find`](Self::find): same result; skip on a first reading.
    ///
    /// Returns `false` unless `find` has allowed a request with the same row and method before.
    /// Runs no user code.
    #[inline]
    pub(crate) fn find_fast(&self, cx: &mut Context) -> bool {
        let Some(row) = cx.row() else { return false };
        let is_known = self.allowed.get(row).is_some_and(|allowed| allowed.has(cx.method()));
        if is_known {
            cx.set_target(Target::Route(row));
            cx.apply_policy();
        }
        is_known
    }

    /// Finds the endpoint for the request of `cx`, and refuses the request if its head shows that
    /// it cannot be served.
    pub(crate) fn find(&self, cx: &mut Context) {
        let target = match cx.row() {
            Some(row) => Target::Route(row),
            None if cx.is_for_server() => Target::Options,
            None => Target::NotFound,
        };
        cx.set_target(target);
        // Replaces the policy of the last request on this connection.
        cx.apply_policy();
        let Target::Route(row) = target else {
            if *cx.method() == Method::CONNECT {
                cx.refuse(HTTPError::METHOD_NOT_ALLOWED.with_header("allow", ""));
            }
            return;
        };
        let route = &self.routes[row];
        let allowed = route.endpoint.allowed(cx);
        if allowed.contains(cx.method()) {
            self.allowed[row].add(cx.method());
            return;
        }
        let allow = table::allow(allowed);
        if *cx.method() == Method::OPTIONS {
            cx.set_target(Target::Options);
            cx.set_allow(allow);
        } else {
            cx.refuse(HTTPError::METHOD_NOT_ALLOWED.with_header("allow", allow));
        }
    }

    /// Whether there is middleware.
    pub(crate) fn has_middleware(&self) -> bool {
        !self.around.is_empty()
    }

    /// Starts the endpoint of a request that no middleware is around.
    pub(crate) fn start(&self, cx: Context) -> Started {
        let Target::Route(row) = cx.target() else { return Started::CallInstead(cx) };
        match self.routes.get(row) {
            Some(route) if !cx.has_refusal() => route.endpoint.start(cx),
            _ => Started::CallInstead(cx),
        }
    }

    /// Calls the middleware and the endpoint.
    pub(crate) async fn call(&self, cx: &mut Context) -> Result {
        let limit = TimeLimit::new(cx.handler_timeout());
        Next::new(&self.around, self.endpoint(cx.target()), &limit).run(cx).await
    }

    fn endpoint(&self, target: Target) -> &dyn Endpoint {
        match target {
            Target::Route(row) => &*self.routes[row].endpoint,
            Target::NotFound => &NotFound,
            Target::Options => &Options,
        }
    }
}

impl Application {
    /// Drops all values of the user.
    ///
    /// # Panics
    ///
    /// Panics if a destructor panics, once everything is dropped.
    pub(crate) fn clear(&mut self) {
        let mut each = DropEach::default();
        self.routes.drain(..).for_each(|route| each.drop(route));
        self.around.drain(..).for_each(|middleware| each.drop(middleware));
        each.drop(self.errors.take());
        self.on_stop.take().into_iter().for_each(|hook| each.drop(hook));
        self.state.clear(&mut each);
        each.finish();
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("routes", &self.routes).finish_non_exhaustive()
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

/// The endpoint for `OPTIONS` where the handler has no such method (RFC 9110 §9.3.7).
struct Options;

impl Endpoint for Options {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::OPTIONS]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async { cx.answer_options() })
    }
}

/// The standard methods that an endpoint is known to allow. Asking the endpoint runs user code.
#[derive(Debug, Default)]
struct AllowedCache(Cell<u16>);

impl AllowedCache {
    #[inline]
    fn has(&self, method: &Method) -> bool {
        self.0.get() & Self::bit(method) != 0
    }

    fn add(&self, method: &Method) {
        self.0.set(self.0.get() | Self::bit(method));
    }

    /// Returns the bit of a standard method, and 0 for all others.
    #[inline]
    fn bit(method: &Method) -> u16 {
        match *method {
            Method::GET => 1,
            Method::HEAD => 1 << 1,
            Method::POST => 1 << 2,
            Method::PUT => 1 << 3,
            Method::DELETE => 1 << 4,
            Method::CONNECT => 1 << 5,
            Method::OPTIONS => 1 << 6,
            Method::TRACE => 1 << 7,
            Method::PATCH => 1 << 8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::route::route;
    use crate::handler::functions::get;
    use crate::testing::TestClient;

    #[test]
    fn only_added_standard_methods_are_in_the_cache() {
        let names = "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PURGE";
        let methods: Vec<Method> =
            names.split(' ').map(|name| Method::from_bytes(name.as_bytes()).unwrap()).collect();
        for added in &methods {
            let allowed = AllowedCache::default();
            allowed.add(added);
            for method in &methods {
                let expected = method == added && method.as_str() != "PURGE";
                assert_eq!(allowed.has(method), expected, "{added}, {method}");
            }
        }
    }

    #[test]
    fn the_fast_path_finds_the_same_endpoint_and_policy() {
        let hello = async |cx: &mut Context| cx.write(cx.body().await?);
        let new_client = || {
            TestClient::new(Application::new([
                route("/", get(hello).post(hello)).max_body_size(3),
                route("/{name}", get(hello).put(hello)),
            ]))
        };
        for head in ["GET /", "POST /", "PUT /", "OPTIONS /", "HEAD /a", "PUT /a", "GET /a/b"] {
            for body in ["abc", "abcd"] {
                let (client, length) = (new_client(), body.len());
                let exchange = || {
                    let head = format!("{head} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}");
                    let response = client.exchange(format!("{head}\r\n\r\n{body}"));
                    let lines = response.lines().filter(|line| !line.starts_with("Date: "));
                    lines.map(str::to_owned).collect::<Vec<_>>()
                };
                // The first request of an application takes the slow path.
                let slow = exchange();
                // The request in between has another policy.
                client.put("/a").body("abcdef").send();
                assert_eq!(exchange(), slow, "{head}, {length} bytes");
            }
        }
    }
}
