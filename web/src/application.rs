use std::collections::HashMap;
use std::fmt;

use squall_runtime::timeout;

use crate::answer::Answer;
use crate::context::Context;
use crate::context::target::Target;
use crate::endpoint::Endpoint;
use crate::error::{HTTPError, Result};
use crate::http::Method;
use crate::local_future::LocalBoxFuture;
use crate::route::Route;
use crate::routing::Index;

mod around;
mod known;
mod table;

use known::KnownMethods;

pub use around::{Around, Next};
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
}

impl Application {
    /// An application of `routes`; the first that matches a path answers.
    ///
    /// # Panics
    ///
    /// If the table is not sound: a pattern that is none, more arguments in a function than
    /// in its pattern, a name given twice. The message names the row.
    /// [`try_new`](Self::try_new) returns it instead.
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
        let routes: Vec<Route> = routes.into_iter().collect();
        let names = table::check(&routes)?;
        let index = Index::new(routes.iter().filter_map(|route| route.pattern.as_deref().ok()));
        let known = routes.iter().map(|_| KnownMethods::default()).collect();
        Ok(Self { routes, names, index, known, around: Vec::new() })
    }

    /// Puts `middleware` around all handlers, and around what was put around them before.
    ///
    /// It is given the request and what comes next, and decides what happens before, after,
    /// or instead. Requests that no route answers pass through as well. An application
    /// without middleware pays nothing for the possibility; each one costs an allocation a
    /// request.
    ///
    /// A handler has written its response when `next` returns, its errors included, but
    /// unless it flushed it, nothing has been sent: status and headers can still be changed
    /// (ask [`is_head_sent`](Context::is_head_sent) where handlers flush). A function's error is
    /// returned by `next`; [`send_error`](Context::send_error) answers it, `?` leaves it to the
    /// application. A panic passes middleware by.
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

    /// Has the endpoint alone answer. The context comes back where that cannot be.
    pub(crate) fn answer(&self, cx: Context) -> Result<Answer, Context> {
        let Target::Route(row) = cx.target() else { return Err(cx) };
        match self.routes.get(row) {
            Some(route) => route.endpoint.answer(cx),
            None => Err(cx),
        }
    }

    /// Answers the request of `cx`.
    pub(crate) fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        let limit = cx.handler_timeout();
        let endpoint = self.endpoint(cx.target());
        let answer = match self.around.is_empty() {
            true => endpoint.call(cx),
            false => Next::new(&self.around, endpoint).call(cx),
        };
        match limit {
            None => answer,
            Some(limit) => Box::pin(async move {
                timeout(limit, answer).await.unwrap_or_else(|_| {
                    let message = format!("the handler took longer than {limit:?}");
                    Err(HTTPError::SERVICE_UNAVAILABLE.with_log_message(message).into())
                })
            }),
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

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async { cx.admission().and(Err(HTTPError::NOT_FOUND.into())) })
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
