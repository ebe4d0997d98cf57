//! The server and the client of the other modules: a server on a loop of its own, and a client that
//! sends and receives raw bytes.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use squall::{Application, HTTPServer, IOLoop};
use squall_runtime::IOLoopHandle;

mod client;
mod log;
mod response;

pub use client::{Client, Ending};
pub use response::{Response, normal, split};

use log::Log;

/// How long anything may take before its test fails. Nothing takes a hundredth of it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Ends a connection that was kept. No route answers it, so that its answer is the same
/// whatever the application is.
const LAST_REQUEST: &[u8] = b"OPTIONS * HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n";

/// A server in this process, with a thread and a loop of its own. It ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    io_loop: IOLoopHandle,
    log: Log,
    ended: Receiver<()>,
}

impl Server {
    /// Serves what `build` makes, with the default settings.
    pub fn start(build: impl FnOnce() -> Application + Send + 'static) -> Self {
        Self::with(|| HTTPServer::new(build()))
    }

    /// Serves what `build` makes, which listens to nothing yet.
    pub fn with(build: impl FnOnce() -> HTTPServer + Send + 'static) -> Self {
        let log = Log::default();
        let collected = log.clone();
        let (begun, begin) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            let _log = collected.collect();
            // On a busy machine everything is slow at times, and a line more in the log.
            IOLoop::current().slow_callback(None);
            let server = build().handle_signals(false);
            server.listen("127.0.0.1:0").unwrap();
            let io_loop = IOLoop::current();
            begun.send((server.local_addrs()[0], io_loop.handle())).unwrap();
            io_loop.start().unwrap();
            end.send(()).unwrap();
        });
        let (address, io_loop) = begin.recv_timeout(DEADLINE).expect("the server begins");
        Self { address, io_loop, log, ended }
    }

    /// Opens a connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address, self.io_loop.clone())
    }

    /// Sends `bytes` on a connection of their own, and all is received that comes until the
    /// connection ends: twice, whole and byte by byte, which must make no difference.
    ///
    /// A last request follows `bytes`, to end the connection if it is still there: it is
    /// answered only if the server took it for one.
    #[track_caller]
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> Exchange {
        let bytes = [bytes.as_ref(), LAST_REQUEST].concat();
        let mut client = self.connect();
        client.send(&bytes);
        let whole = client.rest();
        let mut client = self.connect();
        client.send_slowly(&bytes);
        let slowly = client.rest();
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!(
            response::normal(&whole),
            response::normal(&slowly),
            "whole, then byte by byte, is answered so: {shown:?}"
        );
        Exchange::of(split(&whole))
    }

    /// Asserts that `bytes`, whatever follows them, are refused with `status` and the end of
    /// the connection: the whole answer is one small page. `what` they are is for messages.
    #[track_caller]
    pub fn refuses(&self, status: u16, what: &str, bytes: impl AsRef<[u8]>) -> Response {
        let exchange = self.exchange(bytes);
        assert_eq!(exchange.statuses(), [status], "{what}");
        assert!(!exchange.kept, "{what}");
        let response = exchange.only();
        assert_eq!(response.header("connection"), Some("close"), "{what}");
        assert!(response.header("content-length").is_some(), "{what}");
        response.clone()
    }

    /// Asserts that `bytes` are one request, answered with 200, after which the connection is
    /// kept.
    #[track_caller]
    pub fn serves(&self, what: &str, bytes: impl AsRef<[u8]>) -> Response {
        let exchange = self.exchange(bytes);
        assert_eq!(exchange.statuses(), [200], "{what}");
        assert!(exchange.kept, "{what}");
        exchange.only().clone()
    }

    /// The lines that the server has logged: level, target, message.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopping = self.io_loop.add_callback(|| IOLoop::current().stop());
        if thread::panicking() {
            return;
        }
        stopping.expect("the loop has not ended before");
        self.ended.recv_timeout(DEADLINE).expect("the loop ends when it is stopped");
        let lines = self.log();
        let panicked = lines.iter().find(|line| line.contains("a task spawned at"));
        assert_eq!(panicked, None, "no task of the server panics");
    }
}

/// The result of an [`exchange`](Server::exchange).
#[derive(Debug)]
pub struct Exchange {
    /// The responses, including interim ones, without the response to the last request.
    pub responses: Vec<Response>,
    /// Whether the connection was kept, so that the last request was read and answered.
    pub kept: bool,
}

impl Exchange {
    fn of(mut responses: Vec<Response>) -> Self {
        let is_last = |response: &Response| {
            response.status == 204 && response.header("connection") == Some("close")
        };
        let kept = responses.pop_if(|response| is_last(response)).is_some();
        Self { responses, kept }
    }

    /// The statuses of the responses.
    pub fn statuses(&self) -> Vec<u16> {
        self.responses.iter().map(|response| response.status).collect()
    }

    /// The only response there is.
    #[track_caller]
    pub fn only(&self) -> &Response {
        let [response] = &self.responses[..] else { panic!("not one response: {self:#?}") };
        response
    }
}
