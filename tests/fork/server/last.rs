//! A graceful shutdown and the connections in each of their phases.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use nix::sys::signal::Signal;
use squall::{Application, Context, HTTPServer, IOLoop, Result, Upgraded, get, post, route};

use super::stop::await_refusal;
use super::{Gate, serve};
use crate::case::{Case, SOON, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection, to be looked at byte by byte.
struct Raw<S = TcpStream>(S);

impl Raw {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), SOON).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(stream)
    }
}

impl<S: Read + Write> Raw<S> {
    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Receives until `end` has come.
    #[track_caller]
    fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&text))
            });
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    /// Receives until the server closes.
    fn rest(&mut self) -> (String, io::Result<()>) {
        let mut text = Vec::new();
        let end = self.0.read_to_end(&mut text).map(drop);
        (String::from_utf8(text).unwrap(), end)
    }

    /// Asserts that one response with this body arrives, that it announces the close, and that it
    /// is the last.
    #[track_caller]
    fn assert_last(&mut self, body: &str) {
        let (text, end) = self.rest();
        end.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with(&format!("\r\nConnection: close\r\n\r\n{body}")), "{text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    }
}

fn application() -> Application {
    let gate = Gate::default();
    let [held, streaming, going_on, opened] = std::array::from_fn(|_| gate.clone());
    let hold = async move || {
        println!("held");
        held.passed().await;
        "held"
    };
    let stream = async move |cx: &mut Context| -> Result {
        cx.write("begin")?;
        cx.flush().await?;
        println!("streaming");
        streaming.passed().await;
        cx.write("end")
    };
    let go_on = async move |cx: &mut Context| -> Result {
        cx.write("finished")?;
        cx.finish()?;
        going_on.passed().await;
        println!("went on");
        Ok(())
    };
    let release = async move || {
        opened.open();
        "released"
    };
    let echo = async |cx: &mut Context| -> Result { cx.write(cx.body().await?) };
    Application::new([
        route("/", get(async || "hello").post(echo)),
        route("/hold", get(hold)),
        route("/stream", get(stream)),
        route("/go-on", get(go_on)),
        route(
            "/echo",
            get(async |cx: &mut Context| {
                cx.set_header("Upgrade", "echo")?;
                cx.upgrade(echo_bytes)
            }),
        ),
        route("/release", post(release)),
    ])
}

async fn echo_bytes(mut stream: Upgraded) {
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte).await {
        if stream.write_all(&byte).await.is_err() {
            return;
        }
    }
}

/// A server that waits long for the last request of an idle connection.
fn patient(case: &Case) -> (Server, u16) {
    let server = case.server(|| serve(&HTTPServer::new(application()).drain_idle(SOON), 1));
    let port = server.port();
    server.expect("this is the only process");
    (server, port)
}

/// Orders the server to end; returns when it has begun to.
#[track_caller]
fn order(server: &Server, port: u16) {
    server.signal(Signal::SIGTERM);
    await_refusal(port);
}

