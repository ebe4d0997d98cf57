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
/// Made by [`route`] or [`regex()`]; its methods change how requests to it are treated.
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

/// Answers requests for paths like `pattern` with `endpoint`.
///
/// `{name}` matches one segment, of at least one byte, and becomes the path argument `name`;
/// `{*name}` at the end matches the rest of the path. Everything else stands for itself.
/// The first row of the table that matches wins. Rows of functions with the same pattern are
/// [merged](crate::Application::new).
///
/// A pattern that is no pattern is told of by [`Application::new`](crate::Application::new).
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

/// Answers requests for paths that match the regular expression `pattern`.
///
/// The whole path must match. Groups become path arguments: named ones by their name, all by
/// their position. See the `regex` crate for the syntax.
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

/// Serves WebSockets on paths like `pattern`: with a
/// [`WebSocketHandler`](crate::websocket::WebSocketHandler), of which each connection gets a clone,
/// or with an async function that takes the [`WebSocket`](crate::websocket::WebSocket).
///
/// A request that is no WebSocket handshake is answered with 400, 403, 405 or 426: see
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

    /// Names the route, for [`Application::reverse_url`](crate::Application::reverse_url).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Calls the handler as soon as the head of a request is there, and lets it read the body
    /// piece by piece with [`Context::body`](crate::Context::body).
    ///
    /// Without it, the whole body has been read when the handler begins. A handler that
    /// streams can refuse in `prepare` what it does not want to receive; a client that asked
    /// with `Expect: 100-continue` is told to go on at the first read.
    #[must_use]
    pub fn stream_request_body(mut self) -> Self {
        self.options.streams_request_body = true;
        self
    }

    /// Answers bodies of more than `bytes` with 413, whatever the
    /// [server's limit](crate::HTTPServer::max_body_size) is: before the handler is called, or,
    /// where it [streams](Self::stream_request_body), when it reads. It may
    /// [allow more](crate::Context::set_max_body_size) until then.
    #[must_use]
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.options.max_body_size = Some(bytes);
        self
    }

    /// Whether compressed bodies are given out decompressed; by default as the
    /// [server's setting](crate::HTTPServer::decompress_request) has it, which says more.
    #[must_use]
    pub fn decompress_request(mut self, decompress: bool) -> Self {
        self.options.decompress_request = Some(decompress);
        self
    }

    /// How long a handler of this route may take, in place of the
    /// [server's setting](crate::HTTPServer::handler_timeout).
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    #[must_use]
    #[track_caller]
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.options.handler_timeout = time_limit("Route::handler_timeout", timeout);
        self
    }

    /// Sets the limits and time-outs of the [WebSockets](mod@crate::websocket) of this route, in place of
    /// the [server's](crate::HTTPServer::websocket_options). They replace all of those.
    #[must_use]
    pub fn websocket_options(mut self, options: WebSocketOptions) -> Self {
        self.options.websocket = Some(Rc::new(options));
        self
    }

    /// Whether a handler goes on when the client has ended its side of the connection; by
    /// default as the [server's setting](crate::HTTPServer::half_close) has it.
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
