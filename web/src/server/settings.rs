//! The settings of a server.

use std::rc::Rc;
use std::time::Duration;

use crate::connection::settings::websocket::WebSocketOptions;
use crate::connection::settings::{IntoTimeout, Settings, count_limit, head_limit, time_limit};
use crate::server::HTTPServer;

/// # Settings
///
/// All handles of a server share its settings. `None` for a time-out is no limit.
///
/// # Panics
///
/// Each setting panics once the server has started, because it would have no effect. Each panics if
/// its value is out of range; the message names the setting:
///
/// - a time-out of zero, except [`shutdown_timeout`](Self::shutdown_timeout),
///   [`drain_delay`](Self::drain_delay) and [`drain_idle`](Self::drain_idle);
/// - a [`max_header_size`](Self::max_header_size), [`max_header_count`](Self::max_header_count) or
///   [`max_target_size`](Self::max_target_size) of 0 or of more than 2³⁰;
/// - 0 for a number of requests or connections.
impl HTTPServer {
    /// Sets the largest head of a request, in bytes, from 1 to 2³⁰. A larger head is rejected with
    /// 431. Default: 64 KiB.
    #[must_use]
    #[track_caller]
    pub fn max_header_size(self, bytes: usize) -> Self {
        let bytes = head_limit("HTTPServer::max_header_size", bytes);
        self.set(|settings| settings.head.max_head_size = bytes)
    }

    /// Sets the most headers of a request, from 1 to 2³⁰. A request with more is rejected with 431.
    /// Default: 100.
    #[must_use]
    #[track_caller]
    pub fn max_header_count(self, count: usize) -> Self {
        let count = head_limit("HTTPServer::max_header_count", count);
        self.set(|settings| settings.head.max_fields = count)
    }

    /// Sets the longest target of a request (its path and query), in bytes, from 1 to 2³⁰. A longer
    /// target is rejected with 414. Default: 8 KiB.
    #[must_use]
    #[track_caller]
    pub fn max_target_size(self, bytes: usize) -> Self {
        let bytes = head_limit("HTTPServer::max_target_size", bytes);
        self.set(|settings| settings.head.max_target = bytes)
    }

    /// Sets the largest body of a request, in bytes. A larger body is rejected with 413. Default:
    /// 100 MiB. A [route](crate::Route::max_body_size) may have its own limit.
    #[must_use]
    #[track_caller]
    pub fn max_body_size(self, bytes: u64) -> Self {
        self.set(|settings| settings.max_body_size = bytes)
    }

    /// Sets whether compressed request bodies (`Content-Encoding: gzip` or `deflate`) are
    /// decompressed. Default: `false`, which leaves body and headers unchanged. A
    /// [route](crate::Route::decompress_request) may have its own setting.
    ///
    /// A body is decompressed while it is received, also for a route that
    /// [streams](crate::Route::stream_request_body) it. [`max_body_size`](Self::max_body_size)
    /// limits the compressed and the decompressed size. A small body that would become too large is
    /// rejected with 413 as soon as it reaches the limit, and takes no more memory than that.
    ///
    /// A body that is malformed, cut short or followed by other bytes is rejected with 400. Several
    /// gzip members are one body (RFC 1952). Another coding, or more than one, is rejected with
    /// 415, and `Accept-Encoding` lists the supported codings (RFC 9110 §15.5.16).
    ///
    /// `Content-Encoding` is renamed to `X-Consumed-Content-Encoding`. `Content-Length` stays the
    /// compressed size.
    ///
    /// # Examples
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

