use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use squall::testing::TestClient;
use squall::{
    Application, Body, Content, Context, HTTPError, HTTPServer, IOLoop, Method, Result, StatusCode,
};
use squall::{get, post, route, sleep};

use crate::events::Gate;
use crate::wire::{DEADLINE, Server};

async fn echo(cx: &mut Context) -> Result {
    cx.write(cx.body().await?)
}

async fn echo_pieces(cx: &mut Context) -> Result {
    let mut body = cx.body();
    while let Some(piece) = body.next().await {
        cx.write(piece?)?;
    }
    Ok(())
}

async fn page() -> &'static str {
    "page"
}

/// `/buffered` and `/streamed` answer with the body; `/ignored` does not look at it, `/begun`
/// takes one piece of it.
fn application() -> Application {
    async fn first_piece(cx: &mut Context) -> Result {
        cx.body().next().await.transpose()?;
        cx.write("page")
    }
    Application::new([
        route("/", get(page)),
        route("/buffered", post(echo)),
        route("/streamed", post(echo_pieces)).stream_request_body(),
        route("/ignored", post(page)).stream_request_body(),
        route("/begun", post(first_piece)).stream_request_body(),
    ])
}

/// `size` bytes without a repeated stretch.
fn body_of(size: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| format!("{number};").into_bytes()).take(size).collect()
}

fn with_length(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn with_chunks(path: &str, body: &[u8], size: usize) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut request = head.into_bytes();
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

#[test]
fn a_body_of_any_size_arrives_as_it_was_sent() {
    let server = Server::start(application);
    for size in [0, 1, 100, 8191, 8192, 8193, 65_535, 65_536, 65_537, 500_000] {
        let body = body_of(size);
        for path in ["/buffered", "/streamed"] {
            let requests = [
                with_length(path, &body),
                with_chunks(path, &body, 1000),
                with_chunks(path, &body, 100_000),
            ];
            for request in requests {
                let what = format!("{size} bytes to {path}");
                assert!(server.serves(&what, request).body == body, "{what}");
            }
        }
    }
    let body = body_of(3000);
    for path in ["/buffered", "/streamed"] {
        let response = server.serves("chunks of one byte", with_chunks(path, &body, 1));
        assert!(response.body == body);
    }
}

/// Bodies are received with a little more room than they need, and what comes into that, too
/// early, is not lost.
#[test]
fn the_bytes_behind_a_body_are_the_next_request() {
    let server = Server::start(application);
    let bodies =
        [70_000, 1, 20_000, 20_000, 65_537, 8_000, 65_536, 0, 300_000, 16_384, 100].map(body_of);
    let all: Vec<u8> = bodies.iter().flat_map(|body| with_length("/buffered", body)).collect();
    for step in [all.len(), 70_100, 8192, 1999] {
        let mut client = server.connect();
        for piece in all.chunks(step) {
            client.send(piece);
        }
        for body in &bodies {
            assert!(client.response().body == *body, "{} bytes, {step} at a time", body.len());
        }
    }
}

/// However the body is kept meanwhile.
#[test]
fn a_body_that_was_read_before_the_handler_can_be_asked_for_again() {
    async fn twice(cx: &mut Context) -> Result {
        let first = cx.body().await?;
        sleep(Duration::from_secs(1)).await;
        let field = cx.argument("a")?;
        let second = cx.body().await?;
        cx.write(format!("{} {} {}", first == second, field, first.len()))
    }
    // More than the server keeps whole buffers for.
    let client = TestClient::new(Application::new([route("/", post(twice))]));
    let mut connections: Vec<_> = (0..70).map(|_| client.connect()).collect();
    for size in [100, 20_000] {
        let body = format!("a=1&{}", "b".repeat(size - 4));
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\n{form}Content-Length: {size}\r\n\r\n{body}");
        for connection in &mut connections {
            connection.send(&request);
        }
        for connection in &mut connections {
            connection.receive_until(&format!("\r\n\r\ntrue 1 {size}"));
        }
    }
}

#[test]
fn a_handler_that_ignores_the_body_answers_before_it_arrives() {
    let rows = [
        (404, "no such page", "/nowhere", "POST"),
        (405, "no such method", "/buffered", "GET"),
        (405, "a method nobody has", "/buffered", "FOO"),
        (204, "the options of a page", "/buffered", "OPTIONS"),
        (200, "a page that does not look", "/ignored", "POST"),
    ];
    let framings = [
        ("Content-Length: 10\r\n", "0123456789"),
        ("Transfer-Encoding: chunked\r\n", "a\r\n0123456789\r\n0\r\n\r\n"),
    ];
    let server = Server::start(application);
    for (status, what, path, method) in rows {
        for (lines, body) in framings {
            let mut client = server.connect();
            client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
            let response = client.response();
            assert_eq!(response.status, status, "{what}");
            assert_eq!(response.header("connection"), None, "{what}");
            // The rest is short enough to be read away, and the connection goes on behind it.
            client.send_slowly(body);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().text(), "page", "{what}");
        }
    }
}

