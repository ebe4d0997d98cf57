//! Metrics of all workers of a server, for Prometheus and other readers.
//!
//! ```
//! use squall::metrics::{self, Counter};
//! use squall::testing::TestClient;
//! use squall::{Application, post, route};
//!
//! let signups = Counter::new("signups_total", "Accounts that were made.")?;
//! let app = Application::new([
//!     route("/signup", post(async move || signups.inc())),
//!     route("/metrics", metrics::handler()),
//! ]);
//! let client = TestClient::new(app);
//! client.post("/signup").send();
//!
//! let page = client.get("/metrics").send().text();
//! assert!(page.contains("\nsignups_total 1\n"), "{page}");
//! let line = r#"http_requests_total{method="POST",route="/signup",status="2xx"} 1"#;
//! assert!(page.contains(line), "{page}");
//! # Ok::<(), metrics::MetricError>(())
//! ```
//!
//! # How the workers count
//!
//! Each worker counts in its own part of shared memory, without locks. The memory outlives the
//! worker: the sum includes the counts of a worker that was killed, and its replacement continues
//! them. Any worker can add up all counts. They begin with 0 when the server starts, and also with
//! a [new version](crate::process#a-new-version-of-the-program) of the program.
//!
//! A request is in flight until its response is about to be handed to the kernel. Then it is
//! counted with its duration, before the client can have the response. If its worker is killed
//! first, the request is counted as lost. So each request whose head a worker has read is in
//! exactly one of `http_requests_total`, `http_requests_in_flight` and `http_lost_requests_total`.
//! Requests that a killed worker had not read are in none of them.
//!
//! [`HTTPServer::start`](crate::HTTPServer::start) makes the workers share this memory. If you fork
//! with [`ForkOptions`](crate::process::ForkOptions) yourself, each worker reports only its own
//! counts.
//!
//! # The metrics
//!
//! | name | labels | |
//! |---|---|---|
//! | `http_requests_total` | `method`, `route`, `status` | requests that have ended |
//! | `http_request_duration_seconds` | `method`, `route` | a histogram of their durations |
//! | `http_requests_in_flight` | | requests that have begun and not ended |
//! | `http_lost_requests_total` | | requests without a response, because their worker was killed or ended [at once](crate::HTTPServer#the-end) |
//! | `http_refused_requests_total` | | malformed requests, which were refused before routing |
//! | `http_connections_open` | | |
//! | `http_connections_accepted_total` | | |
//! | `http_received_bytes_total` | | without the bytes after an upgrade |
//! | `http_sent_bytes_total` | | without the bytes after an upgrade |
//! | `websocket_connections_open` | | open WebSockets |
//! | `websocket_connections_opened_total` | | |
//! | `websocket_received_messages_total`, `websocket_sent_messages_total` | | |
//! | `websocket_received_bytes_total`, `websocket_sent_bytes_total` | | the bytes of messages, without frames and before compression |
//! | `topic_patterns`, `topic_subscriptions` | | patterns with subscriptions, counted for each worker; subscriptions |
//! | `topic_queued_messages` | | messages in the queues of subscriptions |
//! | `topic_published_messages_total` | | messages that were [published](crate::topics) |
//! | `topic_delivered_messages_total`, `topic_lost_messages_total` | | messages for subscriptions, and those that they have lost, counted for each subscription |
//! | `squall_workers` | `state` | processes that are `starting`, `ready`, `stopping`, `draining`; slots that are `empty` |
//! | `squall_worker_restarts_total` | `worker` | processes that have ended unexpectedly |
//! | `squall_worker_resident_memory_bytes` | `worker` | on Linux |
//! | `squall_worker_uptime_seconds` | `worker` | |
//!
//! - `method` is a method of RFC 9110 or RFC 5789, or `_OTHER`.
//! - `route` is the pattern in the route table. It is empty if no route matched. The first 511
//!   pairs of method and pattern have counts of their own; all others are counted together as
//!   `(other routes)`.
//! - `status` is `1xx` to `5xx`; `499` if the client disconnected before the response (see
//!   [`Context::status`](crate::Context::status)), which is not part of `4xx`; or `incomplete` if
//!   the server cut the response short.
//!
//! **The duration of a request** begins with the turn of the loop in which its head was complete.
//! It ends when the response is complete and about to be handed to the kernel. So it includes the
//! body, the handler, and the time that other tasks of the worker took. It does not include the
//! time to send the last bytes. When a client has its response, the request has been counted. The
//! bounds of the buckets are powers of two.

mod custom;
mod exposition;

pub use custom::{Counter, Gauge, Histogram, MetricError};
pub(crate) use exposition::{STATUSES, state_name};

use crate::context::Context;
use crate::handler::functions::{Functions, get};
use crate::http::{HeaderValue, header};
use crate::scoreboard;
use crate::scoreboard::summary::Summary;

/// The number of words of shared memory that each worker needs, for `ForkOptions::page_words`.
#[doc(hidden)]
pub const PAGE_WORDS: usize = scoreboard::PAGE_WORDS;

/// The `Content-Type` of [`render`].
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Returns all metrics in the text format of Prometheus, version 0.0.4.
///
/// Every worker and the supervisor return the same. To keep the counts of the last worker, call it
/// in [`ForkOptions::on_worker_exit`](crate::process::ForkOptions::on_worker_exit), whose hook runs
/// in a process of its own.
///
/// # Examples
///
/// ```no_run
/// # use squall::{Application, HTTPServer, metrics};
/// use squall::process::ForkOptions;
///
/// let keep = |_: &_| drop(std::fs::write("/var/lib/node_exporter/app.prom", metrics::render()));
/// let workers = ForkOptions::new().workers(4).on_worker_exit(keep);
/// HTTPServer::new(Application::new([])).bind(8000)?.start(workers)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, metrics};
///
/// TestClient::new(Application::new([])).get("/").send();
/// let text = metrics::render();
/// let line = r#"http_requests_total{method="GET",route="",status="4xx"} 1"#;
/// assert!(text.contains(line), "{text}");
/// ```
#[must_use]
pub fn render() -> String {
    exposition::render(&Summary::gather())
}

/// Returns a handler that responds to `GET` with [`render`], for Prometheus to scrape.
///
/// Metrics reveal how busy the server is, so do not show them to everyone: protect the route with
/// [middleware](crate::Application::around), or serve it at an address of its own.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, metrics, route};
///
/// let client = TestClient::new(Application::new([route("/metrics", metrics::handler())]));
/// let response = client.get("/metrics").send();
/// assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
/// assert!(response.text().contains("\nhttp_requests_in_flight 1\n"), "this one");
/// ```
pub fn handler() -> Functions {
    get(async |cx: &mut Context| {
        cx.set_header(header::CONTENT_TYPE, TEXT)?;
        cx.set_header(header::CACHE_CONTROL, "no-store")?;
        cx.write(render())
    })
}
