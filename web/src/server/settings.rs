use std::rc::Rc;
use std::time::Duration;

use crate::connection::settings::websocket::WebSocketOptions;
use crate::connection::settings::{IntoTimeout, Settings, count_limit, head_limit, time_limit};
use crate::server::HTTPServer;

/// The settings. A `None` for a time-out is no time-out. They are those of the server that all
/// its handles share.
///
/// # Panics
///
/// Each panics once the server has started: it would have no effect. And each panics if its value is
/// out of range, and names itself:
/// - a time-out of zero, except for the [`shutdown_timeout`](Self::shutdown_timeout);
/// - a [`max_header_size`](Self::max_header_size), [`max_header_count`](Self::max_header_count) or
///   [`max_target_size`](Self::max_target_size) of 0 or of more than 2³⁰;
/// - a number of 0 for requests or connections.
impl HTTPServer {
    /// How large the head of a request may be, in bytes; more is answered with 431.
    /// Default: 64 KiB.
    #[must_use]
    #[track_caller]
    pub fn max_header_size(self, bytes: usize) -> Self {
        let bytes = head_limit("HTTPServer::max_header_size", bytes);
        self.set(|settings| settings.head.max_head_size = bytes)
    }

    /// How many headers a request may have; more are answered with 431. Default: 100.
    #[must_use]
    #[track_caller]
    pub fn max_header_count(self, count: usize) -> Self {
        let count = head_limit("HTTPServer::max_header_count", count);
        self.set(|settings| settings.head.max_fields = count)
    }

    /// How long the target of a request (its path and query) may be, in bytes; a longer one
    /// is answered with 414. Default: 8 KiB.
    #[must_use]
    #[track_caller]
    pub fn max_target_size(self, bytes: usize) -> Self {
        let bytes = head_limit("HTTPServer::max_target_size", bytes);
        self.set(|settings| settings.head.max_target = bytes)
    }

    /// How large the body of a request may be, in bytes; a larger one is answered with 413.
    /// Default: 100 MiB. A [route](crate::Route::max_body_size) may have its own limit.
    #[must_use]
    #[track_caller]
    pub fn max_body_size(self, bytes: u64) -> Self {
        self.set(|settings| settings.max_body_size = bytes)
    }

