//! [`TestWebSocket`]: a WebSocket of a test client.

use std::fmt::{self, Write};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future};
use squall_runtime::{DuplexStream, IOLoop, Task};

use crate::connection::settings::websocket::{WebSocketCompression, WebSocketOptions};
use crate::http::{HeaderValue, Method};
use crate::testing::client::run;
use crate::testing::{TestClient, TestResponse};
use crate::types::text::Text;
use crate::websocket::codec::Role;
use crate::websocket::handshake::{VERSION, accept_key, new_key, permessage_deflate};
use crate::websocket::session::{Driver, Session, Start, Transport};
use crate::websocket::{CloseFrame, IntoCloseCode, Message, WebSocket, compression};

/// A stream in memory that the session shares with the test.
#[derive(Clone)]
struct Shared(Rc<DuplexStream>);

impl Transport for Shared {}

impl AsyncRead for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv(task, buffer)
    }
}

impl AsyncWrite for Shared {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(task, &[IoSlice::new(buffer)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}

/// A WebSocket handshake of a [`TestClient`] that has not been sent yet.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::websocket::WebSocket;
/// use squall::{Application, Result, websocket};
///
/// async fn greet(ws: WebSocket) -> Result {
///     ws.send("hello").await
/// }
///
/// let client = TestClient::new(Application::new([websocket("/", greet)]));
/// let mut ws = client.websocket("/").header("Origin", "http://localhost").connect();
/// assert_eq!(ws.recv(), Some("hello".into()));
/// assert_eq!(ws.recv(), None);
///
/// let refused = client.websocket("/").header("Origin", "http://evil.example").try_connect();
/// assert_eq!(refused.unwrap_err().status(), 403);
/// ```
#[derive(Debug)]
#[must_use = "a handshake does nothing until it is sent"]
pub struct TestWebSocketRequest<'a> {
    client: &'a TestClient,
    target: String,
    headers: Vec<(String, String)>,
    compression: Option<WebSocketCompression>,
}

impl<'a> TestWebSocketRequest<'a> {
    pub(super) fn new(client: &'a TestClient, target: &str) -> Self {
        let (target, headers) = (target.to_owned(), Vec::new());
        Self { client, target, headers, compression: None }
    }

    /// Adds a header. The default `Host` is `localhost`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Offers subprotocols, the preferred one first.
    pub fn subprotocols(self, names: &[&str]) -> Self {
        self.header("Sec-WebSocket-Protocol", &names.join(", "))
    }

