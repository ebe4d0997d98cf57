//! Squall is a web framework with its own server: Tornado's idea, in Rust. One thread with an event
//! loop serves thousands of connections, and `start(0)` starts one such process per core.
//!
//! ```no_run
//! use std::io;
//!
//! use squall::{Application, Context, HTTPServer, IOLoop, RequestHandler, Result, route};
//!
//! #[derive(Clone)]
//! struct MainHandler;
//!
//! impl RequestHandler for MainHandler {
//!     async fn get(&mut self, cx: &mut Context) -> Result {
//!         cx.write("Hello, world")
//!     }
//! }
//!
//! fn main() -> io::Result<()> {
//!     let app = Application::new([route("/", MainHandler)]);
//!     HTTPServer::new(app).bind(8000)?.start(0)?; // one process per core
//!     IOLoop::current().start()
//! }
//! ```
//!
//! Tests need no socket and no waiting:
//!
//! ```
//! use std::time::Duration;
//!
//! use squall::testing::TestClient;
//! use squall::{Application, Context, HTTPError, Result, get, route, sleep};
//!
//! async fn greet(cx: &mut Context, name: String) -> Result {
//!     if name == "Mallory" {
//!         Err(HTTPError::FORBIDDEN)?;
//!     }
//!     sleep(Duration::from_secs(3600)).await; // The client's clock jumps.
//!     cx.write(format!("Hello, {name}"))
//! }
//!
//! let client = TestClient::new(Application::new([route("/greet/{name}", get(greet))]));
//! assert_eq!(client.get("/greet/Ada").send().text(), "Hello, Ada");
//! assert_eq!(client.get("/greet/Mallory").send().status(), 403);
//! assert_eq!(client.post("/greet/Ada").send().status(), 405);
//! ```
//!
//! # Where to begin
//!
//! | to | see |
//! |---|---|
//! | answer requests | [`RequestHandler`]; or functions: [`get`], [`post`], their parameters ([`Takes`]) and results ([`Respond`]) |
//! | map paths to handlers | [`route()`], [`regex()`], [`scope()`], [`host`], [`redirect`], [`Route`], [`Application`] |
//! | share state between requests | [`Application::state`], [`State`] |
//! | read the request, write the response | [`Context`], [`Body`], [`Content`], [`Text`] |
//! | send files | [`Context::send_file`], [`OpenFile`] |
//! | return errors | `?`, [`HTTPError`], [`Failure`], [`Error`], [`Or500`] |
//! | write the responses to errors | [`Application::on_error`], [`Application::on_error_of`], [`Problem`] |
//! | write middleware | [`Application::around`], [`Middleware`] |
//! | serve, and set limits and time-outs | [`HTTPServer`] |
//! | choose the number of workers, reload, upgrade, run under systemd | [`StartOptions`], [`process`], [`process::ForkOptions`] |
//! | find the client's address behind nginx or a load balancer | [`HTTPServer::trusted_downstream`], [`Context::remote_ip`] |
//! | wait, or work on after the response | [`sleep`], [`timeout`], [`IOLoop::spawn_callback`], [`PeriodicCallback`] |
//! | serve WebSockets | [`websocket()`], [`websocket::WebSocketHandler`], [`websocket::WebSocket`] |
//! | switch to another protocol | [`Context::upgrade`] |
//! | monitor the server | [`metrics`], [`health`], [`control`], and [the log](#the-log) |
//! | test | [`testing::TestClient`] |
//!
//! # The life of a request
//!
//! 1. The server receives the head and parses it. A malformed or ambiguous head is rejected, and
//!    the connection is closed.
//! 2. The server finds the first route that matches the path. If the head alone shows a fault, the
//!    request is refused before the client sends the body: 404, 405, 413, 417.
//! 3. The server receives the body, up to [`max_body_size`](HTTPServer::max_body_size). If the
//!    route [streams](Route::stream_request_body) it, the handler reads it instead.
//! 4. The [middleware](Application::around) runs, and inside it the handler. A [`RequestHandler`]
//!    is cloned for the request: `prepare` runs, then the method. If either fails, `write_error`
//!    writes the response. `on_finish` runs when the response is complete.
//! 5. The server adds what the response lacks: `Content-Length`, `Date`, `Server`, `ETag`. A
//!    response that the client has already becomes a 304. Responses to pipelined requests leave
//!    together. Then the connection waits for the next request.
//!
//! # What to know
//!
//! **A worker is one thread.** Nothing has to be `Send` or `Sync`. Share state between requests in
//! an `Rc<RefCell<_>>` or a `Cell`: between two `await`s, no other request runs. Do not hold a
//! borrow of a `RefCell` *across* an `await`. Other requests run there, and panic if they borrow as
//! well.
//!
//! **Never block.** While a handler computes or blocks, its whole worker waits: every connection
//! and every timer. Use [`sleep`] and not `std::thread::sleep`. Give blocking calls and long
//! computations to [`IOLoop::run_in_executor`].
//!
//! **Cancellation is drop.** When the client disconnects, its handler is dropped at the current
//! `await`, and the code after it never runs. Clean up in `Drop`, and give work that must be done
//! to [`IOLoop::spawn_callback`]. A handler that never waits is never cancelled. A client that
//! closes only its sending side ([`half_close`](HTTPServer::half_close)) cancels a handler that
//! waits for something of its own, but not one that waits for a file, a flush or the body.
//!
//! **A handler is a prototype.** The value in the route table serves no request; its clones do.
//! They share a field that is an `Rc`. Any other field starts each request with the prototype's
//! value. A `Vec` is copied for each request, and changes to the copy are lost.
//!
//! **Workers share nothing.** [`start`](HTTPServer::start) forks: the lines before it in `main` run
//! once, the lines after it run in each worker. Before it, bind sockets and read the configuration,
//! but create no threads and no [`IOLoop`] (a [`sleep`] or a socket creates one as well). Otherwise
//! `start` refuses to fork and names the obstacle. Each worker has its own copy of all state, so
//! keep state that all workers need in a database. [`HTTPServer::with`] builds the application in
//! the worker.
//!
//! **Errors are values.** `?` turns any standard error into a 500. The log gets its cause and the
//! line of the `?`; the client gets neither. A panic is a 500 as well, and the worker continues.
//!
//! # The log
//!
//! The server logs through [`tracing`](https://docs.rs/tracing), with three targets as in Tornado:
//!
//! - `squall::access`: a line for each request. The level depends on the status: `INFO` below 400,
//!   `WARN` below 500, otherwise `ERROR`.
//! - `squall::application`: errors in handlers that are not the client's fault.
//! - `squall::general`: everything else.
//!
//! If a client does not wait for its response, the access log has status 499 and the time that it
//! waited. It has disconnected, aborted an upload, or closed an event stream. The line has `-` in
//! place of the address if the client has reset the connection. See [`Context::status`].
//!
//! Without a subscriber, warnings and errors go to standard error, so no failure is silent.
//! Successful requests are not logged: a line each would add a fourth system call to the three of a
//! request. **For an access log**, add `tracing-subscriber` to your dependencies and begin `main`
//! with
//!
//! ```text
//! tracing_subscriber::fmt().with_writer(squall::log::stderr).init();
//! ```
//!
//! ```text
//! 2026-03-01T12:00:00.000000Z  INFO squall::access: 200 GET /greet/Ada (127.0.0.1) 0.31ms
//! ```
//!
//! [`log::stderr`] drops lines if standard error has no room, so a log line never blocks the
//! worker. With [`std::io::stderr`], a full pipe blocks the worker until its reader catches up, and
//! no request is served meanwhile. The same is true of any other writer of a subscriber, and of a
//! panic hook of your own. By default neither log lines nor panic messages block, on any thread.
//! `eprintln!` does.
//!
//! A filter such as `squall=info,squall::access=warn` selects lines. A layer can send them
//! elsewhere or format them as JSON. Create a subscriber that has its own thread (the non-blocking
//! writer of `tracing-appender`) after [`start`](HTTPServer::start), which otherwise refuses to
//! fork. To log lines in your own format, or with a header in them, write
//! [middleware](Application::around).