#[test]
fn a_short_body_that_is_not_read_is_read_away() {
    let server = Server::start(application);
    for path in ["/ignored", "/begun", "/nowhere"] {
        for size in [1, 1000, 64 * 1024] {
            for request in
                [with_length(path, &body_of(size)), with_chunks(path, &body_of(size), 1000)]
            {
                let exchange = server.exchange(request);
                assert_eq!(exchange.responses.len(), 1, "{size} bytes to {path}");
                assert!(exchange.kept, "{size} bytes to {path}");
            }
        }
    }
}

#[test]
fn a_long_body_that_the_handler_leaves_ends_the_connection() {
    let server = Server::start(application);
    let body = body_of(100_000);
    for path in ["/ignored", "/nowhere"] {
        // The declared length shows that it is long.
        let exchange = server.exchange(with_length(path, &body));
        assert_eq!(exchange.only().header("connection"), Some("close"), "{path}");
        assert!(!exchange.kept, "{path}");
        // A chunked body declares no length.
        let exchange = server.exchange(with_chunks(path, &body, 1000));
        assert_eq!(exchange.responses.len(), 1, "{path}");
        assert!(!exchange.kept, "{path}");
    }
}

#[test]
fn an_unread_malformed_body_ends_the_connection() {
    let server = Server::start(application);
    for path in ["/ignored", "/begun", "/nowhere"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\nxyz\r\n0\r\n\r\n"
        );
        let mut client = server.connect();
        client.send(format!("{request}GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.responses().len(), 1, "{path}");
    }
}

/// Records how each body ended: its length, or the status of the error.
fn recording() -> (Server, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let server = Server::start(move || {
        let handler = async move |cx: &mut Context| {
            let body = cx.body().await;
            let ended = body.as_ref().map(|body| format!("{} bytes", body.len()));
            let ended = ended.unwrap_or_else(|error| error.status().to_string());
            record.lock().unwrap().push(ended);
            cx.write(body?)
        };
        Application::new([
            route("/buffered", post(handler.clone())),
            route("/streamed", post(handler)).stream_request_body(),
        ])
    });
    (server, seen)
}

#[test]
fn half_a_body_is_no_body() {
    let framings = [
        ("Content-Length: 5\r\n", ""),
        ("Content-Length: 5\r\n", "a"),
        ("Transfer-Encoding: chunked\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "5\r\na"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: y\r\n"),
    ];
    let (server, seen) = recording();
    for (lines, begin) in framings {
        let mut client = server.connect();
        client.send(format!("POST /buffered HTTP/1.1\r\nHost: a\r\n{lines}\r\n{begin}"));
        client.finish();
        assert_eq!(client.rest(), b"", "there is nothing to answer");
        assert_eq!(seen.lock().unwrap()[..], [""; 0], "no handler is called");
    }
    for (lines, begin) in framings {
        let mut client = server.connect();
        client.send(format!("POST /streamed HTTP/1.1\r\nHost: a\r\n{lines}\r\n{begin}"));
        client.finish();
        client.rest();
        let ended = seen.lock().unwrap().pop();
        assert_eq!(ended.as_deref(), Some("499 <unknown status code>"), "after {begin:?}");
    }
    let mut client = server.connect();
    client.send(with_length("/streamed", b"abcde"));
    assert_eq!(client.response().text(), "abcde");
    assert_eq!(seen.lock().unwrap().pop().as_deref(), Some("5 bytes"));
}

/// The buffers of a connection are used by others after it.
#[test]
fn bytes_not_sent_to_one_client_are_not_sent_to_another() {
    let server = Server::start(application);
    for path in ["/buffered", "/streamed"] {
        for lines in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            let mut client = server.connect();
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\n{lines}Expect: 100-continue\r\n\r\n"
            ));
            client.finish();
            client.rest();
            let mut client = server.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().text(), "page", "after {path}");
        }
    }
}