    /// Sets how long a connection may wait for its first or next request. It is closed then.
    /// Default: 75 seconds.
    #[must_use]
    #[track_caller]
    pub fn idle_connection_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::idle_connection_timeout", timeout);
        self.set(|settings| settings.idle_connection_timeout = timeout)
    }

    /// Sets how long a client may take for the head of a request, from its first byte. A slower
    /// request is rejected with 408. Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn header_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::header_timeout", timeout);
        self.set(|settings| settings.header_timeout = timeout)
    }

    /// Sets how long a client may pause while it sends a body. After a longer pause, the request is
    /// rejected with 408. Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn body_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::body_timeout", timeout);
        self.set(|settings| settings.body_timeout = timeout)
    }

    /// Sets the minimum average rate of a request body, in bytes per second. 0 is no limit.
    /// Default: 240.
    ///
    /// A client that falls behind by more than the [`body_timeout`](Self::body_timeout) gets a 408.
    /// Only time during which the server waits for the body counts. This limit ends clients that
    /// send one byte now and then and never pause for the whole time-out.
    #[must_use]
    #[track_caller]
    pub fn min_body_rate(self, bytes_per_second: u64) -> Self {
        self.set(|settings| settings.min_body_rate = bytes_per_second)
    }

    /// Sets how long a handler may take. Default: no limit. A
    /// [route](crate::Route::handler_timeout) may have its own limit.
    ///
    /// The time begins when the request is complete, or its head if the route streams the body. At
    /// the limit, the handler is dropped at its `await`, and the client gets a 503. If the head of
    /// the response has been flushed, the response is cut.
    ///
    /// The 503 is the standard page; [`write_error`](crate::RequestHandler::write_error) is not
    /// called. Middleware sees the 503 as an error of [`next`](crate::Next::run), and then has the
    /// same time again to handle it. The limit holds for the handler and its middleware together,
    /// so middleware that waits for too long is dropped as well. A handler that wants to answer by
    /// itself uses [`timeout`](crate::timeout).
    ///
    /// # Examples
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

    /// Sets the most requests of a connection, at least 1. The response to the last one has
    /// `Connection: close`. Default: no limit.
    #[must_use]
    #[track_caller]
    pub fn max_requests_per_connection(self, requests: impl Into<Option<u32>>) -> Self {
        let requests = count_limit("HTTPServer::max_requests_per_connection", requests);
        self.set(|settings| settings.max_requests = requests)
    }

    /// Sets how many requests a worker serves before it is replaced, at least 1. It ends gracefully
    /// once the new worker is ready. Default: no limit. Without a supervisor, the setting has no
    /// effect.
    ///
    /// Use it for a program that leaks memory, until the leak is found. Each worker's number is
    /// lower by up to an eighth, so that not all workers are replaced at the same time. See also
    /// [`ForkOptions::max_memory`](crate::process::ForkOptions::max_memory).
    #[must_use]
    #[track_caller]
    pub fn max_requests_per_worker(self, requests: impl Into<Option<u64>>) -> Self {
        let requests = count_limit("HTTPServer::max_requests_per_worker", requests);
        self.set(|settings| settings.max_requests_per_worker = requests)
    }

    /// Sets the most connections that each process serves at the same time, at least 1. More
    /// clients wait in the kernel's accept queue until a connection ends. Default: no limit except
    /// the process's limit for descriptors, at which accepting pauses as well.
    #[must_use]
    #[track_caller]
    pub fn max_connections(self, connections: impl Into<Option<usize>>) -> Self {
        let connections = count_limit("HTTPServer::max_connections", connections);
        self.set(|settings| settings.max_connections = connections)
    }

    /// Sets how long a client may read nothing of a response. Its connection is reset then.
    /// Default: 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn write_timeout(self, timeout: impl IntoTimeout) -> Self {
        let timeout = time_limit("HTTPServer::write_timeout", timeout);
        self.set(|settings| settings.write_timeout = timeout)
    }

    /// Sets the minimum rate at which a client reads, in bytes per second. 0 is no limit. Default:
    /// 240.
    ///
    /// The connection of a client that falls behind by more than the
    /// [`write_timeout`](Self::write_timeout) is reset, however fast the client was before. Only
    /// time during which bytes wait for the client counts. This limit ends clients that read one
    /// byte now and then and never pause for the whole time-out.
    ///
    /// The server sees how many bytes the kernel accepts. Over TCP these are steps of a few
    /// kilobytes: see [`BindOptions::notsent_lowat`](crate::BindOptions::notsent_lowat).
    #[must_use]
    #[track_caller]
    pub fn min_write_rate(self, bytes_per_second: u64) -> Self {
        self.set(|settings| settings.min_write_rate = bytes_per_second)
    }

    /// Sets how long the requests in progress may take at a graceful shutdown, counted from the end
    /// of the [`drain_delay`](Self::drain_delay). Default: 30 seconds.
    ///
    /// Requests that take longer are cancelled, and the log names them. Their clients get a 503. If
    /// some of the response has been sent, the connection is cut.
    #[must_use]
    #[track_caller]
    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.shutdown_timeout = timeout)
    }

    /// Sets how long a server serves as before after the signal to end, while
    /// [`/readyz`](crate::observe::health) reports that it is not ready. Default: 0, which refuses
    /// new connections at once.
    ///
    /// Load balancers that poll `/readyz` send new connections until they notice. Those of
    /// Kubernetes need this delay, or a `sleep` in a `preStop` hook. It should be some seconds
    /// longer than they take to notice.
    ///
    /// The [`shutdown_timeout`](Self::shutdown_timeout) begins after the delay. The service manager
    /// must allow for both (`terminationGracePeriodSeconds`, `TimeoutStopSec`). A second signal
    /// skips the delay. A worker that ends while others continue, as in a reload, does not delay.
    #[must_use]
    #[track_caller]
    pub fn drain_delay(self, delay: Duration) -> Self {
        self.set(|settings| settings.drain_delay = delay)
    }

    /// Sets how long a kept connection may send a last request at a graceful shutdown. The response
    /// has `Connection: close`. Closing at once would fail a request that is on its way. Default: 1
    /// second.
    #[must_use]
    #[track_caller]
    pub fn drain_idle(self, patience: Duration) -> Self {
        self.set(|settings| settings.drain_idle = patience)
    }

    /// Sets whether a handler continues after the client has closed its sending side. Default:
    /// `false`.
    ///
    /// A client that has closed the whole connection looks the same until the response is sent. By
    /// default the handler is therefore cancelled if it waits at an `await` of its own: for a
    /// timer, a database, a job in the thread pool.
    ///
    /// A handler that does not wait is never cancelled for this reason. Neither is one that waits
    /// only for the framework: for [`OpenFile::open`](crate::OpenFile::open),
    /// [`send_file`](crate::Context::send_file), [`flush`](crate::Context::flush) or the
    /// [body](crate::Context::body). Such a request is answered whether its FIN arrives early or
    /// late.
    #[must_use]
    #[track_caller]
    pub fn half_close(self, half_close: bool) -> Self {
        self.set(|settings| settings.half_close = half_close)
    }

    /// Sets whether a [`Json`](crate::Json) parameter accepts bodies of any content type. Default:
    /// `false`, and a body that is not declared as JSON is answered with 415. A page of another site
    /// can send a body without asking first only if it is not declared as JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, HTTPServer, Json, post, route};
    ///
    /// let app = Application::new([route("/", post(async |Json(n): Json<u8>| n.to_string()))]);
    /// let client = TestClient::of(&HTTPServer::new(app).any_json_content_type(true));
    /// assert_eq!(client.post("/").body("7").send().text(), "7");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn any_json_content_type(self, any: bool) -> Self {
        self.set(|settings| settings.any_json_content_type = any)
    }

    /// Sets whether SIGTERM and SIGINT end this server gracefully. Default: `true`.
    ///
    /// In a process without a supervisor, the server then also
    /// [declines](crate::process::decline_reloads) SIGHUP, SIGUSR2, SIGTTIN and SIGTTOU. These
    /// signals are meant for a supervisor, and would end or suspend the process.
    #[must_use]
    #[track_caller]
    pub fn handle_signals(self, handle: bool) -> Self {
        self.set(|settings| settings.handle_signals = handle)
    }

    /// Sets how long a handler or another task may block its worker, without an `await` that waits.
    /// `None` logs nothing. Default: 100 ms.
    ///
    /// A longer block is logged as a warning, with its duration, the line that spawned the task,
    /// and the routes that it served. All other connections of the worker wait meanwhile. Run long
    /// work with [`IOLoop::run_in_executor`](crate::IOLoop::run_in_executor). See also
    /// [`IOLoop::slow_callback`](crate::IOLoop::slow_callback).
    ///
    /// # Examples
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
        let threshold = time_limit("slow_callback", threshold);
        self.set(|settings| settings.slow_callback = Some(threshold))
    }

    /// Sets the limits and time-outs of [WebSockets](mod@crate::websocket). A
    /// [route](crate::Route::websocket_options) may have its own.
    ///
    /// # Examples
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
        assert!(
            self.shared.service.get().is_none(),
            "settings must be changed before the server starts"
        );
        change(&mut self.shared.settings.borrow_mut());
        self
    }
}
