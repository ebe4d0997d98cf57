//! On virtual time: nothing here waits, however long the client takes.

use std::time::Duration;

use squall::testing::{TestClient, TestConnection};
use squall::{Application, Context, HTTPServer, IOLoop, Result, get, post, route, sleep};

use crate::wire::{Response, split};

async fn page() -> &'static str {
    "page"
}

async fn echo(cx: &mut Context) -> Result {
    cx.write(cx.body().await?)
}

fn server() -> HTTPServer {
    HTTPServer::new(Application::new([
        route("/", get(page)),
        route("/buffered", post(echo)),
        route("/streamed", post(echo)).stream_request_body(),
        route("/ignored", post(page)).stream_request_body(),
        route("/slow", get(async || sleep(seconds(1000)).await)),
    ]))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets time pass, and the server do what it does meanwhile.
fn pass(time: Duration) {
    IOLoop::current().run_sync(sleep(time)).unwrap();
}

/// Receives what comes until the connection ends, and how long from now that takes.
fn the_end(connection: &mut TestConnection) -> (Vec<Response>, Duration) {
    let began = IOLoop::current().time();
    let received = connection.receive_to_end();
    (split(&received), IOLoop::current().time() - began)
}

/// Asserts that the client receives the time-out after `patience`, and not before.
#[track_caller]
fn is_too_slow(what: &str, connection: &mut TestConnection, patience: Duration) {
    let (responses, took) = the_end(connection);
    let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [408], "{what}");
    assert_eq!(responses[0].header("connection"), Some("close"), "{what}");
    assert_eq!(took.as_secs(), patience.as_secs(), "{what}");
}

/// Asserts that the connection is closed after `patience`, without a word.
#[track_caller]
fn is_closed(what: &str, connection: &mut TestConnection, patience: Duration) {
    let (responses, took) = the_end(connection);
    assert_eq!(responses, [], "{what}");
    assert_eq!(took.as_secs(), patience.as_secs(), "{what}");
}

#[test]
fn half_a_head_has_60_seconds_by_default() {
    let client = TestClient::of(&server());
    for begin in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\nG"] {
        let mut connection = client.connect();
        connection.send(begin);
        is_too_slow(begin, &mut connection, seconds(60));
    }
}

/// A byte now and then must not hold a connection for ever.
#[test]
fn the_time_for_a_head_counts_from_its_first_byte() {
    let client = TestClient::of(&server().header_timeout(seconds(10)));
    let mut connection = client.connect();
    for byte in ["G", "E", "T", " ", "/"] {
        connection.send(byte);
        pass(seconds(1));
    }
    is_too_slow("a byte each second", &mut connection, seconds(5));
}

#[test]
fn a_head_that_comes_in_time_is_served() {
    let client = TestClient::of(&server().header_timeout(seconds(10)));
    let mut connection = client.connect();
    for _ in 0..3 {
        connection.send("GET / HTTP/1.1\r\n");
        pass(seconds(9));
        connection.send("Host: a\r\n\r\n");
        assert!(connection.receive_until("page").starts_with("HTTP/1.1 200 OK\r\n"));
        // Time between two requests is no time for a head.
        pass(seconds(9));
    }
}

#[test]
fn a_connection_without_a_request_has_75_seconds_by_default() {
    let client = TestClient::of(&server());
    let mut connection = client.connect();
    is_closed("a new connection", &mut connection, seconds(75));
    let mut connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.receive_until("page");
    is_closed("a kept connection", &mut connection, seconds(75));
}

#[test]
fn the_time_of_a_connection_without_a_request_is_a_setting() {
    let client = TestClient::of(&server().idle_connection_timeout(seconds(3)));
    let mut connection = client.connect();
    for _ in 0..3 {
        pass(seconds(2));
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.receive_until("page");
    }
    is_closed("a kept connection", &mut connection, seconds(3));
}

const FRAMINGS: [(&str, &str); 2] = [
    ("Content-Length: 3\r\n\r\na", "bc"),
    ("Transfer-Encoding: chunked\r\n\r\n3\r\na", "bc\r\n0\r\n\r\n"),
];

#[test]
fn half_a_body_has_60_seconds_by_default() {
    let client = TestClient::of(&server());
    for path in ["/buffered", "/streamed"] {
        for (begin, _) in FRAMINGS {
            let mut connection = client.connect();
            connection.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{begin}"));
            is_too_slow(&format!("{path}, {begin:?}"), &mut connection, seconds(60));
        }
    }
}

#[test]
fn an_announced_body_that_does_not_begin_has_no_extra_time() {
    let client = TestClient::of(&server().body_timeout(seconds(10)));
    for path in ["/buffered", "/streamed"] {
        let mut connection = client.connect();
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        ));
        connection.receive_until("HTTP/1.1 100 Continue\r\n\r\n");
        is_too_slow(path, &mut connection, seconds(10));
    }
}

#[test]
fn without_a_minimum_rate_a_body_may_pause_repeatedly() {
    let client = TestClient::of(&server().body_timeout(seconds(10)).min_body_rate(0));
    for path in ["/buffered", "/streamed"] {
        let mut connection = client.connect();
        connection.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"));
        for byte in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            pass(seconds(9));
            connection.send(byte);
        }
        assert!(connection.receive_until("abcdefgh").starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

/// The response has been sent: a client that does not finish receives nothing more.
#[test]
fn half_of_an_unread_body_ends_the_connection() {
    let client = TestClient::of(&server().body_timeout(seconds(10)));
    for path in ["/ignored", "/nowhere"] {
        for (begin, _) in FRAMINGS {
            let mut connection = client.connect();
            connection.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{begin}"));
            let (responses, took) = the_end(&mut connection);
            assert_eq!(responses.len(), 1, "{path}");
            assert_eq!(took.as_secs(), 10, "{path}");
        }
    }
}

#[test]
fn a_handler_may_take_longer_than_any_client() {
    let server = server().header_timeout(seconds(1)).body_timeout(seconds(1));
    let client = TestClient::of(&server.idle_connection_timeout(seconds(1)));
    let mut connection = client.connect();
    connection.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let began = IOLoop::current().time();
    assert!(connection.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!((IOLoop::current().time() - began).as_secs(), 1000);
}

#[test]
fn a_server_without_time_outs_waits() {
    let server = server().header_timeout(None).body_timeout(None).idle_connection_timeout(None);
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    let day = seconds(24 * 60 * 60);
    pass(day);
    connection.send("POST /buffered HTTP/1.1\r\nHost: a\r\n");
    pass(day);
    connection.send("Content-Length: 3\r\n\r\na");
    pass(day);
    connection.send("bc");
    assert!(connection.receive_until("abc").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_slow_sender_does_not_delay_others() {
    let client = TestClient::of(&server());
    let mut slow = Vec::new();
    for begin in ["", "GET /", "POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"] {
        for _ in 0..100 {
            let mut connection = client.connect();
            connection.send(begin);
            slow.push(connection);
        }
    }
    let began = IOLoop::current().time();
    assert_eq!(client.get("/").send().text(), "page");
    assert_eq!(IOLoop::current().time(), began);
    // Each of them has its end.
    for mut connection in slow {
        connection.receive_to_end();
    }
    assert_eq!((IOLoop::current().time() - began).as_secs(), 75);
}
