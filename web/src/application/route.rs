//! [`Route`]: one row of the route table, or a group of rows.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::middleware::{Around, Middleware, Next, Stateful};
use crate::connection::settings::time_limit;
use crate::connection::settings::websocket::WebSocketOptions;
use crate::context::Context;
use crate::context::policy::{RouteOptions, TrailingSlash};
use crate::error::Result;
use crate::handler::endpoint::{Endpoint, IntoEndpoint};
use crate::routing::{HostError, HostPattern, Pattern, PatternError};
use crate::websocket::IntoWebSocketEndpoint;

/// One row of the route table of an [`Application`](crate::Application), or a group of rows.
///
/// [`route`], [`regex()`], [`websocket()`] and [`redirect`](crate::redirect) create a row;
/// [`scope`](crate::scope()) and [`host`](crate::host) create a group. The methods set the options
/// of the row, or of all rows of the group that do not set them themselves.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, post, route};
///
/// let upload = route("/upload", post(async || "stored")).name("upload").max_body_size(3);
/// let client = TestClient::new(Application::new([upload]));
/// assert_eq!(client.post("/upload").body("abc").send().text(), "stored");
/// assert_eq!(client.post("/upload").body("abcd").send().status(), 413);
/// ```
pub struct Route {
    pub(super) entry: Entry,
    pub(super) options: RouteOptions,
    /// The middleware, outermost first.
    pub(super) around: Vec<Rc<dyn Around>>,
    pub(super) location: &'static Location<'static>,
}

/// A row or a group of rows.
pub(super) enum Entry {
    Row { text: String, kind: PatternKind, name: Option<String>, endpoint: Box<dyn Endpoint> },
    Scope(Scope),
}

/// Rows with something in common.
pub(super) struct Scope {
    pub(super) prefix: String,
    pub(super) host: Option<Result<HostPattern, HostError>>,
    pub(super) rows: Vec<Route>,
    /// The endpoint, and the line that set it.
    pub(super) fallback: Option<(Box<dyn Endpoint>, &'static Location<'static>)>,
}

/// How the text of a pattern is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatternKind {
    Segments,
    Regex,
}

impl PatternKind {
    pub(super) fn parse(self, text: &str) -> Result<Pattern, PatternError> {
        match self {
            Self::Segments => Pattern::parse(text),
            Self::Regex => Pattern::regex(text),
        }
    }
}

/// A row of the table, with everything that the scopes around it add.
pub(crate) struct Row {
    pub(crate) pattern: Result<Rc<Pattern>, PatternError>,
    pub(crate) text: String,
    pub(crate) host: Option<HostPattern>,
    pub(crate) endpoint: Box<dyn Endpoint>,
    pub(crate) name: Option<String>,
    pub(crate) options: RouteOptions,
    /// The middleware of its scopes and its own, outermost first.
    pub(crate) around: Vec<Rc<dyn Around>>,
    pub(crate) location: &'static Location<'static>,
}

/// Serves paths that match `pattern` with `endpoint`.
///
/// `{name}` matches one segment, which must not be empty, and becomes the path argument `name`.
/// `{*name}` at the end matches the rest of the path. All other text matches itself. The first row
/// of the table that matches wins. Rows of functions with the same pattern are
/// [merged](crate::Application::new).
///
/// [`Application::new`](crate::Application::new) reports a malformed pattern.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// async fn file(cx: &mut Context, name: String) -> Result {
///     cx.write(format!("the file {name}"))
/// }
///
/// let app = Application::new([route("/files/{*path}", get(file))]);
/// assert_eq!(TestClient::new(app).get("/files/a/b.txt").send().text(), "the file a/b.txt");
/// ```
#[track_caller]
pub fn route<Kind>(pattern: &str, endpoint: impl IntoEndpoint<Kind>) -> Route {
    Route::new(PatternKind::Segments, pattern, endpoint.into_endpoint(), Location::caller())
}

/// Serves paths that match the regular expression `pattern` with `endpoint`.
///
/// The expression must match the whole path. Its groups become the path arguments: all by position,
/// and those with a name also by name. The `regex` crate describes the syntax.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, regex};
///
/// async fn year(cx: &mut Context, year: u16) -> Result {
///     cx.write(format!("{}", year + 1))
/// }
///
/// let app = Application::new([regex(r"/archive/(\d{4})", get(year))]);
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/archive/1999").send().text(), "2000");
/// assert_eq!(client.get("/archive/99").send().status(), 404);
/// ```
#[track_caller]
pub fn regex<Kind>(pattern: &str, endpoint: impl IntoEndpoint<Kind>) -> Route {
    Route::new(PatternKind::Regex, pattern, endpoint.into_endpoint(), Location::caller())
}

/// Serves WebSockets on paths that match `pattern`.
///
/// `handler` is a [`WebSocketHandler`](crate::websocket::WebSocketHandler), which is cloned for
/// each connection, or an async function that takes the [`WebSocket`](crate::websocket::WebSocket).
///
/// A request that is not a WebSocket handshake gets a 400, 403, 405 or 426: see
/// [the module](mod@crate::websocket).
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::websocket::WebSocket;
/// use squall::{Application, Result, websocket};
///
/// async fn echo(mut ws: WebSocket) -> Result {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// let client = TestClient::new(Application::new([websocket("/echo", echo)]));
/// let mut ws = client.websocket("/echo").connect();
/// ws.send("hello");
/// assert_eq!(ws.recv(), Some("hello".into()));
/// ```
#[track_caller]
pub fn websocket<Kind>(pattern: &str, handler: impl IntoWebSocketEndpoint<Kind>) -> Route {
    let endpoint = handler.into_websocket_endpoint();
    Route::new(PatternKind::Segments, pattern, endpoint, Location::caller())
}