#[track_caller]
fn assert_ends(server: Server) {
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

/// Has what waits go on, by the last request of a connection.
#[track_caller]
fn release(mut connection: Raw) {
    connection.send("POST /release HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.assert_last("released");
}

pub fn who_asks_once_more_is_answered(case: &Case) {
    let (server, port) = patient(case);
    // The bytes sent before the order, and those sent after it.
    let mut connections = [
        ("", GET),
        ("\r\n", GET),
        ("GET / HT", "TP/1.1\r\nHost: a\r\n\r\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r", "\n"),
        (GET, GET),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / ", "HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]
    .map(|(before, after)| {
        let mut connection = Raw::open(port);
        connection.send(before);
        if before.starts_with(GET) {
            connection.until("\r\n\r\nhello");
        }
        (connection, after)
    });
    let mut http10 = Raw::open(port);
    http10.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http10.until("\r\nConnection: Keep-Alive\r\n\r\nhello");
    order(&server, port);
    for (connection, after) in &mut connections {
        connection.send(after);
        connection.assert_last("hello");
    }
    http10.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let (text, end) = http10.rest();
    end.unwrap();
    assert!(text.ends_with("\r\n\r\nhello") && !text.contains("\r\nConnection"), "{text}");
    assert_ends(server);
}

pub fn who_is_sending_a_body_is_answered(case: &Case) {
    let (server, port) = patient(case);
    let mut connections = [
        ("Content-Length: 4\r\n\r\nbo", "dy"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n", "2\r\ndy\r\n0\r\n\r\n"),
    ]
    .map(|(before, after)| {
        let mut connection = Raw::open(port);
        connection.send(GET);
        connection.until("\r\n\r\nhello");
        connection.send(&format!("POST / HTTP/1.1\r\nHost: a\r\n{before}"));
        (connection, after)
    });
    order(&server, port);
    for (connection, after) in &mut connections {
        connection.send(after);
        connection.assert_last("body");
    }
    assert_ends(server);
}

pub fn a_response_that_has_begun_is_completed(case: &Case) {
    let (server, port) = patient(case);
    let releasing = Raw::open(port);
    let mut connection = Raw::open(port);
    connection.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.until("\r\n\r\n5\r\nbegin\r\n");
    server.expect("streaming");
    order(&server, port);
    release(releasing);
    assert_eq!(connection.until("\r\n\r\n"), "3\r\nend\r\n0\r\n\r\n");
    // Its head could not say that it is the last.
    connection.send(GET);
    connection.assert_last("hello");
    assert_ends(server);
}

pub fn of_a_pipeline_what_was_begun_is_answered(case: &Case) {
    let (server, port) = patient(case);
    let releasing = Raw::open(port);
    let mut connection = Raw::open(port);
    connection.send(&format!("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n{GET}{GET}"));
    server.expect("held");
    order(&server, port);
    release(releasing);
    connection.assert_last("held");
    assert_ends(server);
}

pub fn a_handler_that_goes_on_is_waited_for(case: &Case) {
    let (server, port) = patient(case);
    let releasing = Raw::open(port);
    let mut connection = Raw::open(port);
    connection.send("GET /go-on HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.until("\r\n\r\nfinished");
    order(&server, port);
    release(releasing);
    server.expect("went on");
    drop(connection);
    assert_ends(server);
}

pub fn another_protocol_is_waited_for(case: &Case) {
    let (server, port) = patient(case);
    let mut connection = Raw::open(port);
    let headers = "Connection: upgrade\r\nUpgrade: echo\r\n";
    connection.send(&format!("GET /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    connection.until("\r\n\r\n");
    order(&server, port);
    connection.send("still here");
    connection.until("still here");
    assert!(!server.has_ended_within(Duration::from_millis(1)));
    drop(connection);
    assert_ends(server);
}

pub fn over_a_unix_socket_it_is_the_same(case: &Case) {
    let path = std::env::temp_dir().join(format!("squall-last-{}.sock", nix::unistd::getppid()));
    let server = case.server(|| {
        let server = HTTPServer::new(application()).drain_idle(SOON);
        server.listen(path.clone())?;
        println!("at {}", path.display());
        IOLoop::current().start()
    });
    let path = server.expect("at ");
    let mut connection = Raw(UnixStream::connect(&path).unwrap());
    connection.0.set_read_timeout(Some(SOON)).unwrap();
    connection.send(GET);
    connection.until("\r\n\r\nhello");
    server.signal(Signal::SIGTERM);
    // Until the server has heard it.
    while UnixStream::connect(&path).is_ok() {}
    connection.send(GET);
    connection.assert_last("hello");
    assert_ends(server);
    std::fs::remove_file(path).unwrap();
}

pub fn what_is_cut_does_not_look_whole(case: &Case) {
    let server = case.server(|| {
        let hasty = HTTPServer::new(application()).shutdown_timeout(Duration::from_millis(100));
        serve(&hasty, 1)
    });
    let port = server.port();
    let mut chunked = Raw::open(port);
    chunked.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    chunked.until("\r\n\r\n5\r\nbegin\r\n");
    // Here the end of the connection would be the end of the body.
    let mut until_close = Raw::open(port);
    until_close.send("GET /stream HTTP/1.0\r\n\r\n");
    until_close.until("\r\n\r\nbegin");
    server.signal(Signal::SIGTERM);
    assert_eq!(chunked.rest().0, "");
    let (text, end) = until_close.rest();
    assert_eq!(text, "");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.expect("shutdown_timeout reached: aborting 2 connections");
    let (status, _) = server.ended();
    assert_eq!(status.code(), Some(0));
}

pub fn a_request_whose_body_does_not_come_is_answered_at_the_deadline(case: &Case) {
    let server = case.server(|| {
        let read = async |cx: &mut Context| cx.write(cx.body().await?);
        let app = Application::new([
            route("/whole", post(read)),
            route("/stream", post(read)).stream_request_body(),
        ]);
        serve(&HTTPServer::new(app).shutdown_timeout(Duration::from_millis(300)), 1)
    });
    let port = server.port();
    let mut waiting = ["/whole", "/stream"].map(|path| {
        let mut client = Raw::open(port);
        client.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        ));
        client.until("HTTP/1.1 100 Continue\r\n\r\n");
        client
    });
    server.signal(Signal::SIGTERM);
    for client in &mut waiting {
        let head = client.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    }
    drop(waiting);
    server.expect("shutdown_timeout reached: aborting 2 connections");
    let (status, _) = server.ended();
    assert_eq!(status.code(), Some(0));
}
