use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use squall::testing::TestClient;
use squall::{Application, Context, HTTPServer, IOLoop, Result, get, post, route};
use squall_runtime::yield_now;

use crate::wire::Server;

/// The most that may come out of a body, of the servers here.
const LIMIT: usize = 300_000;

/// The same for one route.
const SMALL: u64 = 100;

/// A piece is at most so long, however much comes out of what has been received.
const PIECE: usize = 64 * 1024 + 16 * 1024;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

async fn echo(cx: &mut Context) -> Result {
    for name in ["Content-Encoding", "X-Consumed-Content-Encoding"] {
        let value = cx.header(name);
        let in_map = cx.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(value.as_deref(), in_map, "{name}");
        if let Some(value) = value {
            cx.set_header("X-Seen", format!("{name}: {value}"))?;
        }
    }
    cx.write(cx.body().await?)
}

async fn echo_pieces(cx: &mut Context) -> Result {
    let mut body = cx.body();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        assert!(!piece.is_empty() && piece.len() <= PIECE);
        cx.write(piece)?;
    }
    Ok(())
}

async fn word(cx: &mut Context) -> Result {
    cx.write(cx.argument("word")?)
}

fn application() -> Application {
    Application::new([
        route("/", get(async || "page")),
        route("/buffered", post(echo)),
        route("/streamed", post(echo_pieces)).stream_request_body(),
        route("/ignored", post(async || "page")).stream_request_body(),
        route("/form", post(word)),
        route("/as-it-is", post(echo)).decompress_request(false),
        route("/as-it-was", post(echo)).decompress_request(true),
        route("/small", post(echo)).max_body_size(SMALL),
    ])
}

fn server() -> Server {
    Server::with(|| {
        HTTPServer::new(application()).decompress_request(true).max_body_size(LIMIT as u64)
    })
}

