use std::time::Duration;

use squall::testing::TestClient;
use squall::{Application, Context, IOLoop, Result, StatusCode, get, post, route, sleep};

use crate::wire::{Exchange, Server};

/// The name of each path says how its handler behaves.
fn server() -> Server {
    async fn hello() -> &'static str {
        "hello"
    }
    async fn closing(cx: &mut Context) -> Result {
        cx.set_header("Connection", "close")?;
        cx.write("bye")
    }
    async fn closing_in_a_list(cx: &mut Context) -> Result {
        cx.set_header("Connection", "x-own, Close")?;
        cx.write("bye")
    }
    async fn insisting(cx: &mut Context) -> Result {
        cx.set_header("Connection", "keep-alive")?;
        cx.write("stay")
    }
    async fn flushing(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await
    }
    async fn flushing_a_known_length(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "4")?;
        cx.write("part")?;
        cx.flush().await
    }
    Server::start(|| {
        Application::new([
            route("/", get(hello).post(hello)),
            route("/closing", get(closing)),
            route("/closing-in-a-list", get(closing_in_a_list)),
            route("/insisting", get(insisting)),
            route("/flushing", get(flushing)),
            route("/flushing-a-known-length", get(flushing_a_known_length)),
            route("/no-content", get(async || StatusCode::NO_CONTENT)),
            route("/unread", post(hello)).stream_request_body(),
        ])
    })
}

#[track_caller]
fn assert_connection(exchange: &Exchange, says: Option<&str>, kept: bool, request: &str) {
    assert_eq!(exchange.only().header("connection"), says, "{request:?}");
    assert_eq!(exchange.kept, kept, "{request:?}");
}

#[test]
fn a_connection_of_http11_is_kept_unless_the_client_says_close() {
    let server = server();
    let kept = ["", "Connection: keep-alive\r\n", "Connection: closed\r\n", "Connection: foo\r\n"];
    for header in kept {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        assert_connection(&server.exchange(&request), None, true, &request);
    }
    let closed = [
        "Connection: close\r\n",
        "Connection: CLOSE\r\n",
        "connection: Close\r\n",
        "Connection:close\r\n",
        "Connection: \t close \t\r\n",
        "Connection: close, foo\r\n",
        "Connection: foo,close\r\n",
        "Connection: foo , Close , bar\r\n",
        "Connection: ,,close,\r\n",
        "Connection: foo\r\nConnection: close\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: close, keep-alive\r\n",
    ];
    for header in closed {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        assert_connection(&server.exchange(&request), Some("close"), false, &request);
    }
}

#[test]
fn a_connection_of_http10_is_kept_only_if_the_client_says_so() {
    let server = server();
    let closed = [
        "",
        "Connection: close\r\n",
        "Connection: foo\r\n",
        "Connection: not-keep-alive\r\n",
        "Connection: keep-alive, close\r\n",
    ];
    for header in closed {
        let request = format!("GET / HTTP/1.0\r\n{header}\r\n");
        assert_connection(&server.exchange(&request), None, false, &request);
    }
    let kept = [
        "Connection: keep-alive\r\n",
        "Connection: Keep-Alive\r\n",
        "Connection: KEEP-ALIVE\r\n",
        "Connection: foo, keep-alive\r\n",
        "Connection: foo\r\nConnection: keep-alive\r\n",
    ];
    for header in kept {
        let request = format!("GET / HTTP/1.0\r\n{header}\r\n");
        assert_connection(&server.exchange(&request), Some("Keep-Alive"), true, &request);
    }
}

/// Where a body is to be expected, it may follow without a word about its length.
#[test]
fn a_connection_of_http10_is_kept_only_if_it_is_certain_where_the_request_ends() {
    let server = server();
    let rows = [
        ("GET /", "", 200, true),
        ("HEAD /nowhere-to-be-found", "", 404, true),
        ("POST /", "Content-Length: 0\r\n", 200, true),
        ("POST /", "", 200, false),
        ("PUT /", "", 405, false),
        ("FOO /", "", 405, false),
    ];
    for (line, lines, status, kept) in rows {
        let mut client = server.connect();
        client.send(format!("{line} HTTP/1.0\r\nConnection: keep-alive\r\n{lines}\r\n"));
        let to_head = line.starts_with("HEAD");
        let response = if to_head { client.response_to_head() } else { client.response() };
        let says = kept.then_some("Keep-Alive");
        assert_eq!((response.status, response.header("connection")), (status, says), "{line}");
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(client.rest().is_empty(), !kept, "{line}");
    }
    let request = "POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n";
    assert_eq!(server.exchange(request).statuses(), [200], "a body is no request");
}

#[test]
fn the_status_line_is_http11_for_every_client() {
    let response = "HTTP/1.1 200 OK\r\nServer: Squall/0.1.0\r\n\
        Content-Type: text/plain; charset=UTF-8\r\nDate:\r\n\
        Etag: \"9555e8555c62dcfd\"\r\nContent-Length: 5\r\n";
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "Connection: close\r\n"),
        ("GET / HTTP/1.0\r\n\r\n", ""),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: Keep-Alive\r\n"),
    ];
    let server = server();
    for (request, connection) in cases {
        let raw = server.exchange(request).only().raw.clone();
        assert_eq!(raw, format!("{response}{connection}\r\nhello"), "{request:?}");
    }
}