    /// Whether bodies that come compressed (`Content-Encoding: gzip` or `deflate`) are given out
    /// decompressed. Default: `false`, which leaves them and their headers as they are. A
    /// [route](crate::Route::decompress_request) may have it otherwise.
    ///
    /// They are decompressed as they come, also for a route that
    /// [streams](crate::Route::stream_request_body) them. [`max_body_size`](Self::max_body_size)
    /// counts what comes and what comes out of it: a small body that would become a large one is
    /// answered with 413 once it has come out to that size, and has taken no more memory.
    ///
    /// What is not of the coding, is cut short or has something behind it is answered with 400;
    /// several members of gzip are one body (RFC 1952). Another coding, or one on top of another,
    /// is answered with 415, and `Accept-Encoding` says which are taken (RFC 9110 §15.5.16).
    ///
    /// `Content-Encoding` is moved to `X-Consumed-Content-Encoding`; `Content-Length` stays what
    /// the client has said, the size of what it has sent.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// use flate2::{Compression, write::GzEncoder};
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPServer, Result, post, route};
    ///
    /// async fn size(cx: &mut Context) -> Result {
    ///     cx.write(cx.body().await?.len().to_string())
    /// }
    ///
    /// let app = Application::new([route("/", post(size))]);
    /// let server = HTTPServer::new(app).decompress_request(true).max_body_size(1 << 20);
    /// let client = TestClient::of(&server);
    /// let send = |size| {
    ///     let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    ///     gzip.write_all(&vec![b'a'; size]).unwrap();
    ///     client.post("/").header("Content-Encoding", "gzip").body(gzip.finish().unwrap()).send()
    /// };
    /// assert_eq!(send(1 << 20).text(), "1048576");
    /// assert_eq!(send((1 << 20) + 1).status(), 413);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn decompress_request(self, decompress: bool) -> Self {
        self.set(|settings| settings.decompress_request = decompress)
    }

    /// How long a connection may wait for its next request, or its first; it is closed then.
    /// Default: 75 seconds.
    #[must_use]
    #[track_caller]
    pub fn idle_connection_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::idle_connection_timeout", timeout);
        self.set(|settings| settings.idle_connection_timeout = timeout)
    }

    /// How long a client may take for the head of a request, from its first byte; then it is
    /// answered with 408. Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn header_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::header_timeout", timeout);
        self.set(|settings| settings.header_timeout = timeout)
    }

    /// How long a client may pause while it sends a body; then it is answered with 408.
    /// Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn body_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::body_timeout", timeout);
        self.set(|settings| settings.body_timeout = timeout)
    }

    /// How fast a body must come on average, in bytes per second, not counting what the handler
    /// takes; a client that is slower for longer than the
    /// [`body_timeout`](Self::body_timeout) is answered with 408. Default: 240. 0 is no limit.
    ///
    /// It ends clients that send a byte now and then, and never pause for long enough.
    #[must_use]
    #[track_caller]
    pub fn min_body_rate(self, bytes_per_second: u64) -> Self {
        self.set(|settings| settings.min_body_rate = bytes_per_second)
    }

    /// How long a handler may take, from the moment its request is complete (or its head, if
    /// the route streams the body); then it is dropped at its `await`, and the client answered
    /// with 503. A response whose head has been flushed is cut. Default: no limit. A
    /// [route](crate::Route::handler_timeout) may have its own.
    ///
    /// What is dropped writes nothing any more: the client gets the standard page, without
    /// [`write_error`](crate::RequestHandler::write_error). Middleware sees the 503 as an error of
    /// [`next`](crate::Next::run), and has as long again for what it does about it. The limit holds
    /// for the handler and its middleware together: middleware that waits for too long is dropped in
    /// the same way. A handler that has more to say uses [`timeout`](crate::timeout) itself.
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, HTTPServer, get, route, sleep};
    /// use std::time::Duration;
    ///
    /// let app = Application::new([route("/", get(async || sleep(Duration::from_secs(60)).await))]);
    /// let server = HTTPServer::new(app).handler_timeout(Duration::from_secs(10));
    /// assert_eq!(TestClient::of(&server).get("/").send().status(), 503);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn handler_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::handler_timeout", timeout);
        self.set(|settings| settings.handler_timeout = timeout)
    }

    /// How many requests a connection may make; the response to the last says
    /// `Connection: close`. Default: no limit.
    #[must_use]
    #[track_caller]
    pub fn max_requests_per_connection(self, requests: impl Into<Option<u32>>) -> Self {
        let requests = count_limit("HTTPServer::max_requests_per_connection", requests);
        self.set(|settings| settings.max_requests = requests)
    }

    /// How many requests a worker serves before it is replaced: it ends gracefully once the new
    /// one is ready. For what leaks, until the leak is found. Each worker's number is lower by a
    /// share of up to an eighth, so that not all are replaced at the same time. Default: no limit;
    /// without a supervisor there is none either.
    ///
    /// See [`ForkOptions::max_memory`](crate::process::ForkOptions::max_memory) as well.
    #[must_use]
    #[track_caller]
    pub fn max_requests_per_worker(self, requests: impl Into<Option<u64>>) -> Self {
        let requests = count_limit("HTTPServer::max_requests_per_worker", requests);
        self.set(|settings| settings.max_requests_per_worker = requests)
    }

    /// How many connections each process serves at once; more wait in the system until one
    /// ends. Default: no limit but that of the process on descriptors, at which accepting
    /// pauses as well.
    #[must_use]
    #[track_caller]
    pub fn max_connections(self, connections: impl Into<Option<usize>>) -> Self {
        let connections = count_limit("HTTPServer::max_connections", connections);
        self.set(|settings| settings.max_connections = connections)
    }

    /// How long a client may take nothing of a response that is waiting for it; then the
    /// connection is cut. Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn write_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::write_timeout", timeout);
        self.set(|settings| settings.write_timeout = timeout)
    }

    /// How fast a client must take what is sent, in bytes per second; one that is behind that by
    /// more than the [`write_timeout`](Self::write_timeout) is cut, however fast it has been
    /// before. Only time counts in which something waits for it. Default: 240. 0 is no limit.
    ///
    /// It ends clients that take a byte now and then, and never pause for long enough. Seen is
    /// what the system takes to send: over TCP in steps of some kilobytes, see
    /// [`BindOptions::notsent_lowat`](crate::BindOptions::notsent_lowat).
    #[must_use]
    #[track_caller]
    pub fn min_write_rate(self, bytes_per_second: u64) -> Self {
        self.set(|settings| settings.min_write_rate = bytes_per_second)
    }

    /// How long the requests in flight may take at a graceful end, once it has
    /// [begun](Self::drain_delay); those that take longer are cancelled, which is logged. Their
    /// clients are told by a 503, or by the end of the connection if some of the response has been
    /// sent. Default: 30 seconds.
    #[must_use]
    #[track_caller]
    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.shutdown_timeout = timeout)
    }

    /// For how long a server that was told to end goes on as before, while [`/readyz`](crate::observe::health)
    /// says that it is not ready: for load balancers that ask it now and then, and send new
    /// connections until they have heard. Those of Kubernetes need it, or a `sleep` in a `preStop`
    /// hook. It should be some seconds longer than they take to notice. Default: 0, to refuse new
    /// connections at once.
    ///
    /// The [`shutdown_timeout`](Self::shutdown_timeout) begins after it, so that whoever ends the
    /// process must wait for both (`terminationGracePeriodSeconds`, `TimeoutStopSec`). A second signal
    /// does not wait. A worker that ends while others serve on, as in a reload, has no need of it.
    #[must_use]
    #[track_caller]
    pub fn drain_delay(self, delay: Duration) -> Self {
        self.set(|settings| settings.drain_delay = delay)
    }

    /// How long a kept connection has for a last request at a graceful end. It is answered with
    /// `Connection: close`. To close at once would fail a request that is on its way. Default:
    /// 1 second.
    #[must_use]
    #[track_caller]
    pub fn drain_idle(self, patience: Duration) -> Self {
        self.set(|settings| settings.drain_idle = patience)
    }

    /// Whether a handler goes on when the client has ended its side of the connection.
    ///
    /// A client that has closed the connection altogether looks the same until the response
    /// is sent, so by default the handler is cancelled, if it waits at an `await` of its own: for
    /// a timer, a database, a job in the pool. Default: `false`.
    ///
    /// The end of the client's side never cancels a handler that does not wait, or that waits only
    /// for the framework: for [`OpenFile::open`](crate::OpenFile::open),
    /// [`send_file`](crate::Context::send_file), [`flush`](crate::Context::flush) or the
    /// [body](crate::Context::body). Such a request is answered whether its FIN comes early or late.
    #[must_use]
    #[track_caller]
    pub fn half_close(self, half_close: bool) -> Self {
        self.set(|settings| settings.half_close = half_close)
    }

    /// Whether SIGTERM and SIGINT end this server gracefully. Default: `true`.
    ///
    /// In a process without a supervisor, SIGHUP, SIGUSR2, SIGTTIN and SIGTTOU, which are orders to
    /// one, are then [declined](crate::process::decline_reloads) rather than end or suspend it.
    #[must_use]
    #[track_caller]
    pub fn handle_signals(self, handle: bool) -> Self {
        self.set(|settings| settings.handle_signals = handle)
    }

    /// How long a handler, or any other task, may keep its worker without an `await` that waits;
    /// one that takes longer is logged as a warning, with how long it took, where the task was
    /// spawned, and the routes of what it served. All that the worker has waits meanwhile: what
    /// takes long belongs into [`IOLoop::run_in_executor`](crate::IOLoop::run_in_executor).
    /// Default: 100 ms. `None`: nothing is logged.
    ///
    /// See [`IOLoop::slow_callback`](crate::IOLoop::slow_callback).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use squall::{Application, HTTPServer};
    /// # let app = Application::new([]);
    /// let server = HTTPServer::new(app).slow_callback(Duration::from_millis(20));
    /// server.bind(8000)?.start(0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn slow_callback(self, threshold: impl IntoTimeout) -> Self {
        self.set(|settings| settings.slow_callback = Some(threshold.into_timeout()))
    }

    /// Sets the limits and time-outs of [WebSockets](mod@crate::websocket). A
    /// [route](crate::Route::websocket_options) may have its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use squall::{Application, HTTPServer};
    /// use squall::websocket::WebSocketOptions;
    ///
    /// let options = WebSocketOptions::new().ping_interval(Duration::from_secs(10));
    /// let server = HTTPServer::new(Application::new([])).websocket_options(options);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn websocket_options(self, options: WebSocketOptions) -> Self {
        self.set(|settings| settings.websocket = Rc::new(options))
    }

    #[track_caller]
    pub(super) fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        assert!(self.shared.service.get().is_none(), "the server has started with its settings");
        change(&mut self.shared.settings.borrow_mut());
        self
    }
}
