use squall::{Application, Context, HTTPServer, Result, get, post, route};

use crate::wire::Server;

async fn page() -> &'static str {
    "page"
}

async fn length(cx: &mut Context) -> Result {
    let body = cx.body().await?;
    cx.write(body.len().to_string())
}

/// `/` takes bodies as the server allows them, `/large` 100 bytes, `/small` 5; the same
/// streamed behind `/streamed`.
fn application() -> Application {
    Application::new([
        route("/", post(length).get(page)),
        route("/large", post(length)).max_body_size(100),
        route("/small", post(length)).max_body_size(5),
        route("/none", post(length)).max_body_size(0),
        route("/streamed", post(length)).stream_request_body(),
        route("/streamed/large", post(length)).stream_request_body().max_body_size(100),
        route("/streamed/small", post(length)).stream_request_body().max_body_size(5),
        route("/streamed/none", post(length)).stream_request_body().max_body_size(0),
        route("/{*rest}", get(page)),
    ])
}

/// A head of exactly `size` bytes.
fn head_of(size: usize) -> String {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    head.replace("X: ", &format!("X: {}", "x".repeat(size - head.len())))
}

/// A request with a target of `size` bytes.
fn target_of(size: usize) -> String {
    format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(size - 1))
}

/// A request with `count` headers, `Host` among them.
fn headers_of(count: usize) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1))
}

fn with_length(path: &str, length: usize) -> String {
    let body = "x".repeat(length);
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A request with a body of `sizes.len()` chunks.
fn with_chunks(path: &str, sizes: &[usize]) -> String {
    let chunk = |size: &usize| format!("{size:x}\r\n{}\r\n", "x".repeat(*size));
    let chunks: String = sizes.iter().map(chunk).collect();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    )
}

#[test]
fn a_head_has_64_kib_by_default() {
    let server = Server::start(application);
    server.serves("as large as it may be", head_of(64 * 1024));
    server.refuses(431, "one byte more", head_of(64 * 1024 + 1));
    server.refuses(431, "much more", head_of(200_000));
}

#[test]
fn the_size_of_a_head_is_a_setting() {
    let server = Server::with(|| HTTPServer::new(application()).max_header_size(200));
    server.serves("as large as it may be", head_of(200));
    server.refuses(431, "one byte more", head_of(201));
    server.serves("blank lines count", format!("\r\n{}", head_of(198)));
    server.refuses(431, "blank lines count", format!("\r\n{}", head_of(199)));
}

#[test]
fn a_head_without_an_end_is_refused_at_the_limit() {
    let server = Server::with(|| HTTPServer::new(application()).max_header_size(2000));
    let rows = [
        (431, "one long value", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "y"),
        (431, "one long name", "GET / HTTP/1.1\r\nHost: a\r\n", "y"),
        (431, "many headers", "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n"),
        (414, "a long target", "GET /", "y"),
        (414, "a long query", "GET /?", "y"),
        (400, "a long method", "G", "E"),
    ];
    for (status, what, front, endless) in rows {
        let bytes = format!("{front}{}", endless.repeat(4000));
        server.refuses(status, what, bytes);
    }
}

#[test]
fn a_request_has_100_headers_by_default() {
    let server = Server::start(application);
    server.serves("as many as there may be", headers_of(100));
    server.refuses(431, "one more", headers_of(101));
    server.refuses(431, "many more", headers_of(5000));
}

#[test]
fn the_number_of_headers_is_a_setting() {
    for most in [3, 64, 65, 300] {
        let server = Server::with(move || HTTPServer::new(application()).max_header_count(most));
        server.serves(&format!("{most} headers"), headers_of(most));
        server.refuses(431, &format!("more than {most} headers"), headers_of(most + 1));
    }
}

#[test]
fn a_target_has_8_kib_by_default() {
    let server = Server::start(application);
    server.serves("as long as it may be", target_of(8 * 1024));
    server.refuses(414, "one byte more", target_of(8 * 1024 + 1));
    server.refuses(414, "much more", target_of(40_000));
    server.refuses(414, "more than a head may have", target_of(100_000));
}

#[test]
fn the_size_of_a_target_is_a_setting() {
    let server = Server::with(|| HTTPServer::new(application()).max_target_size(20));
    server.serves("as long as it may be", target_of(20));
    server.refuses(414, "one byte more", target_of(21));
    let query = "GET /?aaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n";
    server.refuses(414, "the query counts", query);
    let authority = "GET http://aaaaaaaaaaaaa/ HTTP/1.1\r\nHost: a\r\n\r\n";
    server.refuses(414, "the authority counts", authority);
}

#[test]
fn a_body_has_100_mib_by_default() {
    const MOST: usize = 100 * 1024 * 1024;
    let server = Server::start(application);
    for path in ["/", "/streamed"] {
        let head = |length: usize| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
                     Expect: 100-continue\r\n\r\n"
            )
        };
        let mut client = server.connect();
        client.send(head(MOST));
        assert_eq!(client.response().status, 100, "as large as it may be");
        let mut client = server.connect();
        client.send(head(MOST + 1));
        assert_eq!(client.response().status, 413, "one byte more");
    }
}