#[test]
fn a_handler_can_end_the_connection_but_not_force_it_to_be_kept() {
    let server = server();
    let cases = [
        ("GET /closing HTTP/1.1\r\nHost: a\r\n\r\n", Some("close"), false),
        ("GET /closing-in-a-list HTTP/1.1\r\nHost: a\r\n\r\n", Some("close"), false),
        ("GET /closing HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None, false),
        ("GET /insisting HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("GET /insisting HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Some("close"), false),
        ("GET /insisting HTTP/1.0\r\n\r\n", None, false),
    ];
    for (request, says, kept) in cases {
        assert_connection(&server.exchange(request), says, kept, request);
    }
}

#[test]
fn an_http10_client_sees_the_end_of_a_body_by_its_length_or_the_end_of_the_connection() {
    let server = server();
    let keep_alive = "HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let cases =
        [("/flushing", None, false), ("/flushing-a-known-length", Some("Keep-Alive"), true)];
    for (path, says, kept) in cases {
        let exchange = server.exchange(format!("GET {path} {keep_alive}"));
        assert_connection(&exchange, says, kept, path);
        assert_eq!(exchange.only().text(), "part", "{path}");
    }
    let exchange = server.exchange(format!("GET /no-content {keep_alive}"));
    assert_connection(&exchange, Some("Keep-Alive"), true, "no body at all");
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = server();
    let mut client = server.connect();
    let paths =
        ["/", "/nowhere", "/flushing", "/no-content", "/flushing-a-known-length", "/unread", "/"];
    for (path, status) in paths.into_iter().zip([200, 404, 200, 204, 200, 405, 200]) {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.header("connection")), (status, None), "{path}");
    }
}

#[test]
fn the_version_may_change_on_a_connection() {
    let server = server();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().header("connection"), None);
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.response().header("connection"), Some("Keep-Alive"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().header("connection"), None);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_refused_request_with_a_body_is_followed_by_the_next_one() {
    let server = server();
    let bodies = [
        "Content-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n.",
        "Transfer-Encoding: chunked\r\n\r\n24\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n.\r\n0\r\n\r\n",
    ];
    for (request, status) in [("POST /nowhere", 404), ("PUT /", 405), ("POST /unread", 200)] {
        for body in bodies {
            let exchange = server.exchange(format!("{request} HTTP/1.1\r\nHost: a\r\n{body}"));
            assert_connection(&exchange, None, true, request);
            assert_eq!(exchange.statuses(), [status], "{request}");
        }
    }
}

#[test]
fn a_long_unread_body_ends_the_connection() {
    const MOST: usize = 64 * 1024;
    let server = server();
    for (length, kept) in [(MOST, true), (MOST + 1, false)] {
        for (request, status) in [("POST /nowhere", 404), ("PUT /", 405), ("POST /unread", 200)] {
            let mut client = server.connect();
            client
                .send(format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
            let response = client.response();
            assert_eq!(response.status, status);
            let says = (!kept).then_some("close");
            assert_eq!(response.header("connection"), says, "{request} with {length} bytes");
            client.send(vec![b'.'; length]);
            if kept {
                client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                assert_eq!(client.response().status, 200);
            }
            assert_eq!(client.rest(), b"", "{request} with {length} bytes");
        }
    }
}

#[test]
fn a_body_sent_without_100_continue_ends_the_connection() {
    let server = server();
    let head = "HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    for (request, status) in [("POST /nowhere", 404), ("PUT /", 405), ("POST /unread", 200)] {
        let exchange = server.exchange(format!("{request} {head}"));
        assert_eq!(exchange.statuses(), [status], "no 100 comes before {request}");
        assert_connection(&exchange, Some("close"), false, request);
    }
}

#[test]
fn all_of_a_response_arrives_before_its_connection_ends() {
    const LENGTH: usize = 4 << 20;
    let server = Server::start(|| {
        let body = squall::Bytes::from(vec![b'b'; LENGTH]);
        Application::new([route("/", get(async move || body.clone()))])
    });
    for version in ["1.1\r\nHost: a\r\nConnection: close", "1.0"] {
        let mut client = server.connect();
        client.send(format!("GET / HTTP/{version}\r\n\r\n"));
        let responses = client.responses();
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0].body.len(), LENGTH);
    }
}

/// How much time passes before the server ends a connection on which `bytes` were sent, and
/// what it answers.
fn time_to_end(client: &TestClient, bytes: &str) -> (Duration, String) {
    let begin = IOLoop::current().time();
    let mut connection = client.connect();
    connection.send(bytes);
    let answer = String::from_utf8(connection.receive_to_end()).unwrap();
    (IOLoop::current().time() - begin, answer)
}

#[test]
fn an_idle_connection_is_ended_without_a_word() {
    let hello = async || "hello";
    let server = squall::HTTPServer::new(Application::new([route("/", get(hello))]));
    let client = TestClient::of(&server.idle_connection_timeout(Duration::from_secs(10)));
    assert_eq!(time_to_end(&client, ""), (Duration::from_secs(10), String::new()));

    let (time, answer) = time_to_end(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(time, Duration::from_secs(10), "counted from the end of the response");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[test]
fn an_idle_connection_has_75_seconds_by_default() {
    let client = TestClient::new(Application::new([]));
    assert_eq!(time_to_end(&client, "").0, Duration::from_secs(75));
}

#[test]
fn a_handler_may_take_longer_than_a_connection_may_be_idle() {
    async fn slow(_: &mut Context) -> &'static str {
        sleep(Duration::from_secs(3600)).await;
        "done"
    }
    let client = TestClient::new(Application::new([route("/", get(slow))]));
    let (time, answer) = time_to_end(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
    assert_eq!(time, Duration::from_secs(3600 + 75));
}