#![forbid(unsafe_code)]

mod application;
mod connection;
mod context;
mod error;
mod file;
mod forms;
mod handler;
mod http1;
mod observe;
mod proxy;
mod routing;
mod scoreboard;
mod server;
pub mod testing;
pub mod topics;
mod types;

pub mod websocket;

// The public interface is:
pub use application::route::{Route, regex, route, websocket};
pub use application::scope::{host, redirect, scope};
pub use application::{Application, Middleware, MissingState, Next, RouteInfo, TableError};
pub use bytes::Bytes;
pub use connection::draining::{DrainReason, Draining};
pub use connection::settings::IntoTimeout;
pub use connection::upgrade::Upgraded;
pub use context::body::{Body, WholeBody};
pub use context::state::State;
pub use context::{Context, FromArgument, Problem, ResponseError, ReverseUrlError, TrailingSlash};
#[doc(hidden)]
pub use error::KnownFailures;
pub use error::{Error, Failure, HTTPError, IntoError, Or500, Result, StandardError};
pub use file::{FileError, FileErrorKind, FileSource, IntoFileSource, OpenFile};
#[doc(hidden)]
pub use handler::endpoint::Started;
pub use handler::endpoint::{Endpoint, IntoEndpoint, kind};
pub use handler::functions::{Functions, delete, get, patch, post, put};
#[doc(hidden)]
pub use handler::future_slot::RunningHandler;
pub use handler::parameters::json::Json;
pub use handler::parameters::values::{BodyText, Form, FromHeader, Header, Query, RemoteAddr};
pub use handler::parameters::{self, FromRequest, Needs, Takes};
pub use handler::path_arguments::{PathArgs, PathArgument};
pub use handler::request_handler::RequestHandler;
pub use handler::respond::{Html, NoContent, Redirect, Respond, StreamBody};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use observe::{control, health, metrics};
pub use routing::{InvalidUtf8, PatternError, ReverseError};
pub use server::{HTTPServer, ProxyList, StartOptions, spawn_background};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use testing::fuzzing;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use testing::internals;
pub use types::chunk::{Chunk, IntoChunk};
pub use types::content::Content;
pub use types::http;
pub use types::http_date::{HttpDate, InvalidDate};
pub use types::local_future::LocalBoxFuture;
pub use types::text::Text;

// The runtime's part of the public interface:
pub use squall_runtime::{
    BindAddress, BindOptions, IOLoop, JoinError, PeriodicCallback, Sockets, Task, ThreadPool,
    ThreadPoolError, TimedOut, bind_sockets, log, process, sleep, timeout,
};

// The README's examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
