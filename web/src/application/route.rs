//! [`Route`]: one row of the route table.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::connection::settings::time_limit;
use crate::connection::settings::websocket::WebSocketOptions;
use crate::context::policy::RouteOptions;
use crate::handler::endpoint::{Endpoint, IntoEndpoint};
use crate::routing::{Pattern, PatternError};
use crate::websocket::IntoWebSocketEndpoint;

/// One row of the route table of an [`Application`](crate::Application).
///
/// [`route`] and [`regex()`] create a row. Its methods set its options.
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
    pub(crate) pattern: Result<Rc<Pattern>, PatternError>,
    pub(crate) text: String,
    pub(crate) endpoint: Box<dyn Endpoint>,
    pub(crate) name: Option<String>,
    pub(crate) options: RouteOptions,
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
    Route::new(Pattern::parse(pattern), pattern, endpoint.into_endpoint(), Location::caller())
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
    Route::new(Pattern::regex(pattern), pattern, endpoint.into_endpoint(), Location::caller())
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
    Route::new(Pattern::parse(pattern), pattern, endpoint, Location::caller())
}

impl Route {
    fn new(
        pattern: Result<Pattern, PatternError>,
        text: &str,
        endpoint: Box<dyn Endpoint>,
        location: &'static Location<'static>,
    ) -> Self {
        let (text, options) = (text.to_owned(), RouteOptions::default());
        Self { pattern: pattern.map(Rc::new), text, endpoint, name: None, options, location }
    }

    /// Sets the name of the route, for
    /// [`Application::reverse_url`](crate::Application::reverse_url).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
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
        f.debug_struct("Route")
            .field("pattern", &self.text)
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