impl Route {
    fn new(
        kind: PatternKind,
        text: &str,
        endpoint: Box<dyn Endpoint>,
        location: &'static Location<'static>,
    ) -> Self {
        Self::of(Entry::Row { text: text.to_owned(), kind, name: None, endpoint }, location)
    }

    pub(super) fn of(entry: Entry, location: &'static Location<'static>) -> Self {
        Self { entry, options: RouteOptions::default(), around: Vec::new(), location }
    }

    /// Sets the name of the route, for
    /// [`Application::reverse_url`](crate::Application::reverse_url). The name is the same inside of
    /// a scope and outside.
    ///
    /// # Panics
    ///
    /// Panics for a [scope](crate::scope()): its rows have names.
    #[must_use]
    #[track_caller]
    pub fn name(mut self, text: impl Into<String>) -> Self {
        match &mut self.entry {
            Entry::Row { name, .. } => *name = Some(text.into()),
            Entry::Scope(_) => panic!("`Route::name`: a scope has no name; name its rows"),
        }
        self
    }

    /// Adds `middleware` around this row, or around all rows of this scope.
    ///
    /// It works like [`Application::around`](crate::Application::around), and is inside of it: a
    /// request passes through the middleware of the application, then of the scopes from the outside
    /// in, then of the row. Within each of these, the middleware that was added last is outermost.
    /// The middleware of a scope also sees requests below its prefix that no row matches (404).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPError, Next, Result, get, route, scope};
    ///
    /// async fn members_only(cx: &mut Context, next: Next<'_>) -> Result {
    ///     match cx.header("authorization") {
    ///         Some(_) => next.run(cx).await,
    ///         None => Err(HTTPError::UNAUTHORIZED)?,
    ///     }
    /// }
    ///
    /// let client = TestClient::new(Application::new([
    ///     scope("/members", [route("/list", get(async || "Ada"))]).around(members_only),
    ///     route("/", get(async || "welcome")),
    /// ]));
    /// assert_eq!(client.get("/").send().text(), "welcome");
    /// assert_eq!(client.get("/members/list").send().status(), 401);
    /// assert_eq!(client.get("/members/nowhere").send().status(), 401);
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

    /// Sets how paths that differ from the pattern in a `/` at the end are treated, in place of the
    /// setting of the [application](crate::Application::trailing_slash).
    #[must_use]
    pub fn trailing_slash(mut self, policy: TrailingSlash) -> Self {
        self.options.trailing_slash = Some(policy);
        self
    }

    /// Calls the handler as soon as the head of a request has arrived. The handler reads the body
    /// piece by piece with [`Context::body`](crate::Context::body).
    ///
    /// By default, the server collects the whole body first. A handler that streams can refuse a
    /// body in `prepare` before it is received. A client that sent `Expect: 100-continue` gets the
    /// `100 Continue` at the first read.
    #[must_use]
    pub fn stream_request_body(mut self) -> Self {
        self.options.streams_request_body = true;
        self
    }

    /// Refuses bodies of more than `bytes` with 413, in place of the
    /// [server's limit](crate::HTTPServer::max_body_size).
    ///
    /// The body is refused before the handler is called, or at a read if the handler
    /// [streams](Self::stream_request_body). A handler may [allow
    /// more](crate::Context::set_max_body_size) until then.
    #[must_use]
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.options.max_body_size = Some(bytes);
        self
    }

    /// Sets whether compressed bodies are decompressed, in place of the
    /// [server's setting](crate::HTTPServer::decompress_request).
    #[must_use]
    pub fn decompress_request(mut self, decompress: bool) -> Self {
        self.options.decompress_request = Some(decompress);
        self
    }

    /// Limits the time of a handler of this route, in place of the
    /// [server's setting](crate::HTTPServer::handler_timeout).
    ///
    /// # Panics
    ///
    /// Panics if `timeout` is zero.
    #[must_use]
    #[track_caller]
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.options.handler_timeout = time_limit("Route::handler_timeout", timeout);
        self
    }

    /// Sets the limits and time-outs of the [WebSockets](mod@crate::websocket) of this route. They
    /// replace all of the [server's](crate::HTTPServer::websocket_options).
    #[must_use]
    pub fn websocket_options(mut self, options: WebSocketOptions) -> Self {
        self.options.websocket = Some(Rc::new(options));
        self
    }

    /// Sets whether a handler continues after the client has shut down its side of the connection,
    /// in place of the [server's setting](crate::HTTPServer::half_close).
    #[must_use]
    pub fn half_close(mut self, half_close: bool) -> Self {
        self.options.half_close = Some(half_close);
        self
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Route");
        match &self.entry {
            Entry::Row { text, name, .. } => debug.field("pattern", text).field("name", name),
            Entry::Scope(scope) => debug.field("scope", scope),
        };
        debug.field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("pattern", &self.text)
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("prefix", &self.prefix)
            .field("host", &self.host)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
