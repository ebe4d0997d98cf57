//! What the workers of a server have counted, all of them together: for Prometheus, and for
//! whoever else asks.
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
//! # How it is counted
//!
//! Each worker counts in memory that it shares with the others and its supervisor, in words of its
//! own, so that nothing is lost and nothing waits. The memory outlives the worker: what a worker
//! has counted that was killed is in the sum, and its replacement goes on from there. Any worker
//! can tell the sum. A new start of the server begins with 0, and so does a
//! [new version](crate::process#a-new-version-of-the-program) of the program.
//!
//! A request is counted, with how long it took, when its response is about to be handed to the
//! system, which is before its client can have it. Until then it is in flight; if its worker is
//! killed, it is lost, and counted so. So each request of which a worker has seen the head is in
//! exactly one of `http_requests_total`, `http_requests_in_flight` and `http_lost_requests_total`,
//! whatever becomes of the worker. What a killed worker had not read its clients find unanswered,
//! and is in none.
//!
//! Only with [`HTTPServer::start`](crate::HTTPServer::start) do workers share that memory. Who
//! forks himself, with [`ForkOptions`](crate::process::ForkOptions), asks for it with
//! `page_words(`[`PAGE_WORDS`]`)`; otherwise each worker tells of itself only.
//!
//! # What there is
//!
//! | name | labels | |
//! |---|---|---|
//! | `http_requests_total` | `method`, `route`, `status` | requests that have ended |
//! | `http_request_duration_seconds` | `method`, `route` | a histogram of how long they took |
//! | `http_requests_in_flight` | | requests that have begun and not ended |
//! | `http_lost_requests_total` | | requests that have ended with their worker, unanswered: it was killed, or ended [at once](crate::HTTPServer#the-end) |
//! | `http_refused_requests_total` | | what was no request, and was refused before any route was looked for |
//! | `http_connections_open` | | |
//! | `http_connections_accepted_total` | | |
//! | `http_received_bytes_total` | | without what was received after an upgrade |
//! | `http_sent_bytes_total` | | without what was sent after an upgrade |
//! | `websocket_connections_open` | | WebSockets that are open |
//! | `websocket_connections_opened_total` | | |
//! | `websocket_received_messages_total`, `websocket_sent_messages_total` | | |
//! | `websocket_received_bytes_total`, `websocket_sent_bytes_total` | | of messages: without frames, and not compressed |
//! | `squall_workers` | `state` | processes that are `starting`, `ready`, `stopping`, `draining`; places that are `empty` |
//! | `squall_worker_restarts_total` | `worker` | processes that have ended other than they should |
//! | `squall_worker_resident_memory_bytes` | `worker` | on Linux |
//! | `squall_worker_uptime_seconds` | `worker` | |
//!
//! - `method` is one of those of RFC 9110 and RFC 5789, or `_OTHER`.
//! - `route` is the pattern as it stands in the route table; it is empty where no route has
//!   matched. After 511 pairs of method and pattern, further ones are counted together, as
//!   `(other routes)`.
//! - `status` is `1xx` to `5xx`; `499` if the client did not wait for the response (see
//!   [`Context::status`](crate::Context::status)), which is not counted as `4xx`; or `incomplete` if the
//!   server has cut the response short.
//!
//! **A request takes** from the begin of the turn of the loop in which its head was complete to the
//! moment when its response is complete and about to be handed to the system. So the time includes
//! the body, the handler, and the waiting for other tasks of the worker; not the sending of what
//! was not flushed before. Who has received a response finds it counted. It is told in buckets that
//! are powers of two.

mod custom;
mod exposition;

pub use custom::{Counter, Gauge, Histogram, MetricError};
pub(crate) use exposition::{STATUSES, state_name};

use crate::context::Context;
use crate::handler::functions::{Functions, get};
use crate::http::{HeaderValue, header};
use crate::scoreboard;
use crate::scoreboard::summary::Summary;

/// How many words of shared memory each worker needs, for
/// [`ForkOptions::page_words`](crate::process::ForkOptions::page_words).
///
/// ```no_run
/// use squall::metrics::PAGE_WORDS;
/// use squall::process::ForkOptions;
///
/// let task_id = ForkOptions::new().page_words(PAGE_WORDS).fork_processes()?;
/// # std::io::Result::Ok(())
/// ```
pub const PAGE_WORDS: usize = scoreboard::PAGE_WORDS;

/// What [`render`] writes.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Everything that was counted, in the text format of Prometheus, version 0.0.4.
///
/// Any worker can be asked, and so can the supervisor; they say the same. What a program has called
/// in the supervisor is what it gives to [`ForkOptions::describe`](crate::process::ForkOptions::describe); in a process
/// of its own beside it, what it gives to
/// [`ForkOptions::on_worker_exit`](crate::process::ForkOptions::on_worker_exit). When the last worker has ended, that is
/// who still knows what was counted since it was last asked for:
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

/// Answers `GET` with [`render`]: to be scraped by Prometheus, on a route of your choice.
///
/// Whoever may ask for the route learns how much is going on, so it should not be open to all:
/// put [middleware](crate::Application::around) around it, or serve it at an address of its own.
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
