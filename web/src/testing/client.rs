use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall_runtime::{DuplexStream, IOLoop, Task, duplex};

use crate::application::Application;
use crate::connection::stream::Stream;
use crate::http::Method;
use crate::server::{HTTPServer, Service, end_gracefully};
use crate::testing::{TestRequest, TestWebSocketRequest};

/// Bytes that wait in each direction of a connection in memory before the writer waits.
const CAPACITY: usize = 64 * 1024;

/// Sends requests to an [`Application`] in this process, without a socket and without
/// waiting: time is [virtual](IOLoop::use_virtual_time), so that a handler that sleeps for an
/// hour answers at once. A test whose handlers use real sockets needs [`real_time`](Self::real_time).
///
/// Each request has a connection of its own; [`connect`](Self::connect) gives one to speak on
/// at length. The loop of the thread is run while an answer is awaited, and only then.
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
///
/// # Panics
///
/// Its methods panic where a test should fail: when the loop cannot be run, or no answer comes. On
/// virtual time, a handler that never answers is such a failure: the panic lists the tasks that wait and
/// the lines at which they were [spawned](IOLoop::use_virtual_time). The task of a connection was
/// spawned at the line of the test that opened it.
pub struct TestClient {
    server: HTTPServer,
    service: Rc<Service>,
    peer: Option<SocketAddr>,
    max_response_size: usize,
    /// The graceful end, once it has begun.
    shutdown: RefCell<Option<Task<()>>>,
}

impl TestClient {
    /// How many bytes of a response are received at most, unless
    /// [`max_response_size`](Self::max_response_size) says otherwise: 8 MiB.
    pub const MAX_RESPONSE_SIZE: usize = 8 << 20;

    /// A client of `app`. The loop of this thread keeps virtual time from now on.
    #[track_caller]
    pub fn new(app: Application) -> Self {
        Self::of(&HTTPServer::new(app))
    }

    /// A client of a server with settings of its own, which need not listen.
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
    ///
    /// # Panics
    ///
    /// If the loop of this thread cannot be made, or the application
    /// [cannot be built](HTTPServer::try_with).
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

    /// Makes the loop of this thread keep the real time, for handlers that wait for sockets and for
    /// other threads. A handler that never answers then makes the test wait for ever.
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
    ///
    /// # Panics
    ///
    /// If virtual time has passed on this thread already.
    #[must_use]
    #[track_caller]
    pub fn real_time(self) -> Self {
        IOLoop::current().use_real_time();
        self
    }

    /// Sets how many bytes of a response are received at most: 8 MiB unless this is called. A response
    /// that goes on, such as an endless stream, is cut there, and
    /// [`is_complete`](crate::testing::TestResponse::is_complete) returns false.
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

    /// Has the connections come from `address`, as far as the server can tell; by default they come
    /// from nowhere, and [`Context::peer_addr`](crate::Context::peer_addr) is `None`.
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

    /// A `GET` of `target`, which is a path with or without a query.
    pub fn get(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::GET, target)
    }

    /// A `HEAD` of `target`.
    pub fn head(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::HEAD, target)
    }

    /// A `POST` to `target`.
    pub fn post(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::POST, target)
    }

    /// A `PUT` to `target`.
    pub fn put(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PUT, target)
    }

    /// A `PATCH` of `target`.
    pub fn patch(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PATCH, target)
    }

    /// A `DELETE` of `target`.
    pub fn delete(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, target)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, target: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, target)
    }

    /// A WebSocket to `target`, which is a path with or without a query.
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

    /// Sends `bytes` on a connection of their own, says that no more will come, and returns
    /// all that the server sends until it closes.
    ///
    /// What is not UTF-8 in the answer is replaced.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application};
    /// let client = TestClient::new(Application::new([]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\n\r\n");
    /// assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "the host is missing");
    /// ```
    #[track_caller]
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.finish();
        String::from_utf8_lossy(&connection.receive_to_end()).into_owned()
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> TestConnection {
        let (stream, other) = duplex(CAPACITY);
        // Not by `open`: the line of the test is that which a test should see.
        let served = self.service.connection(Stream::memory(other, self.peer));
        IOLoop::current().spawn_callback(served);
        TestConnection { stream, max_response_size: self.max_response_size }
    }

    /// Begins the graceful end of the server, as SIGTERM does: the server waits for its
    /// [`drain_delay`](HTTPServer::drain_delay), calls the hooks of [`on_drain`](HTTPServer::on_drain),
    /// tells handlers by [`Context::draining`](crate::Context::draining), and finishes the requests
    /// that it has. The loop goes on.
    ///
    /// Nothing happens before the loop runs, such as in
    /// [`finish_shutdown`](Self::finish_shutdown) or when an answer is awaited.
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
            let end = end_gracefully(self.server.clone(), Rc::clone(&self.service.worker));
            *shutdown = Some(IOLoop::current().spawn(end));
        }
    }

    /// Runs the loop until the graceful end is over, and begins it before if
    /// [`begin_shutdown`](Self::begin_shutdown) was not called. Connections that are left at the
    /// [`shutdown_timeout`](HTTPServer::shutdown_timeout) have been cut then.
    ///
    /// # Panics
    ///
    /// Never because of a request: that has a time limit.
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

/// A connection of a [`TestClient`], for what takes more than one request: pipelines,
/// kept connections, clients that stop in the middle.
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

    /// Sends `bytes`; waits only while the server does not take them.
    ///
    /// What a server that has closed does not take is lost, as on a socket.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = run(self.stream.write_all(bytes.as_ref()));
    }

    /// Says that nothing more will be sent (FIN).
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application};
    /// let mut connection = TestClient::new(Application::new([])).connect();
    /// connection.send("GET / HTTP/1.1\r\nHo");
    /// connection.finish();
    /// assert_eq!(connection.receive_to_end(), b"", "nobody is there to be answered");
    /// ```
    #[track_caller]
    pub fn finish(&mut self) {
        let _ = run(self.stream.close());
    }

    /// Receives until `end` has come, and returns all of it; less, if the server closes before, or the
    /// [most](TestClient::max_response_size) that is received of a response has come.
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

    /// Receives until the server closes, or until as many bytes have arrived as
    /// [`max_response_size`](TestClient::max_response_size) allows.
    ///
    /// # Panics
    ///
    /// If the loop fails, or if nothing can happen any more.
    #[track_caller]
    pub fn receive_to_end(&mut self) -> Vec<u8> {
        self.receive().unwrap_or_else(|error| panic!("{error}")).0
    }

    /// Receives until the server closes, and says whether it has: it has not if there was more than is
    /// received. Fails if the loop does.
    #[track_caller]
    pub(super) fn receive(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let read = async {
            let (mut received, mut buffer) = (Vec::new(), vec![0; CAPACITY]);
            loop {
                // A reset ends the answer as well: what came before it is what there is.
                let count = self.stream.read(&mut buffer).await.unwrap_or(0);
                if count == 0 {
                    return (received, true);
                }
                let room = self.max_response_size - received.len();
                received.extend_from_slice(&buffer[..count.min(room)]);
                if count > room {
                    return (received, false);
                }
            }
        };
        IOLoop::current().run_sync(read)
    }
}

/// Runs the loop of this thread until `future` is ready.
#[track_caller]
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let output = IOLoop::current().run_sync(future);
    output.unwrap_or_else(|error| panic!("{error}"))
}
