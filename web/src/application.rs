use std::collections::HashMap;
use std::fmt;

use crate::context::Context;
use crate::context::policy::Target;
use crate::error::panic::{guard, panic_error};
use crate::error::{Error, HTTPError, Result};
use crate::handler::endpoint::{Endpoint, Started};
use crate::http::Method;
use crate::routing::Index;
use crate::types::drop_each::DropEach;
use crate::types::local_future::LocalBoxFuture;

mod contained;
mod known;
mod middleware;
pub(crate) mod route;
mod table;

use contained::TimeLimit;
use known::KnownMethods;
use route::Route;
use table::Table;

pub use middleware::{Around, Next};
pub use table::{ReverseUrlError, TableError};

/// The routes of a site, and what stands around them.
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
    /// Of each row, the methods that were found to be allowed.
    known: Box<[KnownMethods]>,
    around: Vec<Box<dyn Around>>,
    on_error: Option<Box<ErrorHook>>,
}

/// Writes the response to an error.
type ErrorHook = dyn Fn(&mut Context, &Error) -> Result;

impl Application {
    /// An application of `routes`; the first that matches a path answers.
    ///
    /// Rows of functions that have the same pattern and the same options count as one row, where the
    /// first of them stands: `route("/a", get(list)), route("/a", post(create))`. Each may have a name.
    ///
    /// # Panics
    ///
    /// Panics if the table is not sound. The message names the row, and the other one if two rows do
    /// not go together. [`try_new`](Self::try_new) returns it instead. A table is not sound if
    ///
    /// - a pattern cannot be read;
    /// - a function takes more arguments than its pattern has;
    /// - two rows for different paths have the same name;
    /// - there are two functions for one method and the same paths;
    /// - rows with the same pattern have different options, or one of them is a
    ///   [`RequestHandler`](crate::RequestHandler) or an [`Endpoint`] of the user;
    /// - an earlier row matches every path that a row without a regular expression does: `/{name}`
    ///   before `/about`, or before `/{id}`.
    #[track_caller]
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        match Self::try_new(routes) {
            Ok(application) => application,
            Err(error) => panic!("{error}"),
        }
    }

    /// An application of `routes`, unless the table is not sound.
    ///
    /// # Errors
    ///
    /// What is wrong with the first bad row.
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
        let known = routes.iter().map(|_| KnownMethods::default()).collect();
        Ok(Self { routes, names, index, known, around: Vec::new(), on_error: None })
    }

    /// Puts `middleware` around all handlers, and around what was put around them before.
    ///
    /// It is given the request and what comes next, and decides what happens before, after,
    /// or instead. Every request passes through, also one that no route answers (404) or that is
    /// refused before its body is read (405, 413, 417), and `OPTIONS`. Only what is no HTTP request
    /// does not: see [`on_error`](Self::on_error). An application without middleware pays nothing for
    /// the possibility; each one costs an allocation a request.
    ///
    /// A handler has written its response when `next` returns, its errors included, but
    /// unless it flushed it, nothing has been sent: status and headers can still be changed
    /// (ask [`is_head_sent`](Context::is_head_sent) where handlers flush). A function's error is
    /// returned by `next`; [`send_error`](Context::send_error) answers it, `?` leaves it to the
    /// application. A panic and the end of the [`handler_timeout`](crate::HTTPServer::handler_timeout)
    /// are returned as errors in the same way: see [`Next::run`].
    ///
    /// The time limit holds for the handler and its middleware together. When it is over, the
    /// innermost of them that waits is dropped, and those around it have as long again.
    ///
    /// An error takes the place of what was written before, headers included. So a header that is
    /// to stand in every response, also in 404 and 405, is set after `next`, and after
    /// [`send_error`](Context::send_error) if `next` returned an error.
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

    /// Calls `hook` to write the response where there is no request that middleware or a handler
    /// could answer: the head was malformed (400), not complete in time (408), too long (414, 431), or
    /// of a kind that the server does not know (501, 505); or the PROXY protocol header was (400, 403).
    /// By default, the client gets the standard page.
    ///
    /// When `hook` is called, the status and the headers are those of the error, and the body is
    /// empty. The context has no request then: the method is `GET`, the path and the query are empty,
    /// and there are no headers. The connection is closed after the response.
    ///
    /// An error of `hook`, or a panic in it, is logged, and the response is a 500 without a body.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::Application;
    /// use squall::testing::TestClient;
    ///
    /// let app = Application::new([]).on_error(|cx, error| {
    ///     cx.set_header("X-Site", "mine")?;
    ///     cx.json(&[error.status().as_u16()])
    /// });
    /// let answer = TestClient::new(app).exchange("GET / HTTP/9\r\n\r\n");
    /// assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    /// assert!(answer.contains("\r\nX-Site: mine\r\n") && answer.ends_with("[400]"));
    /// ```
    #[must_use]
    pub fn on_error<F>(mut self, hook: F) -> Self
    where
        F: Fn(&mut Context, &Error) -> Result + 'static,
    {
        self.on_error = Some(Box::new(hook));
        self
    }

    /// The path of the route called `name`, with `arguments` in their places,
    /// percent-encoded.
    ///
    /// ```
    /// use squall::{Application, get, route};
    ///
    /// async fn user() {}
    ///
    /// let app = Application::new([route("/user/{name}", get(user)).name("user")]);
    /// assert_eq!(app.reverse_url("user", &["Ada L."]).unwrap(), "/user/Ada%20L.");
    /// ```
    ///
    /// # Errors
    ///
    /// If no route has that name, the number of arguments is not that of the pattern, or the
    /// pattern is a regular expression that cannot be reversed.
    pub fn reverse_url(&self, name: &str, arguments: &[&str]) -> Result<String, ReverseUrlError> {
        table::reverse(&self.routes, &self.names, name, arguments)
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Does what [`find`](Self::find) would do, if it did not refuse a request to the same row by
    /// the same method before: that takes no code of the user.
    #[inline]
    pub(crate) fn find_known(&self, cx: &mut Context) -> bool {
        let Some(row) = cx.row() else { return false };
        let is_known = self.known.get(row).is_some_and(|known| known.has(cx.method()));
        if is_known {
            cx.set_target(Target::Route(row));
            cx.apply_policy();
        }
        is_known
    }

    /// Finds what answers the request of `cx`, and refuses at once what can be refused
    /// without its body.
    pub(crate) fn find(&self, cx: &mut Context) {
        let target = match cx.row() {
            Some(row) => Target::Route(row),
            None if cx.is_for_server() => Target::Options,
            None => Target::NotFound,
        };
        cx.set_target(target);
        // What a connection has from its last request must not hold for this one.
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
            self.known[row].add(cx.method());
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

    /// Whether something stands before each endpoint.
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

    /// Answers the request of `cx`.
    pub(crate) async fn call(&self, cx: &mut Context) -> Result {
        let limit = TimeLimit::new(cx.handler_timeout());
        Next::new(&self.around, self.endpoint(cx.target()), &limit).run(cx).await
    }

    /// Writes the page of an error that no handler writes.
    pub(crate) fn write_error(&self, cx: &mut Context, error: &Error) -> Result {
        match &self.on_error {
            Some(hook) => {
                guard(|| hook(cx, error)).unwrap_or_else(|panic| Err(panic_error(&*panic)))
            }
            None => cx.write_error_page(),
        }
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
    /// Drops all that is the user's.
    ///
    /// # Panics
    ///
    /// If the destructor of any of it does, once all of it is dropped.
    pub(crate) fn clear(&mut self) {
        let mut each = DropEach::default();
        self.routes.drain(..).for_each(|route| each.drop(route));
        self.around.drain(..).for_each(|middleware| each.drop(middleware));
        each.drop(self.on_error.take());
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

/// Answers where no route matches, which is always so for CONNECT: its target is no path.
struct NotFound;

impl Endpoint for NotFound {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[]
    }

    fn call<'a>(&'a self, _: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(std::future::ready(Err(HTTPError::NOT_FOUND.into())))
    }
}

/// Answers `OPTIONS` where a handler does not (RFC 9110 §9.3.7).
struct Options;

impl Endpoint for Options {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::OPTIONS]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async { cx.answer_options() })
    }
}
