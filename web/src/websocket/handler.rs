//! WebSockets of a server: the handshake, and the handler of each connection.
//!
//! | file | content |
//! |---|---|
//! | `endpoint` | a handler or a function as the endpoint of a route |
//! | `opening` | the handshake: what is refused, and with which status |
//! | `origin` | which origins may connect |
//! | `serving` | a connection and its handler, up to the end |

use bytes::Bytes;

use crate::context::Context;
use crate::error::Result;
use crate::websocket::codec::close::CloseCode;
use crate::websocket::message::Message;
use crate::websocket::session::WebSocket;

mod endpoint;
mod opening;
mod origin;
mod serving;

pub use endpoint::{IntoWebSocketEndpoint, WebSocketFunction, kind};
pub use origin::is_allowed_origin;

/// Serves the WebSockets of a route.
///
/// The value given to [`websocket`](crate::websocket()) is a prototype. Each connection is served
/// by a clone of it, so a field is either shared by all connections (an `Rc<RefCell<_>>`) or
/// belongs to one. Nothing of a handler needs to be `Send`.
///
/// # Order
///
/// 1. [`prepare`](Self::prepare), [`check_origin`](Self::check_origin) and
///    [`select_subprotocol`](Self::select_subprotocol) run before the handshake is answered.
/// 2. [`open`](Self::open) runs after that, and before any message is received.
/// 3. [`on_message`](Self::on_message), [`on_ping`](Self::on_ping) and [`on_pong`](Self::on_pong)
///    run one at a time, in the order in which the messages came. While one of them waits, the
///    session reads one message ahead, answers pings and notices the end of the connection.
/// 4. [`on_close`](Self::on_close) runs exactly once if the handshake succeeded.
///
/// # Cancellation
///
/// When the connection ends while `open` or `on_message` waits for something of its own, it is
/// dropped at its `await`, like a request handler whose client disconnects. If it was told of the
/// end, by [`send`](WebSocket::send) or [`close`](WebSocket::close), it runs on.
///
/// # Errors
///
/// An error or a panic in `open`, `on_message`, `on_ping` or `on_pong` is logged with its line, and
/// the connection is closed with 1011. Three kinds of errors are the client's fault and not logged
/// as errors:
/// - a [`WebSocketError`](crate::websocket::WebSocketError): the connection is over already;
/// - [`NotText`](crate::websocket::NotText), which closes the connection with 1003;
/// - an [`HTTPError`](crate::HTTPError) below 500, such as that of a missing argument, which closes
///   the connection with 1008.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::websocket::{Message, WebSocket, WebSocketHandler};
/// use squall::{Application, Context, Result, websocket};
///
/// #[derive(Clone, Default)]
/// struct Greeter {
///     name: String,
/// }
///
/// impl WebSocketHandler for Greeter {
///     async fn open(&mut self, _: &WebSocket, cx: &mut Context) -> Result {
///         self.name = cx.argument("name")?.to_string();
///         Ok(())
///     }
///
///     async fn on_message(&mut self, ws: &WebSocket, message: Message) -> Result {
///         ws.send(format!("{}: {}", self.name, message.as_text()?)).await
///     }
/// }
///
/// let client = TestClient::new(Application::new([websocket("/greet", Greeter::default())]));
/// let mut ws = client.websocket("/greet?name=Ada").connect();
/// ws.send("hello");
/// assert_eq!(ws.recv(), Some("Ada: hello".into()));
/// ```
pub trait WebSocketHandler: Clone {
    /// Runs before the handshake is answered: for authentication and arguments. Headers that it
    /// sets are sent with the 101.
    ///
    /// If it [finishes](Context::finish) the response or fails, the request is answered so, and no
    /// WebSocket is opened.
    fn prepare(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        let _ = cx;
        async { Ok(()) }
    }

    /// Says whether a page from `origin` may connect; otherwise the request is answered with 403.
    /// The default asks [`is_allowed_origin`]. It is not called for a request without an `Origin`
    /// header, which no browser sends.
    fn check_origin(&mut self, cx: &Context, origin: &str) -> bool {
        is_allowed_origin(cx, origin)
    }

    /// Selects one of the subprotocols that the client offers, which may be none. The default
    /// selects none.
    fn select_subprotocol<'a>(&mut self, offered: &[&'a str]) -> Option<&'a str> {
        let _ = offered;
        None
    }

    /// Runs when the WebSocket is open. `cx` is the request: its response is finished.
    fn open(&mut self, ws: &WebSocket, cx: &mut Context) -> impl Future<Output = Result> {
        let _ = (ws, cx);
        async { Ok(()) }
    }

    /// Runs for each message. The next one is handled after that.
    fn on_message(&mut self, ws: &WebSocket, message: Message) -> impl Future<Output = Result>;

    /// Runs for each ping, which was answered already. Of several pings that came while the handler
    /// was busy, it sees the last.
    fn on_ping(&mut self, ws: &WebSocket, payload: Bytes) -> impl Future<Output = Result> {
        let _ = (ws, payload);
        async { Ok(()) }
    }

    /// Runs for each pong, whether or not there was a ping. Of several pongs that came while the
    /// handler was busy, it sees the last.
    fn on_pong(&mut self, ws: &WebSocket, payload: Bytes) -> impl Future<Output = Result> {
        let _ = (ws, payload);
        async { Ok(()) }
    }

    /// Runs last, exactly once, however the connection ended. `code` and `reason` are those of the
    /// client's close frame; `code` is `None` if the client sent none, or one without a code.
    fn on_close(&mut self, code: Option<CloseCode>, reason: &str) {
        let _ = (code, reason);
    }
}
