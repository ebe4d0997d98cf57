//! Leaves HTTP for another protocol (RFC 9110 §7.8).

use std::panic::Location;
use std::rc::Rc;

use crate::connection::settings::websocket::WebSocketOptions;
use crate::connection::upgrade::{Serve, Upgraded};
use crate::context::Context;
use crate::context::response::ResponseError;
use crate::error::{HTTPError, Result};
use crate::http::{StatusCode, header};

/// The code that serves a connection after a 101.
pub(crate) enum Upgrade {
    /// Gets the stream. The request has been dropped by then.
    Stream(Serve),
    /// Gets the stream and the request.
    WebSocket(ServeWebSocket),
}

/// Spawns the task that serves a WebSocket.
pub(crate) type ServeWebSocket = Box<dyn FnOnce(Handover)>;

/// The stream and the request of a new WebSocket.
pub(crate) struct Handover {
    pub(crate) stream: Upgraded,
    /// Bytes that were received after the request.
    pub(crate) early: Vec<u8>,
    /// The request. It stays until
    /// [`Connection::forget_http`](crate::connection::Connection::forget_http).
    pub(crate) cx: Context,
}

impl Context {
    /// Answers `101 Switching Protocols`, then gives the stream to `serve`.
    ///
    /// Set the `Upgrade` header first; the server adds `Connection: Upgrade`. The context and the
    /// handler are dropped before `serve` begins, so a long conversation holds only the memory that
    /// it needs.
    ///
    /// # Errors
    ///
    /// - [`ResponseError`] if the response is finished, its head has been flushed, or no `Upgrade`
    ///   header is set;
    /// - 400 if the request does not offer another protocol (`Connection: upgrade` and an `Upgrade`
    ///   header), is HTTP/1.0, or has a body.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    ///
    /// async fn echo(cx: &mut Context) -> Result {
    ///     if cx.header("upgrade").as_deref() != Some("echo") {
    ///         Err(HTTPError::BAD_REQUEST)?;
    ///     }
    ///     cx.set_header("Upgrade", "echo")?;
    ///     cx.upgrade(async |mut stream| {
    ///         let mut byte = [0];
    ///         while let Ok(1) = stream.read(&mut byte).await {
    ///             if stream.write_all(&byte).await.is_err() {
    ///                 break;
    ///             }
    ///         }
    ///     })
    /// }
    /// # let client = TestClient::new(Application::new([route("/", get(echo))]));
    /// # let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    /// # let answer = client.exchange(format!("{head}hi"));
    /// # assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nhi"), "{answer}");
    /// ```
    #[track_caller]
    pub fn upgrade<F>(&mut self, serve: F) -> Result
    where
        F: AsyncFnOnce(Upgraded) + 'static,
    {
        self.begin_upgrade(Upgrade::Stream(Box::new(|stream| Box::pin(serve(stream)))))
    }

    /// Completes the response with 101. `upgrade` serves the connection after it.
    #[track_caller]
    pub(crate) fn begin_upgrade(&mut self, upgrade: Upgrade) -> Result {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        if !self.exchange.head.upgrade || self.has_body() {
            Err(HTTPError::BAD_REQUEST.with_log_message("this request cannot be upgraded"))?;
        }
        if self.exchange.response.headers.first(&header::UPGRADE).is_none() {
            return Err(ResponseError::NoProtocol.into());
        }
        self.set_status(StatusCode::SWITCHING_PROTOCOLS);
        self.exchange.response.body.clear();
        self.exchange.rare_mut().upgrade = Some(upgrade);
        self.complete()
    }

    /// Whether the handler has chosen another protocol.
    pub(super) fn is_upgrade(&self) -> bool {
        self.exchange.rare.as_ref().is_some_and(|rare| rare.upgrade.is_some())
    }

    pub(super) fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.exchange.rare.as_mut()?.upgrade.take()
    }

    /// Returns the limits and time-outs of a WebSocket.
    pub(crate) fn websocket_options(&self) -> &Rc<WebSocketOptions> {
        &self.exchange.policy().websocket
    }

    /// Returns the source line of the route, for the log.
    pub(crate) fn route_location(&self) -> Option<&'static Location<'static>> {
        self.exchange.policy().location
    }

    pub(crate) fn has_body(&self) -> bool {
        !self.connection.with(|buffers| buffers.body.is_none())
    }
}
