//! Squall is a web framework and the server under it: Tornado's idea, in Rust. One thread with an
//! event loop serves thousands of connections, and `start(0)` makes one such process per core.
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
//! The same application in a test, without a socket and without waiting:
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
//! | answer requests | [`RequestHandler`]; or functions: [`get`], [`post`], [`Functions`], [`Respond`] |
//! | say which request goes where | [`route()`], [`regex()`], [`Route`], [`Application`] |
//! | read the request, write the response | [`Context`], [`Body`], [`Content`], [`Text`] |
//! | send files | [`Context::send_file`], [`OpenFile`] |
//! | answer with an error | `?`, [`HTTPError`], [`Error`], [`Or500`] |
//! | do something around all handlers | [`Application::around`] |
//! | serve, and set limits and time-outs | [`HTTPServer`] |
//! | choose how many workers, reload, upgrade, run under systemd | [`StartOptions`], [`process`], [`process::ForkOptions`] |
//! | know the client behind nginx or a load balancer | [`HTTPServer::trusted_downstream`], [`Context::remote_ip`] |
//! | wait, or go on after the response | [`sleep`], [`timeout`], [`IOLoop::spawn_callback`], [`PeriodicCallback`] |
//! | leave HTTP for another protocol | [`Context::upgrade`] |
//! | know what the server does | [`metrics`], [`health`], [`control`], and [the log](#the-log) |
//! | test | [`testing::TestClient`] |
//!
//! # The life of a request
//!
//! 1. Its head is received and parsed. What is no request, or could be read in two ways, is
//!    refused, and the connection with it.
//! 2. The first row of the table that matches the path is found. What the head alone shows to be
//!    wrong is refused before the body is sent: 404, 405, 413, 417.
//! 3. The body is received, up to [`max_body_size`](HTTPServer::max_body_size); not if the route
//!    [streams](Route::stream_request_body) it: then the handler reads it.
//! 4. The [middleware](Application::around) is called, and inside of it the handler. Of a
//!    [`RequestHandler`] a clone is made, and lives as long as the request: `prepare` is called,
//!    then the method; `write_error` if either fails; `on_finish`, when the response is complete.
//! 5. The response gets what it lacks: `Content-Length`, `Date`, `Server`, an `ETag`, or a 304 in its
//!    place. It leaves together with the others of a pipeline, and the connection waits for the next
//!    request.
//!
//! # What to know
//!
//! **A worker is one thread.** Nothing has to be `Send` or `Sync`: what requests share is an
//! `Rc<RefCell<_>>` or a `Cell`, and no other request runs between two `await`s. Do not hold a
//! borrow of a `RefCell` *across* an `await`: others run there, and panic if they borrow as well.
//!
//! **Never block.** While a handler computes or waits without `await`, its whole worker waits with
//! it: every connection, every timer. [`sleep`], not `std::thread::sleep`; what blocks or computes
//! for long goes to [`IOLoop::run_in_executor`].
//!
//! **Cancellation is drop.** When the client leaves, its handler is dropped at the `await` where it
//! is, and what comes after never runs: clean up in `Drop`, and give what must be done to
//! [`IOLoop::spawn_callback`]. A handler that never waits is never cancelled. A client that has only
//! ended its side ([`half_close`](HTTPServer::half_close)) cancels a handler that waits for something
//! of its own, and none that waits for a file, a flush or the body.
//!
//! **A handler is a prototype.** The value in the table serves no request; its clones do. A field
//! is shared by them if it is an `Rc`, and otherwise begins each request anew. A `Vec` is copied for
//! each request, and what is pushed to it is gone after.
//!
//! **Workers share nothing.** [`start`](HTTPServer::start) forks: what stands before it in `main`
//! runs once, what stands after it in each worker. Before it, bind and read the configuration, but
//! make no thread and no [`IOLoop`] (a [`sleep`] or a socket makes one as well): `start` refuses
//! then, and says what is in the way. Each worker has its own copy of all state; what belongs to
//! all of them belongs into a database. [`HTTPServer::with`] builds the application in the worker.
//!
//! **Errors are values.** `?` makes a 500 of any standard error: the log gets the cause and the
//! line, the client neither. A panic is a 500 as well, and the worker lives on.
//!
//! # The log
//!
//! What the server has to say it says through [`tracing`](https://docs.rs/tracing), in three targets,
//! as Tornado does: `squall::access`, a line for each request at the level of its status (below 400
//! `INFO`, then `WARN`, from 500 on `ERROR`); `squall::application`, what goes wrong in handlers and is no fault of the client's;
//! `squall::general`, the rest.
//!
//! A client that does not wait for its response is in the access log with status 499 and the time that it
//! has waited: it has disconnected, aborted an upload or closed an event stream. See
//! [`Context::status`].
//!
//! A program without a subscriber prints warnings and errors to standard error, so that nothing that
//! fails is silent, and no line for what succeeds: that would be one system call more for each request,
//! where there are about three. **For an access log**, add `tracing-subscriber` to the program's dependencies, and
//! begin `main` with
//!
//! ```text
//! tracing_subscriber::fmt().with_writer(squall::log::stderr).init();
//! ```
//!
//! ```text
//! 2026-03-01T12:00:00.000000Z  INFO squall::access: 200 GET /greet/Ada (127.0.0.1) 0.31ms
//! ```
//!
//! [`log::stderr`] drops lines for which there is no room. With [`std::io::stderr`], the worker would wait
//! for the reader of a pipe that is full, and serve no request meanwhile. The same holds for every other
//! writer that a subscriber has, and for a panic hook of the program's own. Without them, neither a log
//! line nor a panic waits, on whatever thread it is. `eprintln!` does.
//!
//! A filter such as `squall=info,squall::access=warn` leaves some out, a layer sends them elsewhere or
//! makes JSON of them. A subscriber with a thread of its own (the non-blocking one of
//! `tracing-appender`) is made after [`start`](HTTPServer::start), which else refuses to fork. A line of one's own form, or with a header
//! in it, is written by [middleware](Application::around).

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
mod types;

pub mod websocket;

// The public interface is:
pub use application::route::{Route, regex, route, websocket};
pub use application::{Application, Around, Next, ReverseUrlError, TableError};
pub use bytes::Bytes;
pub use connection::draining::{DrainReason, Draining};
pub use connection::settings::IntoTimeout;
pub use connection::upgrade::Upgraded;
pub use context::body::{Body, WholeBody};
pub use context::{Context, FromArgument, ResponseError};
pub use error::{Error, HTTPError, Or500, Result, StandardError};
pub use file::{FileError, FileErrorKind, FileSource, IntoFileSource, OpenFile};
#[doc(hidden)]
pub use handler::endpoint::Started;
pub use handler::endpoint::{Endpoint, IntoEndpoint, kind};
pub use handler::functions::{
    Function, Functions, Nothing, PathArgs, PathArgument, delete, get, patch, post, put,
};
#[doc(hidden)]
pub use handler::future_slot::RunningHandler;
pub use handler::request_handler::RequestHandler;
pub use handler::respond::Respond;
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
pub use types::local_future::LocalBoxFuture;
pub use types::text::Text;

// What users need of the runtime:
pub use squall_runtime::{
    BindAddress, BindOptions, IOLoop, JoinError, PeriodicCallback, Sockets, Task, ThreadPool,
    ThreadPoolError, TimedOut, bind_sockets, log, process, sleep, timeout,
};

// Its examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
