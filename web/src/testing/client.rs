use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall_runtime::{DuplexStream, IOLoop, duplex};

use crate::application::Application;
use crate::connection::stream::Stream;
use crate::http::Method;
use crate::server::{HTTPServer, Service};
use crate::testing::TestRequest;

/// Bytes that wait in each direction of a connection in memory before the writer waits.
const CAPACITY: usize = 64 * 1024;

/// Sends requests to an [`Application`] in this process, without a socket and without
/// waiting: time is [virtual](IOLoop::use_virtual_time), so that a handler that sleeps for an
/// hour answers at once.
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
/// Its methods panic where a test should fail: when the loop cannot be run, or no answer
/// comes.
pub struct TestClient {
    service: Rc<Service>,
    peer: Option<SocketAddr>,
}

impl TestClient {
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
        match server.service_without_signals() {
            Ok(service) => Self { service, peer: None },
            Err(error) => panic!("{error}"),
        }
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
    pub fn connect(&self) -> TestConnection {
        let (stream, other) = duplex(CAPACITY);
        self.service.open(Stream::memory(other, self.peer));
        TestConnection { stream }
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
}

impl TestConnection {
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

    /// Receives until `end` has come, and returns all of it; less, if the server closes
    /// before.
    #[track_caller]
    pub fn receive_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        run(async {
            let mut byte = [0];
            while !received.ends_with(end.as_bytes()) && self.stream.read(&mut byte).await? == 1 {
                received.push(byte[0]);
            }
            std::io::Result::Ok(())
        })
        .ok();
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Receives until the server closes.
    #[track_caller]
    pub fn receive_to_end(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        // A reset ends the answer as well: what came before it is what there is.
        let _ = run(self.stream.read_to_end(&mut received));
        received
    }
}

/// Runs the loop of this thread until `future` is ready.
#[track_caller]
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    IOLoop::current().run_sync(future).expect("the loop of a test can be run")
}