#[test]
fn a_body_that_was_kept_is_not_that_of_the_next_request() {
    let server = Server::start(|| {
        let kept: Rc<RefCell<Option<Body>>> = Rc::default();
        let keep = async move |cx: &mut Context| {
            let before = kept.borrow_mut().replace(cx.body());
            if let Some(mut before) = before {
                let failed = before.next().await.is_some_and(|piece| piece.is_err());
                cx.write(if failed { "it is over: " } else { "it goes on: " })?;
            }
            cx.write(cx.body().await?)
        };
        Application::new([
            route("/buffered", post(keep.clone())),
            route("/streamed", post(keep)).stream_request_body(),
        ])
    });
    for path in ["/buffered", "/streamed"] {
        let mut client = server.connect();
        client.send(with_length(path, b"abc"));
        client.response();
        client.send(with_length(path, b"def"));
        assert_eq!(client.response().text(), "it is over: def", "{path}");
    }
}

/// It may share the memory that the next requests are received in.
#[test]
fn kept_parts_of_a_body_do_not_change() {
    let server = Server::start(|| {
        let kept: Rc<RefCell<Vec<Content>>> = Rc::default();
        let keep = async move |cx: &mut Context| {
            let body = cx.body().await?;
            kept.borrow_mut().push(body.clone());
            cx.write(body)?;
            let all: Vec<u8> = kept.borrow().iter().flat_map(|body| body.to_vec()).collect();
            cx.write(all)
        };
        Application::new([route("/", post(keep))])
    });
    let mut client = server.connect();
    let mut all = Vec::new();
    for size in [300, 1, 5000, 0, 9000, 300, 70_000, 255] {
        let body: Vec<u8> = body_of(size).into_iter().rev().collect();
        client.send(with_length("/", &body));
        all.extend_from_slice(&body);
        assert!(client.response().body == [body, all.clone()].concat(), "{size} bytes");
    }
}

/// A body that is written back is not copied until the response is sent.
#[test]
fn a_body_is_written_back_in_its_place() {
    async fn echo_with(cx: &mut Context) -> Result {
        let how = cx.query();
        if how == "behind" {
            cx.write("before ")?;
        }
        let body = cx.body().await?;
        cx.write(&body)?;
        cx.write(body.clone())?;
        match how.as_str() {
            "flushed" => cx.flush().await?,
            "status" => cx.set_status(StatusCode::ACCEPTED),
            "replaced" => return cx.redirect("/elsewhere"),
            "failed" => Err(HTTPError::CONFLICT)?,
            _ => {}
        }
        cx.write(" after")?;
        cx.write(body)
    }
    async fn alone(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)?;
        if cx.query() == "flushed" {
            cx.flush().await?;
        }
        Ok(())
    }
    let server = Server::start(|| {
        Application::new([
            route("/", get(echo_with).post(echo_with)),
            route("/alone", get(alone).post(alone)),
        ])
    });
    for size in [255, 256, 1000, 4096, 4097, 6000] {
        let body = String::from_utf8(body_of(size)).unwrap();
        let twice = format!("{body}{body}");
        let cases = [
            ("/?plain", format!("{twice} after{body}")),
            ("/?behind", format!("before {twice} after{body}")),
            ("/?flushed", format!("{twice} after{body}")),
            ("/?status", format!("{twice} after{body}")),
            ("/?replaced", String::new()),
            ("/alone", body.clone()),
            ("/alone?flushed", body.clone()),
        ];
        for (target, expected) in cases {
            for method in ["GET", "POST"] {
                let request = String::from_utf8(with_length(target, body.as_bytes())).unwrap();
                let mut client = server.connect();
                client.send(request.replacen("POST", method, 1));
                let response = client.response();
                assert!(response.text() == expected, "{size} bytes: {method} {target}");
                client.send(with_length("/alone", b"next"));
                assert_eq!(client.response().text(), "next", "{method} {target}");
            }
        }
        let mut client = server.connect();
        client.send(with_length("/?failed", body.as_bytes()));
        assert_eq!(client.response().status, 409);
    }
}

#[test]
fn a_body_that_is_written_back_has_the_tag_of_its_bytes() {
    let server =
        Server::start(|| Application::new([route("/", get(echo)), route("/copy", get(copy))]));
    async fn copy(cx: &mut Context) -> Result {
        let body = cx.body().await?;
        cx.write(body.to_vec())
    }
    for size in [10, 1000] {
        let tag = |target: &str, lines: &str| {
            let request = String::from_utf8(with_length(target, &body_of(size))).unwrap();
            let request = request.replacen("POST", "GET", 1);
            let mut client = server.connect();
            client.send(request.replacen("Host: a\r\n", &format!("Host: a\r\n{lines}"), 1));
            let response = client.response();
            (response.status, response.header("etag").unwrap().to_owned())
        };
        let (_, expected) = tag("/copy", "");
        assert_eq!(tag("/", ""), (200, expected.clone()));
        assert_eq!(tag("/", &format!("If-None-Match: {expected}\r\n")), (304, expected));
    }
}

