//! The status of a server for its operators: as JSON on a socket of its own, and as a page.
//!
//! [`HTTPServer::control`](crate::HTTPServer::control) listens on a Unix socket, or on an address
//! that only this machine reaches, in addition to the server's addresses. Any worker responds
//! there, for all of them:
//!
//! | path | response |
//! |---|---|
//! | `/` | the JSON document |
//! | `/status` | the [page](page()) |
//! | `/metrics` | [`metrics::render`] |
//! | `/livez`, `/readyz` | [`health`] |
//!
//! ```text
//! $ curl --unix-socket /run/app.sock http://app/
//! {"version":"0.1.0","workers":[{"number":0,"state":"ready","pid":4711, …
//! ```
//!
//! The example `top` shows the status in a terminal, twice a second. The socket is read-only: it
//! cannot change the server.
//!
//! # The JSON document
//!
//! All times are in seconds. The counts are those of all workers since the start of the server,
//! including workers that have ended.
//!
//! - `workers`: an object for each worker.
//!   - `number`, `state` (`empty`, `starting`, `ready`, `stopping` or `draining`), `pid`,
//!     `uptime_seconds`, `requests`, `in_flight`, `connections`, `resident_bytes`;
//!   - `generation`: the number of this process, counting all that the server has started;
//!   - `restarts`: how many processes of this worker have ended unexpectedly;
//!   - `busy_seconds`: the duration of the current turn of its loop;
//!   - `serving`: the request whose handler is running, with `method`, `route` and the `seconds`
//!     since its head was complete.
//! - `requests`: `count`; `by_status`, as pairs; and their `duration`, with `sum`, `mean`, `p50`,
//!   `p90`, `p99`, `max`, and the `buckets` that are not empty, as pairs of the upper bound (`null`
//!   if there is none) and the count.
//! - `routes`: an object for each method and route, with the same fields.
//! - `in_flight`, `connections`, `accepted`, `refused`, `received_bytes`, `sent_bytes`, and `lost`,
//!   the requests whose worker ended before they had a response.
//! - `websockets`: `open`, `opened`, `messages_received`, `messages_sent`, `bytes_received`,
//!   `bytes_sent`.
//! - `topics`: `patterns`, `subscriptions`, `queued`, `published`, `delivered`, `lost`, as in the
//!   [metrics](crate::metrics).
//! - `metrics`: `name`, `help` and `value` of each [metric](crate::observe::metrics) of the user.

mod page;
mod rates;
mod view;

use squall_runtime::IOLoop;

use crate::application::Application;
use crate::application::route::route;
use crate::context::Context;
use crate::error::Result;
use crate::handler::functions::{Functions, get};
use crate::http::header;
use crate::scoreboard::summary::Summary;
use crate::{health, metrics};

use rates::Rates;

/// Returns a handler that responds to `GET` with a small HTML page. It shows the workers, the
/// rates, the durations of requests, and the routes that take the most time.
///
/// The page refreshes itself every two seconds. The rates cover the time since the same worker last
/// showed the page, to any viewer, at least a second and a half ago. The page shows this time.
///
/// The page reveals the inside of the server, so do not show it to everyone.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, control, route};
///
/// let client = TestClient::new(Application::new([route("/status", control::page())]));
/// assert!(client.get("/status").send().text().contains("<td class=t>ready"));
/// ```
pub fn page() -> Functions {
    let rates = Rates::default();
    get(async move |cx: &mut Context| {
        cx.set_header(header::CONTENT_TYPE, "text/html; charset=utf-8")?;
        cx.set_header(header::CACHE_CONTROL, "no-store")?;
        let summary = Summary::gather();
        cx.write(
            rates.since(IOLoop::current().time(), &summary, |since| page::show(&summary, since)),
        )
    })
}

/// Returns a handler that responds to `GET` with the JSON document of the [module](self).
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, control, route};
///
/// let client = TestClient::new(Application::new([route("/status.json", control::json())]));
/// assert!(client.get("/status.json").send().text().contains(r#""state":"ready""#));
/// ```
pub fn json() -> Functions {
    get(async |cx: &mut Context| show_json(cx))
}

fn show_json(cx: &mut Context) -> Result {
    cx.set_header(header::CONTENT_TYPE, "application/json")?;
    cx.set_header(header::CACHE_CONTROL, "no-store")?;
    let mut text = serde_json::to_string(&view::View::of(&Summary::gather()))?;
    text.push('\n');
    cx.write(text)
}

/// The application of the control socket.
pub(crate) fn application() -> Application {
    Application::new([
        route("/", json()),
        route("/status", page()),
        route("/metrics", metrics::handler()),
        route("/livez", health::livez()),
        route("/readyz", health::readyz()),
    ])
}
