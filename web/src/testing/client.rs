//! [`TestClient`] and its connections.

use std::cell::RefCell;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_lite::future::or;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall_runtime::{DuplexStream, IOLoop, Task, duplex};

use crate::application::Application;
use crate::connection::stream::Stream;
use crate::http::Method;
use crate::server::{HTTPServer, Service, end_gracefully};
use crate::testing::{TestRequest, TestWebSocketRequest};

/// The buffer of each direction of a connection in memory, in bytes.
const CAPACITY: usize = 64 * 1024;

/// Sends requests to an [`Application`] in this process, without sockets.
///
/// Time is [virtual](IOLoop::use_virtual_time), so the response of a handler that sleeps for an
/// hour arrives at once. A test whose handlers use real sockets needs
/// [`real_time`](Self::real_time).
///
/// Each request has a connection of its own. [`connect`](Self::connect) opens a connection for
/// several requests. The loop of the thread runs only while the client waits for a response.
///
/// # Panics
///
/// Its methods panic where a test should fail: if the loop cannot run, or if no response arrives.
/// With virtual time, a handler that never responds is such a failure, even one that sleeps in a
/// loop. The panic lists the tasks that wait and the lines that
/// [spawned](IOLoop::use_virtual_time) them. The task of a connection
/// was spawned at the line of the test that opened it.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// async fn hello(cx: &mut Context) -> Result {
///     cx.set_header("X-Greeting", "yes")?;
///     cx.write("Hello, world")
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(hello))]));
/// let response = client.get("/").send();
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.header("x-greeting"), Some("yes"));
/// assert_eq!(response.text(), "Hello, world");
/// ```
pub struct TestClient {
    server: HTTPServer,
    service: Rc<Service>,
    peer: Option<SocketAddr>,
    max_response_size: usize,
    /// The graceful shutdown, once it has begun.
    shutdown: RefCell<Option<Task<()>>>,
}

impl TestClient {
    /// The default of [`max_response_size`](Self::max_response_size): 8 MiB.
    pub const MAX_RESPONSE_SIZE: usize = 8 << 20;

    /// Creates a client of `app`. From now on, time is virtual on this thread.
    #[track_caller]
    pub fn new(app: Application) -> Self {
        Self::of(&HTTPServer::new(app))
    }

    /// Creates a client of a server with settings. The server need not listen.
    ///
    /// # Panics
    ///
    /// Panics if the loop of this thread cannot be created, or if the application
    /// [cannot be built](HTTPServer::try_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, HTTPServer, post, route};
    ///
    /// async fn take() {}
    ///
    /// let server = HTTPServer::new(Application::new([route("/", post(take))])).max_body_size(3);
    /// let client = TestClient::of(&server);
    /// assert_eq!(client.post("/").body("four").send().status(), 413);
    /// ```
    #[track_caller]
    pub fn of(server: &HTTPServer) -> Self {
        IOLoop::current().use_virtual_time();
        let service = match server.service_without_signals() {
            Ok(service) => service,
            Err(error) => panic!("{error}"),
        };
        Self {
            server: server.clone(),
            service,
            peer: None,
            max_response_size: Self::MAX_RESPONSE_SIZE,
            shutdown: RefCell::default(),
        }
    }