/// A body in a background task must not look complete when it is cut short.
#[test]
fn a_body_that_outlives_its_request_ends_in_an_error() {
    let (tell, told) = mpsc::channel();
    let server = Server::start(move || {
        let take = async move |cx: &mut Context| -> Result {
            let (body, tell) = (cx.body(), tell.clone());
            IOLoop::current().spawn_callback(async move {
                // It waits for more when the handler has returned.
                tell.send(body.await.map(drop).is_err()).unwrap();
            });
            cx.set_header("Connection", "close")?;
            cx.write("page")
        };
        Application::new([route("/", post(take)).stream_request_body()])
    });
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    assert_eq!(client.response().text(), "page");
    client.finish();
    assert!(told.recv_timeout(DEADLINE).unwrap(), "the body is cut short");
    assert_eq!(client.rest(), b"", "nobody keeps the connection open");
}

#[test]
fn a_body_that_another_task_reads_gets_100_continue() {
    let server = Server::start(|| {
        let take = async |cx: &mut Context| -> Result {
            let body = cx.body();
            let whole = IOLoop::current().spawn(async move { body.await });
            cx.write(whole.await??)
        };
        Application::new([route("/", post(take)).stream_request_body()])
    });
    let mut client = server.connect();
    let expect = "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{expect}"));
    client.until("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    assert_eq!(client.response().text(), "abc");
}

#[test]
fn middleware_reads_a_body_that_no_route_takes() {
    let server = Server::start(|| {
        Application::new([]).around(async |cx, next| {
            if *cx.method() != Method::POST {
                return next.run(cx).await;
            }
            cx.write(cx.body().await?)
        })
    });
    for request in [with_length("/nowhere", b"abc"), with_chunks("/nowhere", b"abc", 1)] {
        assert_eq!(server.serves("a body", request).text(), "abc");
    }
}

/// The client waits as long as the server does not read.
#[test]
fn a_handler_that_does_not_read_holds_back_the_client() {
    const LATER: Duration = Duration::from_secs(10);
    async fn sleep_then_count(cx: &mut Context) -> Result {
        sleep(LATER).await;
        let mut body = cx.body();
        let mut count = 0;
        while let Some(piece) = body.next().await {
            let piece = piece?;
            assert!(piece.len() <= 64 * 1024, "no more is given out than was received at once");
            count += piece.len();
        }
        cx.write(count.to_string())
    }
    let application = Application::new([route("/", post(sleep_then_count)).stream_request_body()]);
    let client = TestClient::of(&HTTPServer::new(application).body_timeout(None));
    let io_loop = IOLoop::current();
    let began = io_loop.time();
    let mut connection = client.connect();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    connection.send(body_of(1000));
    assert_eq!(io_loop.time(), began, "a little is taken at once");
    connection.send(body_of(999_000));
    assert_eq!(io_loop.time(), began + LATER, "much is taken when the handler takes it");
    assert!(connection.receive_until("1000000").ends_with("\r\n\r\n1000000"));
    assert_eq!(io_loop.time(), began + LATER);
}

/// `size` bytes are the most of each piece, and `1` byte to 16 MiB may be chosen.
#[test]
fn a_handler_chooses_how_large_the_pieces_of_a_body_are_at_most() {
    async fn pieces(cx: &mut Context, size: usize) -> Result {
        let mut body = cx.body().chunk_size(size);
        while let Some(piece) = body.next().await {
            let piece = piece?;
            assert!((1..=size).contains(&piece.len()), "{} bytes", piece.len());
            cx.write(piece)?;
        }
        assert!(body.next().await.is_none());
        Ok(())
    }
    async fn whole(cx: &mut Context, size: usize) -> Result {
        cx.write(cx.body().chunk_size(size).await?)
    }
    async fn two_bodies(cx: &mut Context, size: usize) -> Result {
        let first = cx.body().chunk_size(size).next().await.transpose()?.unwrap_or_default();
        cx.write(first)?;
        cx.write(cx.body().await?)
    }
    let server = Server::start(|| {
        Application::new([
            route("/streamed/{size}", post(pieces)).stream_request_body(),
            route("/buffered/{size}", post(pieces)),
            route("/inflated/{size}", post(pieces)).stream_request_body().decompress_request(true),
            route("/whole/{size}", post(whole)).stream_request_body(),
            route("/two/{size}", post(two_bodies)).stream_request_body(),
        ])
    });
    let cases = [
        (0, 1),
        (1, 1),
        (1, 65_536),
        (3000, 1),
        (8193, 100),
        (30_000, 8192),
        (100_000, 10_000),
        (200_000, 65_536),
        (200_000, 1 << 20),
    ];
    for (length, size) in cases {
        let body = body_of(length);
        for kind in ["streamed", "buffered", "inflated", "whole", "two"] {
            let path = format!("/{kind}/{size}");
            let requests = [
                with_length(&path, &body),
                with_chunks(&path, &body, 11),
                with_chunks(&path, &body, 70_000),
            ];
            for request in requests {
                let response = server.serves(&path, request);
                assert!(response.body == body, "{path}: {length} bytes");
            }
        }
    }
    for size in [0, (1 << 24) + 1, usize::MAX] {
        let response = server.exchange(with_length(&format!("/streamed/{size}"), b"a"));
        assert_eq!(response.statuses(), [500], "{size}");
    }
    let log = server.log().join("\n");
    assert!(log.contains("the chunk_size of a body is 1 byte to 16 MiB, not 0 bytes"), "{log}");
}

