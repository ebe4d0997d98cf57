//! What a server is doing, for those who run it: as JSON on a socket of its own, and as a page.
//!
//! [`HTTPServer::control`](crate::HTTPServer::control) listens on a Unix socket, or an address that
//! only this machine reaches, beside the server's addresses. Any worker answers there, for all of
//! them:
//!
//! | path | answer |
//! |---|---|
//! | `/` | everything, as JSON |
//! | `/status` | the [page](page()) |
//! | `/metrics` | [`metrics::render`] |
//! | `/livez`, `/readyz` | [`health`] |
//!
//! ```text
//! $ curl --unix-socket /run/app.sock http://app/
//! {"version":"0.1.0","workers":[{"number":0,"state":"ready","pid":4711, …
//! ```
//!
//! The example `top` shows it in a terminal, twice a second. Nothing can be changed this way.
//!
//! # The JSON
//!
//! All times are in seconds. Counts are of all workers since the start of the server, of those that
//! have ended as well.
//!
//! - `workers`: for each `number`, `state` (`empty`, `starting`, `ready`, `stopping` or
//!   `draining`), `pid`, `generation` (the how-manieth worker of the server it is),
//!   `uptime_seconds`, `restarts`, `requests`, `in_flight`, `connections`, `resident_bytes`,
//!   `busy_seconds` (for how long its loop has been in one turn), and what its handler is `serving`
//!   at this moment: `method`, `route`, `seconds` since the request was there.
//! - `requests`, and for each of `routes`: `count`, `by_status` as pairs, and of their `duration` the
//!   `sum`, `mean`, `p50`, `p90`, `p99`, `max`, and the `buckets` that hold any: pairs of an upper
//!   bound (`null`: there is none) and a number.
//! - `in_flight`, `connections`, `accepted`, `refused`, `lost` (requests that have ended with their
//!   worker), `received_bytes`, `sent_bytes`.
//! - `websockets`: `open`, `opened`, `messages_received`, `messages_sent`, `bytes_received`,
//!   `bytes_sent`.
//! - `metrics`: `name`, `help` and `value` of each [metric](crate::observe::metrics) of the user's own.

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

/// Answers `GET` with a small page of HTML that shows workers, rates, how long requests take, and
/// which routes take most of the time. It refreshes itself every two seconds. The rates are those
/// since the worker that answers was last asked for the page, by whomever, at least a second and a
/// half ago; the page says how long ago that was.
///
/// It shows the inside of the server, and so should not be open to all.
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

/// Answers `GET` with all that there is to be known, as JSON: see the [module](self).
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

/// What is served on the control socket.
pub(crate) fn application() -> Application {
    Application::new([
        route("/", json()),
        route("/status", page()),
        route("/metrics", metrics::handler()),
        route("/livez", health::livez()),
        route("/readyz", health::readyz()),
    ])
}
