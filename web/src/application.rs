//! [`Application`]: the route table and the middleware.
//!
//! # Layout
//! - [`route`]: one row of the route table;
//! - [`default_headers`]: the headers of every response;
//! - [`errors`]: the hooks that write the responses to errors;
//! - [`state`]: the state that requests share;
//! - [`scope`]: groups of rows, for a prefix or a host;
//! - [`flatten`]: from nested groups to one list of rows;
//! - [`table`]: checks the rows and merges those of functions;
//! - [`dispatch`]: from a request to its endpoint, through the middleware;
//! - [`fault`]: why a table is invalid;
//! - [`fallbacks`]: what answers a request that no row matches;
//! - [`listing`]: a list of the rows, for people;
//! - [`middleware`]: middleware, and how it calls the next part;
//! - [`contained`]: stops panics and time-outs at the boundary of a handler or a middleware.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::context::Context;
use crate::context::error_hooks::ErrorHooks;
use crate::context::policy::TrailingSlash;
use crate::context::reverse::{ReverseUrlError, reverse};
use crate::error::Result;
use crate::handler::endpoint::IntoEndpoint;
use crate::http1::header_list::HeaderList;
use crate::routing::Router;
use crate::types::drop_each::DropEach;
use crate::types::state_map::StateMap;

mod contained;
mod default_headers;
mod dispatch;
mod errors;
mod fallbacks;
mod fault;
mod flatten;
mod listing;
mod middleware;
pub(crate) mod route;
pub(crate) mod scope;
mod state;
mod table;

use dispatch::AllowedCache;
use fallbacks::Fallbacks;
use middleware::{Around, Stateful};
use route::{Route, Row};
use table::Table;

pub use listing::RouteInfo;
pub use middleware::{Middleware, Next};
pub use state::MissingState;

pub use fault::TableError;
pub(crate) use state::StopHook;

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
    rows: Vec<Row>,
    names: Rc<HashMap<String, usize>>,
    router: Router,
    fallbacks: Fallbacks,
    trailing_slash: TrailingSlash,
    /// The allowed methods of each row, as far as they are known.
    allowed: Box<[AllowedCache]>,
    /// The outermost middleware comes first.
    around: Vec<Rc<dyn Around>>,
    state: Rc<StateMap>,
    on_stop: RefCell<Vec<StopHook>>,
    errors: RefCell<ErrorHooks>,
    default_headers: Option<HeaderList>,
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
    ///   [`RequestHandler`](crate::RequestHandler) or an [`Endpoint`](crate::Endpoint) of the user;
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
        let Table { rows, fallbacks, names, .. } = Table::new(routes)?;
        let patterns =
            rows.iter().filter_map(|row| Some((row.host.as_ref(), row.pattern.as_deref().ok()?)));
        let router = Router::new(patterns);
        let allowed = rows.iter().map(|_| AllowedCache::default()).collect();
        Ok(Self {
            rows,
            names: Rc::new(names),
            router,
            allowed,
            fallbacks: Fallbacks::new(fallbacks),
            trailing_slash: TrailingSlash::default(),
            around: Vec::new(),
            state: Rc::default(),
            on_stop: RefCell::default(),
            errors: RefCell::default(),
            default_headers: None,
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
        self.around.insert(0, Rc::new(middleware));
        self
    }

    /// Like [`around`](Self::around), with a type of your own: see [`Middleware`].
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.around.insert(0, Rc::new(Stateful(middleware)));
        self
    }

    /// Makes `endpoint` answer the requests that no row and no fallback of a scope answers.
    ///
    /// `endpoint` is functions or a handler, as for [`route`](crate::route()). If it does not have
    /// the method of the request, the response is the usual 404. The status is 200 unless the
    /// endpoint sets another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, StatusCode, get, route};
    ///
    /// async fn not_found(cx: &mut Context) -> (StatusCode, String) {
    ///     (StatusCode::NOT_FOUND, format!("there is no page {}", cx.path()))
    /// }
    ///
    /// let app = Application::new([route("/", get(async || "home"))]).fallback(get(not_found));
    /// let response = TestClient::new(app).get("/nowhere").send();
    /// assert_eq!(response.status(), 404);
    /// assert_eq!(response.text(), "there is no page /nowhere");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn fallback<Kind>(mut self, endpoint: impl IntoEndpoint<Kind>) -> Self {
        self.fallbacks.set_last(endpoint.into_endpoint(), Location::caller());
        self
    }

    /// Sets how paths that differ from a pattern only in a `/` at the end are treated. By default
    /// they match no row. [`Route::trailing_slash`] sets it for a row or a scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, TrailingSlash, get, route};
    ///
    /// let app = Application::new([
    ///     route("/notes", get(async || "notes")),
    ///     route("/tags/", get(async || "tags")).trailing_slash(TrailingSlash::Ignore),
    /// ]);
    /// let client = TestClient::new(app.trailing_slash(TrailingSlash::Redirect));
    /// let response = client.get("/notes/?page=2").send();
    /// assert_eq!(response.status(), 308);
    /// assert_eq!(response.header("location"), Some("/notes?page=2"));
    /// assert_eq!(client.get("/tags").send().text(), "tags");
    /// ```
    #[must_use]
    pub fn trailing_slash(mut self, policy: TrailingSlash) -> Self {
        self.trailing_slash = policy;
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
        let row = self.names.get(name).and_then(|&row| self.rows.get(row));
        let pattern = row.and_then(|row| row.pattern.as_deref().ok());
        reverse(pattern, name, arguments)
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
        self.rows.drain(..).for_each(|row| each.drop(row));
        self.fallbacks.clear(&mut each);
        self.around.drain(..).for_each(|middleware| each.drop(middleware));
        self.errors.take().clear(&mut each);
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
        f.debug_struct("Application").field("rows", &self.rows).finish_non_exhaustive()
    }
}