fn with_length(path: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn with_chunks(path: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\n{lines}Transfer-Encoding: chunked\r\n\r\n");
    let mut request = head.into_bytes();
    for chunk in body.chunks(7) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(&[chunk, b"\r\n"].concat());
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// The same request with its body framed in either way.
fn framed(path: &str, coding: &str, body: &[u8]) -> [Vec<u8>; 2] {
    let line = format!("Content-Encoding: {coding}\r\n");
    [with_length(path, &line, body), with_chunks(path, &line, body)]
}

/// `size` bytes without a repeated stretch.
fn data(size: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| format!("{number};").into_bytes()).take(size).collect()
}

#[test]
fn a_compressed_body_arrives_as_it_was() {
    let server = server();
    for size in [1, 1000, 65_536, LIMIT] {
        let data = data(size);
        for (coding, body) in [("gzip", gzip(&data)), ("deflate", deflate(&data))] {
            for path in ["/buffered", "/streamed"] {
                for request in framed(path, coding, &body) {
                    let what = format!("{size} bytes, {coding}, to {path}");
                    assert!(server.serves(&what, request).body == data, "{what}");
                }
            }
        }
    }
}

#[test]
fn several_members_are_one_body() {
    let server = server();
    let body = [gzip(b"one, "), gzip(b""), gzip(b"two, "), gzip(b"three")].concat();
    for path in ["/buffered", "/streamed"] {
        for request in framed(path, "gzip", &body) {
            assert_eq!(server.serves(path, request).text(), "one, two, three");
        }
    }
}

#[test]
fn codings_have_names_in_any_case_and_no_coding_is_one() {
    let server = server();
    let seen = |coding: &str, body: &[u8]| {
        let [request, _] = framed("/buffered", coding, body);
        let response = server.serves(coding, request);
        assert_eq!(response.text(), "abc", "{coding}");
        response.header("x-seen").map(str::to_owned)
    };
    for coding in ["gzip", "GZIP", "x-gzip", "identity, gzip"] {
        let consumed = format!("X-Consumed-Content-Encoding: {coding}");
        assert_eq!(seen(coding, &gzip(b"abc")), Some(consumed));
    }
    for coding in ["identity", ""] {
        assert_eq!(seen(coding, b"abc"), Some(format!("Content-Encoding: {coding}")));
    }
    let response = server.serves("no coding", with_length("/buffered", "", b"abc"));
    assert_eq!((response.text(), response.header("x-seen")), ("abc", None));
}

#[test]
fn an_empty_body_is_empty_in_every_coding() {
    let server = server();
    for path in ["/buffered", "/streamed"] {
        for request in framed(path, "gzip", b"").into_iter().chain(framed(path, "deflate", b"")) {
            assert_eq!(server.serves(path, request).text(), "");
        }
    }
    server.serves("a page", "GET / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\n\r\n");
}

#[test]
fn by_default_a_server_does_not_decompress_bodies() {
    let server = Server::start(application);
    let body = gzip(b"abc");
    let [request, _] = framed("/buffered", "gzip", &body);
    let response = server.serves("by default", request);
    assert_eq!(response.body, body);
    assert_eq!(response.header("x-seen"), Some("Content-Encoding: gzip"));
    let [request, _] = framed("/as-it-was", "gzip", &body);
    assert_eq!(server.serves("a route that was told to", request).text(), "abc");
    let [request, _] = framed("/buffered", "br", b"?");
    assert_eq!(server.serves("any coding", request).text(), "?");
}

#[test]
fn a_route_may_leave_bodies_as_they_are() {
    let body = gzip(b"abc");
    let [request, _] = framed("/as-it-is", "gzip", &body);
    assert_eq!(server().serves("gzip", request).body, body);
}

#[test]
fn the_limit_counts_decompressed_bytes() {
    let server = server();
    for path in ["/buffered", "/streamed"] {
        for (size, status) in [(LIMIT, 200), (LIMIT + 1, 413), (100 * LIMIT, 413)] {
            for request in framed(path, "gzip", &gzip(&vec![b'a'; size])) {
                let what = format!("{size} bytes to {path}");
                match status {
                    200 => drop(server.serves(&what, request)),
                    _ => drop(server.refuses(status, &what, request)),
                }
            }
        }
    }
    // The compressed body is shorter than the limit in either case.
    for (size, status) in [(SMALL, 200), (SMALL + 1, 413)] {
        let [request, _] = framed("/small", "gzip", &gzip(&vec![b'a'; size as usize]));
        assert_eq!(server.exchange(request).statuses(), [status], "{size} bytes");
    }
}

#[test]
fn a_body_that_does_not_match_its_coding_is_refused() {
    let server = server();
    let (gzip, deflate) = (gzip(&data(3000)), deflate(&data(3000)));
    let mut changed = gzip.clone();
    let middle = changed.len() / 2;
    changed[middle..middle + 8].fill(0xff);
    let rows: [(&str, &str, &[u8]); 9] = [
        ("no gzip", "gzip", b"hello"),
        ("no deflate", "deflate", b"hello"),
        ("gzip that is changed", "gzip", &changed),
        ("gzip that is cut short", "gzip", &gzip[..gzip.len() - 1]),
        ("its beginning", "gzip", &gzip[..5]),
        ("something behind gzip", "gzip", &[&gzip[..], b"more"].concat()),
        ("half a member behind gzip", "gzip", &[&gzip[..], &gzip[..15]].concat()),
        ("deflate that is cut short", "deflate", &deflate[..deflate.len() - 1]),
        ("something behind deflate", "deflate", &[&deflate[..], &deflate[..]].concat()),
    ];
    for (what, coding, body) in rows {
        for path in ["/buffered", "/streamed"] {
            for request in framed(path, coding, body) {
                server.refuses(400, what, request);
            }
        }
    }
}

#[test]
fn another_coding_is_refused_before_the_body_comes() {
    let server = server();
    let rows =
        ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "gzip\r\nContent-Encoding: gzip"];
    for coding in rows {
        for path in ["/buffered", "/streamed"] {
            let mut client = server.connect();
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\n\
                 Content-Length: 3\r\n\r\n"
            ));
            let response = client.response();
            assert_eq!(response.status, 415, "{coding}");
            assert_eq!(response.header("accept-encoding"), Some("gzip, deflate"), "{coding}");
            // The connection goes on behind the body.
            client.send("abcGET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().text(), "page", "{coding}");
        }
    }
    let mut client = server.connect();
    client.send(with_length("/buffered", "Expect: 100-continue\r\nContent-Encoding: br\r\n", b""));
    client.send(
        "POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\n\
         Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.response().status, 200, "it has no body");
    assert_eq!(client.response().status, 415, "and not 100");
    let [request, _] = framed("/nowhere", "br", b"abc");
    assert_eq!(server.exchange(request).statuses(), [404], "what is not there has no codings");
}