    /// Switches this thread to real time, for handlers that wait for sockets or other threads. The
    /// test then waits for ever for a handler that never responds.
    ///
    /// # Panics
    ///
    /// Panics if virtual time has already passed on this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use squall::testing::TestClient;
    /// use squall::{Application, IOLoop, get, route, sleep};
    ///
    /// async fn nap() -> &'static str {
    ///     sleep(Duration::from_millis(5)).await;
    ///     "rested"
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(nap))])).real_time();
    /// let begin = IOLoop::current().time();
    /// assert_eq!(client.get("/").send().text(), "rested");
    /// assert!(IOLoop::current().time() - begin >= Duration::from_millis(5));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn real_time(self) -> Self {
        IOLoop::current().use_real_time();
        self
    }

    /// Sets the maximum number of bytes of a response that the client receives. The default is 8
    /// MiB. A longer response, such as an endless stream, is cut there, and
    /// [`is_complete`](crate::testing::TestResponse::is_complete) returns `false`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn ticks(cx: &mut Context) -> Result {
    ///     loop {
    ///         cx.write("tick\n")?;
    ///         cx.flush().await?;
    ///     }
    /// }
    ///
    /// let app = Application::new([route("/", get(ticks))]);
    /// let response = TestClient::new(app).max_response_size(1000).get("/").send();
    /// assert!(response.text().starts_with("tick\ntick\n") && !response.is_complete());
    /// ```
    #[must_use]
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// Sets the address that the server sees as the client's. By default there is none, and
    /// [`Context::peer_addr`](crate::Context::peer_addr) is `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn who(cx: &mut Context) -> Result {
    ///     cx.write(format!("{:?}", cx.remote_addr()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let client = TestClient::new(app).peer_addr(([192, 0, 2, 1], 4711));
    /// assert_eq!(client.get("/").send().text(), "Some(192.0.2.1:4711)");
    /// ```
    #[must_use]
    pub fn peer_addr(mut self, address: impl Into<SocketAddr>) -> Self {
        self.peer = Some(address.into());
        self
    }

    /// Creates a `GET` request for `target`, which is a path with an optional query.
    pub fn get(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::GET, target)
    }

    /// Creates a `HEAD` request for `target`.
    pub fn head(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::HEAD, target)
    }

    /// Creates a `POST` request to `target`.
    pub fn post(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::POST, target)
    }

    /// Creates a `PUT` request to `target`.
    pub fn put(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PUT, target)
    }

    /// Creates a `PATCH` request for `target`.
    pub fn patch(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PATCH, target)
    }

    /// Creates a `DELETE` request for `target`.
    pub fn delete(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, target)
    }

    /// Creates a request with any method.
    pub fn request(&self, method: Method, target: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, target)
    }

    /// Creates a WebSocket handshake for `target`, which is a path with an optional query.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Result, websocket};
    /// # use squall::websocket::WebSocket;
    /// async fn greet(ws: WebSocket) -> Result {
    ///     ws.send("hello").await
    /// }
    ///
    /// let client = TestClient::new(Application::new([websocket("/", greet)]));
    /// assert_eq!(client.websocket("/").connect().recv(), Some("hello".into()));
    /// ```
    pub fn websocket(&self, target: &str) -> TestWebSocketRequest<'_> {
        TestWebSocketRequest::new(self, target)
    }

    /// Sends `bytes` on a new connection, shuts down that direction, and returns everything that
    /// the server sends until it closes the connection.
    ///
    /// Replaces invalid UTF-8.
    ///
    /// # Panics
    ///
    /// Panics if the loop fails, or if all tasks wait for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application};
    /// let client = TestClient::new(Application::new([]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\n\r\n");
    /// assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "the host is missing");
    /// ```
    #[track_caller]
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let connection = self.connect();
        let (received, _) = connection
            .exchange(bytes.as_ref(), AfterSending::Finish, |_| false)
            .unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> TestConnection {
        let (stream, other) = duplex(CAPACITY);
        // Not with `open`, because the spawn site should be the line of the test.
        let served = self.service.connection(Stream::memory(other, self.peer));
        IOLoop::current().spawn_callback(served);
        TestConnection { stream, max_response_size: self.max_response_size }
    }

    /// Begins the graceful shutdown of the server, like SIGTERM. The server waits for its
    /// [`drain_delay`](HTTPServer::drain_delay), calls the hooks of
    /// [`on_drain`](HTTPServer::on_drain), completes
    /// [`Context::draining`](crate::Context::draining), and finishes the requests in progress. The
    /// loop continues.
    ///
    /// The shutdown proceeds only while the loop runs: in
    /// [`finish_shutdown`](Self::finish_shutdown), or while the client waits for a response.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn stream(cx: &mut Context) -> Result {
    ///     cx.write("working, ")?;
    ///     cx.flush().await?;
    ///     cx.draining().await;
    ///     cx.write("stopped")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(stream))]));
    /// let mut connection = client.connect();
    /// connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// connection.receive_until("working, ");
    /// client.begin_shutdown();
    /// assert!(connection.receive_until("0\r\n\r\n").contains("stopped"));
    /// client.finish_shutdown();
    /// assert_eq!(connection.receive_to_end(), b"", "the connection is closed");
    /// ```
    pub fn begin_shutdown(&self) {
        let mut shutdown = self.shutdown.borrow_mut();
        if shutdown.is_none() {
            let end = end_gracefully(self.server.clone(), Rc::clone(&self.service.server));
            *shutdown = Some(IOLoop::current().spawn(end));
        }
    }

    /// Runs the loop until the graceful shutdown is complete. Begins it if
    /// [`begin_shutdown`](Self::begin_shutdown) was not called. Connections that remain at the
    /// [`shutdown_timeout`](HTTPServer::shutdown_timeout) are aborted.
    ///
    /// # Panics
    ///
    /// Panics if the loop cannot run. A request cannot cause a panic, because it has a time limit.
    #[track_caller]
    pub fn finish_shutdown(&self) {
        self.begin_shutdown();
        if let Some(shutdown) = self.shutdown.take() {
            let _ = run(shutdown);
        }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("service", &self.service).finish()
    }
}