#[test]
fn an_inflated_body_comes_in_pieces_of_the_size_chosen() {
    async fn pieces(cx: &mut Context, size: usize) -> Result {
        let mut body = cx.body().chunk_size(size);
        let (mut total, mut largest) = (0, 0);
        while let Some(piece) = body.next().await.transpose()? {
            total += piece.len();
            largest = largest.max(piece.len());
        }
        write!(cx, "{total} {}", largest <= size.min(64 * 1024))
    }
    let server = Server::start(|| {
        let row = route("/{size}", post(pieces));
        Application::new([row.stream_request_body().decompress_request(true)])
    });
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&body_of(300_000)).unwrap();
    let compressed = gzip.finish().unwrap();
    for size in [100, 10_000, 20_000, 100_000] {
        let length = compressed.len();
        let head = format!(
            "POST /{size} HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
        );
        let response = server.serves("gzip", [head.as_bytes(), &compressed].concat());
        assert_eq!(response.text(), "300000 true", "{size}");
    }
}

/// Bytes that are in the socket are received at once.
#[test]
fn large_pieces_are_received_by_few_calls() {
    const LENGTH: usize = 60_000;
    async fn largest(cx: &mut Context, size: usize) -> Result {
        let mut body = if size == 0 { cx.body() } else { cx.body().chunk_size(size) };
        let mut largest = 0;
        while let Some(piece) = body.next().await.transpose()? {
            largest = largest.max(piece.len());
        }
        cx.write(largest.to_string())
    }
    let expected = [(0, 1..=8192), (1000, 1..=1000), (65_536, 32_768..=65_536)];
    for (is_chunked, (size, range)) in [false, true]
        .iter()
        .flat_map(|chunked| expected.clone().map(|expected| (chunked, expected)))
    {
        let gate = Gate::default();
        let closed = gate.clone();
        let server = Server::start(move || {
            let held = async move |cx: &mut Context, size: usize| -> Result {
                closed.passed().await;
                largest(cx, size).await
            };
            Application::new([route("/{size}", post(held)).stream_request_body()])
        });
        let (path, body) = (format!("/{size}"), body_of(LENGTH));
        let mut client = server.connect();
        match is_chunked {
            false => client.send(with_length(&path, &body)),
            true => client.send(with_chunks(&path, &body, LENGTH)),
        }
        gate.open();
        let largest: usize = client.response().text().parse().unwrap();
        assert!(range.contains(&largest), "{size}, chunked: {is_chunked}: {largest}");
    }
}

/// One client's chunks are work without end; the others must not wait for their end.
#[test]
fn a_flood_of_small_chunks_does_not_keep_the_server_from_others() {
    async fn discard(cx: &mut Context) -> Result {
        let mut body = cx.body();
        while let Some(piece) = body.next().await {
            piece?;
        }
        Ok(())
    }
    let server = Server::with(|| {
        let application = Application::new([
            route("/", get(page)),
            route("/discard", post(discard)).stream_request_body(),
        ]);
        HTTPServer::new(application).max_body_size(u64::MAX)
    });
    let mut flood = server.connect();
    let head = "POST /discard HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    flood.send(head);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let flooding = thread::spawn(move || {
        let chunks = "1\r\nx\r\n".repeat(50_000);
        while !stopped.load(Ordering::Relaxed) {
            flood.send(&chunks);
        }
        flood.send("0\r\n\r\n");
        flood.response().status
    });
    let mut client = server.connect();
    for _ in 0..20 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "page");
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(flooding.join().unwrap(), 200);
}