#[test]
fn an_unread_compressed_body_is_not_parsed_as_a_request() {
    let server = server();
    let body = gzip(&data(1000));
    for path in ["/ignored", "/nowhere"] {
        for request in framed(path, "gzip", &body) {
            let exchange = server.exchange(request);
            assert_eq!(exchange.responses.len(), 1, "{path}");
            assert!(exchange.kept, "{path}");
        }
        // Nor does it matter what it would be.
        for request in framed(path, "gzip", b"no gzip") {
            assert!(server.exchange(request).kept, "{path}");
        }
    }
}

#[test]
fn the_unread_rest_of_a_body_is_drained() {
    async fn first(cx: &mut Context) -> Result {
        let piece = cx.body().next().await.transpose()?;
        cx.write(format!("{}", piece.is_some_and(|piece| piece.starts_with(b"aaa"))))
    }
    let server = Server::with(|| {
        let app = Application::new([route("/", post(first)).stream_request_body()]);
        HTTPServer::new(app).decompress_request(true)
    });
    // Some hundred pieces.
    let body = gzip(&vec![b'a'; 10 << 20]);
    assert!(body.len() < 64 * 1024);
    for request in framed("/", "gzip", &body) {
        assert_eq!(server.serves("a long body", request).text(), "true");
    }
}

#[test]
fn a_form_may_be_compressed_where_it_is_decompressed() {
    let line = "Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: gzip\r\n";
    let request = with_length("/form", line, &gzip(b"word=abc"));
    assert_eq!(server().serves("a form", &request).text(), "abc");
    let response = Server::start(application).exchange(&request).only().clone();
    assert_eq!(response.status, 415, "nothing is made up of what cannot be read");
}

/// A body that becomes very large is work without end; the others must not wait for its end.
#[test]
fn inflating_a_body_lets_other_tasks_run() {
    const SIZE: usize = 32 << 20;
    let turns = Rc::new(Cell::new(0));
    let counter = Rc::clone(&turns);
    let app = Application::new([
        route("/streamed", post(count)).stream_request_body(),
        route("/buffered", post(count)),
    ]);
    async fn count(cx: &mut Context) -> Result {
        let mut body = cx.body();
        let mut size = 0;
        while let Some(piece) = body.next().await {
            size += piece?.len();
        }
        cx.write(size.to_string())
    }
    let client = TestClient::of(&HTTPServer::new(app).decompress_request(true));
    IOLoop::current().spawn_callback(async move {
        loop {
            counter.set(counter.get() + 1);
            yield_now().await;
        }
    });
    let body = gzip(&vec![0; SIZE]);
    for path in ["/streamed", "/buffered"] {
        let before = turns.get();
        let response =
            client.post(path).header("Content-Encoding", "gzip").body(body.clone()).send();
        assert_eq!(response.text(), SIZE.to_string());
        let turns = turns.get() - before;
        assert!(turns >= SIZE / (512 * 1024), "{turns} turns");
    }
}