    /// Offers compression. Without it, messages are not compressed.
    pub fn compression(mut self, compression: WebSocketCompression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Opens the WebSocket.
    ///
    /// # Panics
    ///
    /// Panics if the server refuses, and like [`TestClient`].
    #[track_caller]
    pub fn connect(self) -> TestWebSocket {
        self.try_connect().unwrap_or_else(|response| {
            panic!("the WebSocket was refused: {} {}", response.status(), response.text())
        })
    }

    /// Opens the WebSocket, or returns the response if the server refuses.
    ///
    /// # Errors
    ///
    /// Returns the response if the server refuses.
    ///
    /// # Panics
    ///
    /// Panics if no response arrives, or if the 101 is invalid: see [`TestClient`].
    #[track_caller]
    pub fn try_connect(self) -> Result<TestWebSocket, Box<TestResponse>> {
        let key = new_key();
        let mut connection = self.client.connect();
        connection.send(self.head(&key));
        let head = connection.receive_until("\r\n\r\n");
        if !head.starts_with("HTTP/1.1 101 ") {
            connection.finish();
            let rest = connection.receive_to_end();
            let whole = [head.as_bytes(), &rest].concat();
            return Err(Box::new(TestResponse::parse(&whole, true, &Method::GET)));
        }
        let response = TestResponse::parse(head.as_bytes(), true, &Method::GET);
        assert_eq!(
            response.header("sec-websocket-accept"),
            Some(accept_key(key.as_bytes()).as_str()),
            "the server did not answer the key"
        );
        Ok(TestWebSocket::new(connection.into_stream(), response, self.compression))
    }

    fn head(&self, key: &str) -> String {
        let mut head = format!(
            "GET {} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: {VERSION}\r\nSec-WebSocket-Key: {key}\r\n",
            self.target
        );
        let host = ("Host".to_owned(), "localhost".to_owned());
        let has_host = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let extensions = self.compression.map(|compression| {
            let offer = permessage_deflate::offer(&compression::wanted(&compression));
            ("Sec-WebSocket-Extensions".to_owned(), offer)
        });
        let more = (!has_host).then_some(host).into_iter().chain(extensions);
        for (name, value) in self.headers.iter().cloned().chain(more) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

/// A WebSocket of a [`TestClient`]. The loop of the thread runs only while one of its methods
/// waits. It then also responds to pings.
///
/// # Examples
///
/// The server notices after an hour of virtual time that a client has vanished:
///
/// ```
/// use std::time::Duration;
///
/// use squall::testing::TestClient;
/// use squall::websocket::{WebSocket, WebSocketOptions};
/// use squall::{Application, IOLoop, Result, sleep, websocket};
///
/// async fn wait(mut ws: WebSocket) -> Result {
///     ws.recv().await.map(drop)
/// }
///
/// let hourly = WebSocketOptions::new().ping_interval(Duration::from_secs(3600));
/// let app = Application::new([websocket("/", wait).websocket_options(hourly)]);
/// let client = TestClient::new(app);
/// let mut ws = client.websocket("/").connect();
/// ws.vanish();
/// IOLoop::current().run_sync(sleep(Duration::from_secs(2 * 3600))).unwrap();
/// assert!(ws.received_raw().ends_with(b"ping timed out"));
/// ```
pub struct TestWebSocket {
    ws: WebSocket,
    response: TestResponse,
    stream: Shared,
    driver: Option<Task<()>>,
}

impl TestWebSocket {
    fn new(
        stream: DuplexStream,
        response: TestResponse,
        compression: Option<WebSocketCompression>,
    ) -> Self {
        let options = WebSocketOptions::new().ping_interval(None).compression(compression);
        let values = response.headers().get_all("sec-websocket-extensions").iter();
        let deflate = compression.and_then(|compression| {
            let wanted = compression::wanted(&compression);
            let agreed = permessage_deflate::agreed(values.map(HeaderValue::as_bytes), &wanted);
            let params = agreed.unwrap_or_else(|error| panic!("the extensions: {error:?}"))?;
            Some(compression::agreed(&compression, params))
        });
        let start = Start {
            role: Role::Client,
            options: Rc::new(options),
            deflate,
            page: None,
            early: Vec::new(),
            wants_control: false,
        };
        let subprotocol = response.header("sec-websocket-protocol").map(Box::from);
        let stream = Shared(Rc::new(stream));
        let session = Session::new(Box::new(stream.clone()), start, subprotocol);
        let driver = Some(IOLoop::current().spawn(Driver::new(&session)));
        Self { ws: WebSocket::new(&session), response, stream, driver }
    }

    /// Sends a message. Waits while the buffer of the connection is full.
    ///
    /// # Panics
    ///
    /// Panics if the connection is closed.
    #[track_caller]
    pub fn send(&self, message: impl Into<Message>) {
        if let Err(error) = run(self.ws.send(message)) {
            panic!("{error}");
        }
    }

    /// Waits for the next message. Returns `None` if the server has closed the connection.
    ///
    /// # Panics
    ///
    /// Panics if the connection breaks, and like [`TestClient`].
    #[track_caller]
    pub fn recv(&mut self) -> Option<Message> {
        run(self.ws.recv()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends a ping.
    ///
    /// # Panics
    ///
    /// Panics if the payload has more than 125 bytes, or if the connection is closed.
    #[track_caller]
    pub fn ping(&self, payload: impl AsRef<[u8]>) {
        if let Err(error) = run(self.ws.ping(payload)) {
            panic!("{error}");
        }
    }

    /// Closes the connection, and waits for the server to do so.
    ///
    /// # Panics
    ///
    /// Panics if the code may not be sent, or if the reason is too long.
    #[track_caller]
    pub fn close(&self, code: impl IntoCloseCode, reason: impl Into<Text>) {
        if let Err(error) = run(self.ws.close(code, reason)) {
            panic!("{error}");
        }
    }

    /// Waits for the server to close the connection, and returns its close frame. Drops all
    /// messages. Returns `None` for no close frame, or one without a code.
    #[track_caller]
    pub fn closed(&mut self) -> Option<CloseFrame> {
        while let Ok(Some(_)) = run(self.ws.recv()) {}
        self.ws.close_frame()
    }

    /// Stops reading and responding, like a client whose network has failed. The connection stays
    /// open.
    pub fn vanish(&mut self) {
        self.driver = None;
    }

    /// Returns the bytes that the server has sent since the client [vanished](Self::vanish),
    /// without waiting for more.
    #[track_caller]
    pub fn received_raw(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        let read = async {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = self.stream.read(&mut buffer).await {
                received.extend_from_slice(&buffer[..count]);
            }
        };
        run(future::or(read, future::yield_now()));
        received
    }

    /// Sends bytes as they are: frames that a correct client would not send.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        // Bytes to a server that has closed the connection are lost, as on a socket.
        let _ = run(self.stream.write_all(bytes.as_ref()));
    }

    /// Returns the subprotocol that the server selected.
    pub fn subprotocol(&self) -> Option<&str> {
        self.ws.subprotocol()
    }

    /// Returns the 101 of the server.
    pub fn response(&self) -> &TestResponse {
        &self.response
    }
}

impl fmt::Debug for TestWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWebSocket").field("ws", &self.ws).finish_non_exhaustive()
    }
}
