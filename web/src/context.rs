use std::fmt;
use std::rc::Rc;

use squall_runtime::IOLoop;

use crate::connection::Connection;
use crate::http1::head::HeadError;
use crate::routing::Index;

mod appended;
mod arguments;
pub(crate) mod body;
mod client;
pub(crate) mod conclude;
mod disconnected;
mod dispatch;
mod draining;
mod encoding;
pub(crate) mod exchange;
mod file;
mod finish;
mod from_argument;
mod interim;
pub(crate) mod options;
pub(crate) mod policy;
mod redirect;
mod request;
mod response;
mod scoring;
mod sending;
pub(crate) mod target;
mod usual;

pub use from_argument::FromArgument;
pub use response::ResponseError;

use exchange::Exchange;

/// A request, and the response to it as it is being written.
///
/// Every handler is given the context of its request. What it hands out of the request is
/// owned ([`Text`](crate::Text), [`Content`](crate::Content)), so that it can be written back in
/// the same expression:
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
///
/// # What happens to what is written
///
/// [`write`](Self::write) gathers the body in memory. When the handler returns, the response
/// leaves with a `Content-Length`, a `Date`, and, to `GET` and `HEAD`, an `ETag`; status and
/// headers can be changed until then. [`flush`](Self::flush) sends what there is at once and
/// goes on in chunks.
pub struct Context {
    connection: Rc<Connection>,
    exchange: Box<Exchange>,
}

impl Context {
    pub(crate) fn new(connection: &Rc<Connection>, exchange: Box<Exchange>) -> Self {
        Self { connection: Rc::clone(connection), exchange }
    }

    /// What the context is made of, to be used for another request.
    pub(crate) fn into_exchange(mut self) -> Box<Exchange> {
        self.exchange.clear();
        self.exchange
    }

    /// Begins with the next request of the connection, if its head is complete, and finds its row
    /// in the `index`.
    pub(crate) fn begin(&mut self, index: &Index) -> Result<bool, HeadError> {
        let exchange = &mut *self.exchange;
        exchange.began = IOLoop::nanos();
        let has_begun = self.connection.read_head(&mut exchange.head, |head, bytes| {
            let path = bytes.get(head.path.start as usize..).unwrap_or_default();
            exchange.row = index.find(path, head.path.len(), &mut exchange.arguments);
        })?;
        exchange.awaits_body = !exchange.head.framing.is_empty();
        Ok(has_begun)
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