/// A connection of a [`TestClient`], for tests with more than one request: pipelining, keep-alive,
/// clients that stop in the middle.
///
/// # Examples
///
/// ```
/// # use squall::{testing::TestClient, Application, get, route};
/// # async fn hello() -> &'static str { "hello" }
/// let client = TestClient::new(Application::new([route("/", get(hello))]));
/// let mut connection = client.connect();
/// for _ in 0..2 {
///     connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
///     assert!(connection.receive_until("hello").starts_with("HTTP/1.1 200 OK\r\n"));
/// }
/// ```
#[derive(Debug)]
pub struct TestConnection {
    stream: DuplexStream,
    max_response_size: usize,
}

impl TestConnection {
    pub(super) fn into_stream(self) -> DuplexStream {
        self.stream
    }

    /// Sends `bytes`. Waits only while the buffer of the connection is full.
    ///
    /// Bytes to a server that has closed the connection are lost, as on a socket.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = run(self.stream.write_all(bytes.as_ref()));
    }

    /// Shuts down the direction to the server (FIN).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application};
    /// let mut connection = TestClient::new(Application::new([])).connect();
    /// connection.send("GET / HTTP/1.1\r\nHo");
    /// connection.finish();
    /// assert_eq!(connection.receive_to_end(), b"", "an incomplete request gets no response");
    /// ```
    #[track_caller]
    pub fn finish(&mut self) {
        let _ = run(self.stream.close());
    }

    /// Receives until `end` has arrived, and returns everything. Returns less if the server closes
    /// the connection first, or at [`max_response_size`](TestClient::max_response_size).
    #[track_caller]
    pub fn receive_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        run(async {
            let mut byte = [0];
            while !received.ends_with(end.as_bytes())
                && received.len() < self.max_response_size
                && self.stream.read(&mut byte).await? == 1
            {
                received.push(byte[0]);
            }
            io::Result::Ok(())
        })
        .ok();
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Receives until the server closes the connection, or up to
    /// [`max_response_size`](TestClient::max_response_size).
    ///
    /// # Panics
    ///
    /// Panics if the loop fails, or if all tasks wait for ever.
    #[track_caller]
    pub fn receive_to_end(&mut self) -> Vec<u8> {
        self.exchange(b"", AfterSending::StayOpen, |_| false)
            .unwrap_or_else(|error| panic!("{error}"))
            .0
    }

    /// Sends `bytes`, and meanwhile receives until the server closes the connection, or until
    /// `is_whole` returns `true` for the received bytes. Returns `false` with the bytes if there
    /// was too much to receive. Fails if the loop does.
    #[track_caller]
    pub(super) fn exchange(
        &self,
        bytes: &[u8],
        after: AfterSending,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> io::Result<(Vec<u8>, bool)> {
        let send = async {
            // The server may close the connection before it has read everything.
            let _ = (&self.stream).write_all(bytes).await;
            if after == AfterSending::Finish {
                let _ = (&self.stream).close().await;
            }
            pending().await
        };
        IOLoop::current().run_sync(or(self.receive(is_whole), send))
    }

    async fn receive(&self, is_whole: impl Fn(&[u8]) -> bool) -> (Vec<u8>, bool) {
        let (mut received, mut buffer) = (Vec::new(), vec![0; CAPACITY]);
        loop {
            // A reset ends the response, too. Keep the bytes before it.
            let count = (&self.stream).read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return (received, true);
            }
            let room = self.max_response_size - received.len();
            received.extend_from_slice(&buffer[..count.min(room)]);
            if count > room {
                return (received, false);
            }
            if is_whole(&received) {
                return (received, true);
            }
        }
    }
}

/// The state in which the client leaves its direction of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterSending {
    StayOpen,
    Finish,
}

/// Runs the loop of this thread until `future` is ready.
#[track_caller]
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let output = IOLoop::current().run_sync(future);
    output.unwrap_or_else(|error| panic!("{error}"))
}
