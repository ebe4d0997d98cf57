//! What is asked of the servers.

use bench_client::{get, post};

/// A way to make requests.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// In the tables.
    pub(crate) title: &'static str,
    pub(crate) connections: usize,
    /// How many requests are sent together on each connection.
    pub(crate) depth: usize,
    pub(crate) request: fn() -> Vec<u8>,
    /// Whether each request has a connection of its own.
    pub(crate) closing: bool,
    /// Connections that are open besides, and do nothing.
    pub(crate) idle: usize,
    pub(crate) proxy: Option<Proxy>,
}

/// nginx between the client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// As it does by default: HTTP/1.0, and a connection for each request.
    Close,
    /// With HTTP/1.1 and connections that are kept.
    KeepAlive,
}

const PLAINTEXT: Scenario = Scenario {
    name: "plaintext",
    title: "plaintext, 64 connections",
    connections: 64,
    depth: 1,
    request: || get("/plaintext"),
    closing: false,
    idle: 0,
    proxy: None,
};

/// All of them, in the order of the tables.
pub(crate) const ALL: [Scenario; 14] = [
    Scenario { name: "alone", title: "plaintext, 1 connection", connections: 1, ..PLAINTEXT },
    PLAINTEXT,
    Scenario { name: "many", title: "plaintext, 512 connections", connections: 512, ..PLAINTEXT },
    Scenario { name: "pipelined", title: "pipelined by 16", depth: 16, ..PLAINTEXT },
    Scenario {
        name: "json",
        title: "JSON, serialised each time",
        request: || get("/json"),
        ..PLAINTEXT
    },
    Scenario {
        name: "arguments",
        title: "two path arguments",
        request: || get("/user/123/posts/456"),
        ..PLAINTEXT
    },
    Scenario {
        name: "echo-1k",
        title: "echo 1 KiB",
        request: || post("/echo", 1 << 10),
        ..PLAINTEXT
    },
    Scenario {
        name: "echo-64k",
        title: "echo 64 KiB",
        request: || post("/echo", 64 << 10),
        ..PLAINTEXT
    },
    Scenario {
        name: "connections",
        title: "a new connection each request",
        request: || {
            b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec()
        },
        closing: true,
        ..PLAINTEXT
    },
    Scenario { name: "idle", title: "64 busy beside 10,000 idle", idle: 10_000, ..PLAINTEXT },
    Scenario {
        name: "10k",
        title: "10,000 connections, all busy",
        connections: 10_000,
        ..PLAINTEXT
    },
    Scenario {
        name: "http10",
        title: "HTTP/1.0, a connection each request",
        request: || b"GET /plaintext HTTP/1.0\r\nHost: localhost\r\n\r\n".to_vec(),
        closing: true,
        ..PLAINTEXT
    },
    Scenario {
        name: "nginx",
        title: "behind nginx, its default (HTTP/1.0, close)",
        proxy: Some(Proxy::Close),
        ..PLAINTEXT
    },
    Scenario {
        name: "nginx-kept",
        title: "behind nginx, keep-alive",
        proxy: Some(Proxy::KeepAlive),
        ..PLAINTEXT
    },
];

impl Scenario {
    /// Whether the server is to end connections.
    pub(crate) fn server_closes(&self) -> bool {
        self.closing || self.proxy == Some(Proxy::Close)
    }
}
