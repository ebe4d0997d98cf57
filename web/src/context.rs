//! The request and its response, as a handler sees them.
//!
//! # Layout
//!
//! The request:
//! - `request`: the head and the server's state. `client`: the client, and the host it asked for.
//!   `accepts`: content negotiation. `path_arguments`, `arguments`: path, query and form.
//! - `state`: the state of the application. `reverse`: the paths of its routes.
//! - `body`: the body, whole or in pieces. `body/parsed`: as JSON, a form or text. `encoding`: takes a `Content-Encoding` off it.
//!
//! The response, as a handler writes it:
//! - `head`: status, headers, trailers, informational responses. `redirect`: redirects.
//!   `problem`: errors as JSON.
//! - `write`: the body. `stream`, `file`: a stream or a file as the body. `upgrade`: another protocol.
//!
//! The framework's side:
//! - `exchange`: the memory of a request and its response.
//! - `policy`: what answers a request, and the settings of its route.
//! - `response`: the response and its progress from open to finished.
//! - `finish`: completes the response, sends it, and decides what happens to the connection.
//!   `finish/fast`: its fast path.
//! - `send`: queues the bytes of a response. `conditional`: `ETag` and 304.
//! - `failure`: refused, cancelled and failed requests. `error_hooks`: the application's responses
//!   to errors. `log`: the lines of the log.

use std::fmt;
use std::rc::Rc;

use squall_runtime::IOLoop;

use crate::connection::Connection;
use crate::http1::head::{HeadError, Range};
use crate::routing::{Arguments, Router};
use crate::scoreboard::in_flight::InFlight;

mod accepts;
mod arguments;
pub(crate) mod body;
pub(crate) mod client;
mod conditional;
mod encoding;
pub(crate) mod error_hooks;
pub(crate) mod exchange;
mod failure;
mod file;
pub(crate) mod finish;
mod head;
pub(crate) mod log;
mod path_arguments;
pub(crate) mod policy;
mod problem;
mod redirect;
mod request;
mod response;
pub(crate) mod reverse;
mod send;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod upgrade;
mod write;

pub use path_arguments::FromArgument;
pub use policy::TrailingSlash;
pub use problem::Problem;
pub use response::ResponseError;
pub use reverse::ReverseUrlError;

use exchange::Exchange;

/// A request and the response to it.
///
/// Every handler gets the context of its request. Values that come from the request are owned
/// ([`Text`](crate::Text), [`Content`](crate::Content)), so a handler can write them back in the
/// same expression.
///
/// [`write`](Self::write) collects the body in memory. When the handler returns, the response is
/// sent with a `Content-Length`, a `Date` and, for `GET` and `HEAD`, an `ETag`. Status and headers
/// can be changed until then. [`flush`](Self::flush) sends everything written so far at once; the
/// body then continues in chunks.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// async fn greet(cx: &mut Context) -> Result {
///     cx.write("Hello, ")?;
///     cx.write(cx.argument("name")?)
/// }
///
/// async fn echo(cx: &mut Context) -> Result {
///     cx.write(cx.body().await?)
/// }
///
/// let app = Application::new([route("/greet", get(greet)), route("/echo", get(echo).post(echo))]);
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/greet?name=Ada").send().text(), "Hello, Ada");
/// assert_eq!(client.post("/echo").body("back").send().text(), "back");
/// ```
pub struct Context {
    connection: Rc<Connection>,
    exchange: Box<Exchange>,
}

impl Context {
    pub(crate) fn new(connection: &Rc<Connection>, exchange: Box<Exchange>) -> Self {
        Self { connection: Rc::clone(connection), exchange }
    }

    /// Clears the response and returns the memory, for another request.
    pub(crate) fn into_exchange(mut self) -> Box<Exchange> {
        self.exchange.clear();
        self.exchange
    }

    /// Starts the next request of the connection if its head is complete, and finds its row with
    /// `router`. Returns whether it did.
    pub(crate) fn begin(&mut self, router: &Router) -> Result<bool, HeadError> {
        let exchange = &mut *self.exchange;
        exchange.began = IOLoop::nanos();
        let has_begun = self.connection.read_head(&mut exchange.head, |head, bytes| {
            let path = bytes.get(head.path.start as usize..).unwrap_or_default();
            let host = || head.authority.map_or(&b""[..], |host| host.of(bytes));
            exchange.row = router.find(host, path, head.path.len(), &mut exchange.arguments);
        })?;
        exchange.awaits_body = !exchange.head.framing.is_empty();
        Ok(has_begun)
    }

    /// Calls `work` with the bytes of a part of the head.
    fn with_bytes<R>(&self, range: Range, work: impl FnOnce(&[u8]) -> R) -> R {
        self.connection.with(|buffers| work(buffers.input.part(range)))
    }

    pub(crate) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }

    /// Returns the row of the route table that the path matches, whatever answers the request.
    pub(crate) fn row(&self) -> Option<usize> {
        self.exchange.row
    }

    /// Looks the path up with `router`, with a `/` added at its end or removed from it. Sets the path
    /// arguments if there is a row, and returns it.
    pub(crate) fn find_with_other_slash(&mut self, router: &Router) -> Option<usize> {
        let exchange = &mut *self.exchange;
        let head = &exchange.head;
        self.connection.with(|buffers| {
            let bytes = buffers.input.head();
            let path = other_slash(head.path.of(bytes))?;
            let host = || head.authority.map_or(&b""[..], |host| host.of(bytes));
            router.find(host, &path, path.len(), &mut exchange.arguments)
        })
    }

    /// Makes `row` answer the request.
    pub(crate) fn set_row(&mut self, row: usize) {
        self.exchange.row = Some(row);
    }

    /// Returns the row of `router` for the path, and leaves the path arguments as they are.
    pub(crate) fn find_elsewhere(&self, router: &Router) -> Option<usize> {
        let head = &self.exchange.head;
        self.connection.with(|buffers| {
            let bytes = buffers.input.head();
            let host = || head.authority.map_or(&b""[..], |host| host.of(bytes));
            let path = head.path.of(bytes);
            router.find(host, path, path.len(), &mut Arguments::new())
        })
    }

    /// Returns when the head was complete, by [`IOLoop::nanos`].
    pub(crate) fn began(&self) -> u64 {
        self.exchange.began
    }

    /// Returns the request on the scoreboard.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.exchange.in_flight
    }

    pub(crate) fn set_in_flight(&mut self, in_flight: InFlight) {
        self.exchange.in_flight = in_flight;
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", self.method())
            .field("path", &self.path())
            .field("target", &self.exchange.target)
            .field("response", &self.exchange.response)
            .finish_non_exhaustive()
    }
}

/// Returns `path` with a `/` added at its end or removed from it. `None` for `/` itself, and for a
/// path that ends with two.
fn other_slash(path: &[u8]) -> Option<Vec<u8>> {
    match path {
        [] | [b'/'] | [.., b'/', b'/'] => None,
        [rest @ .., b'/'] => Some(rest.to_vec()),
        _ if path[0] == b'/' => Some([path, b"/"].concat()),
        _ => None,
    }
}
