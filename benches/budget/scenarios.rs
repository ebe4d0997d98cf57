//! The requests that the benchmark sends to the server.

use std::env;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bench_client::{Load, Server, Until, get, post, text_frame};

use crate::floor;

/// A way to make requests.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    /// How many requests are sent together on each connection.
    depth: usize,
    request: fn() -> Vec<u8>,
    /// The path of a WebSocket that echoes messages, for requests that are messages.
    websocket: Option<&'static str>,
    server: Kind,
    /// Whether each request has a connection of its own.
    closing: bool,
    /// By how many requests the longer run is longer. 0: what is measured are idle connections.
    pub(crate) requests: usize,
}

/// The program that answers.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `examples/bench.rs`
    Application,
    /// The loop alone, with an answer that was made before: see `floor`.
    Loop,
}

const ALONE: Scenario = Scenario {
    name: "plaintext",
    connections: 1,
    depth: 1,
    request: || get("/plaintext"),
    websocket: None,
    server: Kind::Application,
    closing: false,
    requests: 2000,
};

const WEBSOCKET: Scenario = Scenario {
    name: "websocket-message",
    request: || text_frame(125),
    websocket: Some("/ws"),
    ..ALONE
};

/// All of them, in the order of `budget.toml`.
pub(crate) const SCENARIOS: &[Scenario] = &[
    ALONE,
    Scenario { name: "concurrent", connections: 64, requests: 64 * 60, ..ALONE },
    Scenario { name: "pipelined", connections: 16, depth: 16, requests: 256 * 40, ..ALONE },
    Scenario { name: "arguments", request: || get("/user/123/posts/456"), ..ALONE },
    Scenario { name: "json", request: || get("/json"), ..ALONE },
    Scenario { name: "echo", request: || post("/echo", 1024), ..ALONE },
    Scenario { name: "echo-large", request: || post("/echo", 64 * 1024), ..ALONE },
    Scenario { name: "connection", request: get_and_close, closing: true, requests: 1000, ..ALONE },
    Scenario { name: "loop", server: Kind::Loop, ..ALONE },
    Scenario { name: "idle", connections: 10_000, requests: 0, ..ALONE },
    WEBSOCKET,
    Scenario { name: "websocket-idle", connections: 10_000, requests: 0, ..WEBSOCKET },
];

fn get_and_close() -> Vec<u8> {
    b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec()
}

impl Scenario {
    /// Starts what serves it, wrapped in the command of a tool.
    pub(crate) fn start(
        &self,
        application: &Path,
        tool: impl FnOnce(Command) -> Command,
    ) -> io::Result<Server> {
        let mut command = match self.server {
            Kind::Application => Command::new(application),
            Kind::Loop => Command::new(env::current_exe()?),
        };
        Server::start(|port| {
            command.arg(port.to_string());
            if matches!(self.server, Kind::Loop) {
                command.arg(floor::ARGUMENT);
            }
            tool(command)
        })
    }

    /// The work of the client.
    pub(crate) fn load(&self, server: &Server) -> Load {
        let Self { connections, depth, websocket, .. } = *self;
        Load { port: server.port, connections, depth, request: (self.request)(), websocket }
    }

    /// Makes that many requests, after some that are always the same.
    pub(crate) fn run(&self, server: &Server, requests: usize) -> io::Result<()> {
        let load = self.load(server);
        let warm = self.requests / 10;
        match self.closing {
            true => load.run_closing(Until::Requests(warm + requests))?,
            false => {
                let mut connections = load.open()?;
                rest();
                connections.run(Until::Requests(warm + requests))?
            }
        };
        Ok(())
    }
}

/// Lets the server find that there is nothing to receive. A tool makes it so slow that a client
/// which goes on at once would never let it wait, as nearly every client does.
#[expect(clippy::disallowed_methods, reason = "no loop runs here")]
fn rest() {
    thread::sleep(Duration::from_millis(200));
}