#[test]
fn the_server_and_the_route_limit_the_size_of_a_body() {
    let server = Server::with(|| HTTPServer::new(application()).max_body_size(10));
    let rows = [("/", 10), ("/large", 100), ("/small", 5), ("/none", 0)];
    for (route, most) in rows {
        for path in [route.to_owned(), format!("/streamed{}", route.trim_end_matches('/'))] {
            let response = server.serves("as large as it may be", with_length(&path, most));
            assert_eq!(response.text(), most.to_string(), "{path}");
            server.serves("in one chunk", with_chunks(&path, &[most][..usize::from(most > 0)]));
            server.serves("in many chunks", with_chunks(&path, &vec![1; most]));
            server.refuses(413, "one byte more", with_length(&path, most + 1));
            server.refuses(413, "in one chunk, one byte more", with_chunks(&path, &[most + 1]));
            server.refuses(
                413,
                "in many chunks, one byte more",
                with_chunks(&path, &vec![1; most + 1]),
            );
            server.refuses(
                413,
                "the most there can be",
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", u64::MAX),
            );
        }
    }
}

#[test]
fn a_body_announced_as_too_large_is_refused_before_it_arrives() {
    let server = Server::with(|| HTTPServer::new(application()).max_body_size(10));
    let length = "Content-Length: 11\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("by its length", length, ""),
        ("by the size of a chunk", chunked, "b\r\n"),
        ("by the size of a chunk, and a byte", chunked, "b\r\nx"),
        ("by the size of a second chunk", chunked, "5\r\nxxxxx\r\n6\r\n"),
        ("by the largest size there is", chunked, "ffffffffffffffff\r\nx"),
        ("by the largest size there is, later", chunked, "1\r\nx\r\nffffffffffffffff\r\nx"),
    ];
    for (what, lines, body) in rows {
        for path in ["/", "/streamed"] {
            let mut client = server.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{lines}{body}"));
            let responses = client.responses();
            assert_eq!(responses.len(), 1, "{what}");
            assert_eq!(responses[0].status, 413, "{what}");
            assert_eq!(responses[0].header("connection"), Some("close"), "{what}");
        }
    }
}

#[test]
fn the_limit_of_a_route_is_not_that_of_the_next_request() {
    let server = Server::with(|| HTTPServer::new(application()).max_body_size(10));
    for (first, second) in [("/large", "/"), ("/streamed/large", "/streamed"), ("/small", "/")] {
        let fits = if first == "/small" { 5 } else { 100 };
        let exchange = server.exchange(
            [
                with_length(first, fits),
                with_length(second, 10),
                with_length(first, fits),
                with_length(second, 11),
            ]
            .concat(),
        );
        assert_eq!(exchange.statuses(), [200, 200, 200, 413], "{first}, {second}");
    }
}

#[test]
fn a_handler_that_streams_may_allow_more_for_one_request() {
    async fn allowing(cx: &mut Context) -> Result {
        if cx.query() == "more" {
            cx.set_max_body_size(100);
        }
        length(cx).await
    }
    let server = Server::start(|| {
        let streamed = route("/", post(allowing)).stream_request_body();
        Application::new([streamed.max_body_size(10)])
    });
    for frame in [with_length, |path: &str, length| with_chunks(path, &vec![1; length])] {
        assert_eq!(server.serves("more", frame("/?more", 100)).text(), "100");
        server.refuses(413, "still more", frame("/?more", 101));
        let exchange = server.exchange([frame("/?more", 11), frame("/", 11)].concat());
        assert_eq!(exchange.statuses(), [200, 413], "the next request has the usual limit");
    }
    // A request that will be refused gets no 100 Continue.
    for (target, statuses) in [("/?more", [100, 200].as_slice()), ("/", &[413])] {
        let mut client = server.connect();
        let expect = "Content-Length: 11\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{expect}"));
        if statuses[0] == 100 {
            assert_eq!(client.response().status, 100);
            client.send("x".repeat(11));
        }
        assert_eq!(client.response().status, *statuses.last().unwrap(), "{target}");
    }
}

/// Closing a connection on unread bytes resets it, and the response is lost with it.
#[test]
fn a_client_that_keeps_sending_receives_the_error_response() {
    const MUCH: usize = 200 * 1024;
    let server = Server::with(|| HTTPServer::new(application()).max_body_size(10));
    let body = "x".repeat(MUCH);
    let chunks = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
    let rows = [
        (413, format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n{body}")),
        (
            413,
            format!("POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n{body}"),
        ),
        (413, with_chunks("/", &[0x1000; MUCH / 0x1000])),
        (413, with_chunks("/streamed", &[0x1000; MUCH / 0x1000])),
        (405, format!("POST /no/post HTTP/1.0\r\nContent-Length: {MUCH}\r\n\r\n{body}")),
        (400, format!("POST / HTTP/1.1\r\nContent-Length: {MUCH}\r\n\r\n{body}")),
        (
            400,
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx{}",
                chunks.repeat(50)
            ),
        ),
        (431, head_of(MUCH)),
        (414, target_of(MUCH)),
    ];
    for (status, request) in rows {
        let mut client = server.connect();
        // In pieces, so that much of it comes after the refusal.
        for piece in request.as_bytes().chunks(8 * 1024) {
            client.send(piece);
            client.let_server_run();
        }
        client.finish();
        let statuses: Vec<_> = client.responses().iter().map(|response| response.status).collect();
        assert_eq!(statuses, [status], "{}", &request[..60]);
    }
}
