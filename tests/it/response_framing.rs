use squall::{Application, Context, Functions, HTTPError, Result, StatusCode, get, route};

use crate::events::{Gate, events};
use crate::wire::{Ending, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_HTTP10: &str = "GET / HTTP/1.0\r\n\r\n";

/// A server of one handler.
fn serving(handler: impl FnOnce() -> Functions + Send + 'static) -> Server {
    Server::start(|| Application::new([route("/", handler())]))
}

/// All of a response with status 200 to `request`, without what is the same in each.
#[track_caller]
fn answer(server: &Server, request: &str) -> String {
    let exchange = server.exchange(request);
    assert!(exchange.kept, "{exchange:?}");
    let raw = &exchange.only().raw;
    let start = "HTTP/1.1 200 OK\r\nServer: Squall/0.1.0\r\n";
    raw.strip_prefix(start).unwrap_or_else(|| panic!("{raw}")).replace("Date:\r\n", "")
}

const TYPE: &str = "Content-Type: text/html; charset=UTF-8\r\n";

#[test]
fn a_response_written_at_once_has_a_length() {
    async fn parts(cx: &mut Context) -> Result {
        cx.write("one, ")?;
        cx.write(String::from("two, "))?;
        cx.write(b"three, ")?;
        cx.write(vec![b'4'])
    }
    let server = serving(|| get(parts));
    let etag = "Etag: \"bda30f24a91db1f7\"\r\n";
    let expected = format!("{TYPE}{etag}Content-Length: 18\r\n\r\none, two, three, 4");
    assert_eq!(answer(&server, GET), expected);
}

#[test]
fn an_empty_response_has_a_length_of_0() {
    let server = serving(|| get(async || ()));
    assert_eq!(answer(&server, GET), "Content-Length: 0\r\n\r\n");
    assert_eq!(server.exchange(GET_HTTP10).only().header("content-length"), Some("0"));
}

#[test]
fn each_flush_is_a_chunk() {
    async fn flushes(cx: &mut Context) -> Result {
        cx.write("a")?;
        cx.write("b")?;
        cx.flush().await?;
        cx.flush().await?;
        cx.write("c".repeat(15))?;
        cx.flush().await?;
        cx.write("d".repeat(16))?;
        cx.flush().await?;
        cx.write("e".repeat(300))
    }
    let server = serving(|| get(flushes));
    let (c, d, e) = ("c".repeat(15), "d".repeat(16), "e".repeat(300));
    let body = format!("2\r\nab\r\nf\r\n{c}\r\n10\r\n{d}\r\n12c\r\n{e}\r\n0\r\n\r\n");
    assert_eq!(answer(&server, GET), format!("{TYPE}Transfer-Encoding: chunked\r\n\r\n{body}"));
}

#[test]
fn large_pieces_lie_between_their_chunk_lines() {
    async fn flushes(cx: &mut Context) -> Result {
        for length in [100_000, 1, 4096, 4095] {
            cx.write(vec![b'.'; length])?;
            cx.write(vec![b','; length])?;
            cx.flush().await?;
        }
        Ok(())
    }
    let server = serving(|| get(flushes));
    let mut client = server.connect();
    client.send(GET);
    let body = [100_000, 1, 4096, 4095].map(|len| ".".repeat(len) + &",".repeat(len)).concat();
    assert!(client.response().text() == body);
}

#[test]
fn flushing_without_a_write_sends_the_head() {
    let gate = Gate::default();
    let opened = gate.clone();
    let server = serving(|| {
        get(async move |cx: &mut Context| {
            cx.flush().await?;
            gate.passed().await;
            cx.write("later")
        })
    });
    let mut client = server.connect();
    client.send(GET);
    let head = String::from_utf8(client.until("\r\n\r\n")).unwrap();
    assert!(head.ends_with("\r\nTransfer-Encoding: chunked\r\n\r\n"), "{head}");
    opened.open();
    assert_eq!(client.until("0\r\n\r\n"), b"5\r\nlater\r\n0\r\n\r\n");
}

#[test]
fn flushing_without_any_write_is_an_empty_chunked_body() {
    async fn nothing(cx: &mut Context) -> Result {
        cx.write("")?;
        cx.flush().await?;
        cx.flush().await
    }
    let server = serving(|| get(nothing));
    let expected = format!("{TYPE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(answer(&server, GET), expected);
}

#[test]
fn to_http10_what_is_flushed_goes_on_until_the_connection_ends() {
    async fn flushes(cx: &mut Context) -> Result {
        cx.write("one ")?;
        cx.flush().await?;
        cx.flush().await?;
        cx.write("two ")?;
        cx.flush().await?;
        cx.write("three")
    }
    let server = serving(|| get(flushes));
    let exchange = server.exchange(GET_HTTP10);
    let expected =
        format!("HTTP/1.1 200 OK\r\nServer: Squall/0.1.0\r\n{TYPE}Date:\r\n\r\none two three");
    assert_eq!(exchange.only().raw, expected);
    assert!(!exchange.kept);
}

#[test]
fn a_declared_length_that_is_right_is_sent() {
    async fn at_once(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "5")?;
        cx.write("hello")
    }
    async fn flushed(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "0005")?;
        cx.write("he")?;
        cx.flush().await?;
        cx.write("l")?;
        cx.flush().await?;
        cx.write("lo")
    }
    let etag = "Etag: \"9555e8555c62dcfd\"\r\n";
    let length = "Content-Length: 5\r\n\r\nhello";
    let server = serving(|| get(at_once));
    assert_eq!(answer(&server, GET), format!("{TYPE}{etag}{length}"));
    let server = serving(|| get(flushed));
    assert_eq!(answer(&server, GET), format!("{TYPE}{length}"));
    assert_eq!(server.exchange(GET_HTTP10).only().text(), "hello");

    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.set_header("Content-Length", "0")?;
            cx.flush().await
        })
    });
    assert_eq!(answer(&server, GET), "Content-Length: 0\r\n\r\n");
}

#[test]
fn a_wrong_declared_length_is_a_500_before_the_head_is_sent() {
    async fn wrong(cx: &mut Context) -> Result {
        let length = cx.header("x-length").unwrap_or_default();
        cx.set_header("Content-Length", &*length)?;
        cx.write("hello")?;
        if cx.header("x-flush").is_some() {
            cx.flush().await?;
        }
        Ok(())
    }
    let server = serving(|| get(wrong));
    let no_numbers = ["foo", "+5", "-5", "5_0", "0x5", "5.0", "5,5", "5 5", "", &"9".repeat(30)];
    for length in ["4", "6", "0", "18446744073709551615"].into_iter().chain(no_numbers) {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Length: {length}\r\n");
        let exchange = server.exchange(format!("{head}\r\n"));
        assert_eq!(exchange.statuses(), [500], "{length:?}");
        assert_eq!(exchange.only().text(), INTERNAL_SERVER_ERROR);
        assert!(exchange.kept);
        let is_number = length.parse::<u64>().is_ok() && !length.starts_with('+');
        if !is_number {
            let exchange = server.exchange(format!("{head}X-Flush: 1\r\n\r\n"));
            assert_eq!(exchange.statuses(), [500], "{length:?}, flushed");
        }
    }
    let logged = |part: &str| server.log().iter().any(|line| line.contains(part));
    assert!(logged("the response has 5 bytes but a Content-Length of 4"));
    assert!(logged("the Content-Length of the response is not a number"));
}

const INTERNAL_SERVER_ERROR: &str = "<html><title>500: Internal Server Error</title>\
    <body>500: Internal Server Error</body></html>";

#[test]
fn a_promised_length_that_is_not_kept_cuts_the_connection() {
    async fn too_few(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "10")?;
        cx.write("hello")?;
        cx.flush().await
    }
    async fn too_many(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "6")?;
        cx.write("hello")?;
        cx.flush().await?;
        cx.write(" world")?;
        cx.flush().await
    }
    async fn too_many_at_the_end(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "6")?;
        cx.write("hello")?;
        cx.flush().await?;
        cx.write(" world")
    }
    let cases = [
        (serving(|| get(too_few)), "10", "the response has 5 bytes but a Content-Length of 10"),
        (serving(|| get(too_many)), "6", "the response has 11 bytes but a Content-Length of 6"),
        (
            serving(|| get(too_many_at_the_end)),
            "6",
            "the response has 11 bytes but a Content-Length of 6",
        ),
    ];
    for (server, length, message) in cases {
        let mut client = server.connect();
        client.send(GET.repeat(2));
        let (bytes, _) = client.rest_and_ending();
        let text = String::from_utf8(bytes).unwrap();
        let end = format!("\r\nContent-Length: {length}\r\n\r\nhello");
        assert!(text.ends_with(&end), "no more than was flushed, and no second response: {text}");
        let logged = server.log().iter().any(|line| line.contains(message));
        assert!(logged, "{:?}", server.log());
    }
}

#[test]
fn a_response_that_is_cut_short_never_looks_whole() {
    async fn fails(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await?;
        cx.write("more")?;
        Err(HTTPError::NOT_FOUND)?
    }
    async fn panics(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await?;
        cx.write("more")?;
        panic!("in the middle")
    }
    for server in [serving(|| get(fails)), serving(|| get(panics))] {
        let mut client = server.connect();
        client.send(GET);
        let (bytes, _) = client.rest_and_ending();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("\r\n\r\n4\r\npart\r\n"), "no last chunk, no page: {text}");

        // Here the end of the connection is the end of the body, so that it must not be one.
        let mut client = server.connect();
        client.send(GET_HTTP10);
        let (bytes, ending) = client.rest_and_ending();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_empty() || text.ends_with("\r\n\r\npart"), "{text}");
        assert_eq!(ending, Ending::Reset);

        assert_eq!(server.exchange("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n").statuses(), [204]);
    }
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    async fn at_once(cx: &mut Context) -> Result {
        cx.set_header("X-Own", "1")?;
        cx.write("hello")
    }
    async fn chunked(cx: &mut Context) -> Result {
        cx.write("hel")?;
        cx.flush().await?;
        cx.write("lo")?;
        cx.flush().await
    }
    async fn declared(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "5")?;
        cx.write("hel")?;
        cx.flush().await?;
        cx.write("lo")
    }
    async fn fails(_: &mut Context) -> Result {
        Err(HTTPError::NOT_FOUND)?
    }
    let servers = [
        serving(|| get(at_once)),
        serving(|| get(chunked)),
        serving(|| get(declared)),
        serving(|| get(fails)),
        serving(|| get(async || StatusCode::NO_CONTENT)),
        serving(|| get(async || ())),
    ];
    for server in servers {
        let mut client = server.connect();
        client.send(GET);
        let expected = client.response();
        // Twice, to see that nothing of the body is behind the head.
        for _ in 0..2 {
            client.send(HEAD);
            let response = client.response_to_head();
            assert_eq!(response.undated_headers(), expected.undated_headers());
            assert_eq!(response.status, expected.status);
        }
        client.send("GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_eq!(client.response().status, 404);
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn a_handler_of_head_may_tell_the_length_without_making_the_body() {
    async fn length_only(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "1000000")?;
        cx.set_header("Content-Type", "image/png")
    }
    async fn length_flushed(cx: &mut Context) -> Result {
        length_only(cx).await?;
        cx.flush().await
    }
    let head = squall::Method::HEAD;
    for server in [
        serving(|| Functions::default().on(squall::Method::HEAD, length_only)),
        serving(|| Functions::default().on(squall::Method::HEAD, length_flushed)),
    ] {
        let mut client = server.connect();
        for _ in 0..2 {
            client.send(format!("{head} / HTTP/1.1\r\nHost: a\r\n\r\n"));
            let response = client.response_to_head();
            assert_eq!(response.header("content-length"), Some("1000000"));
            assert_eq!(response.header("content-type"), Some("image/png"));
        }
    }
}

#[test]
fn a_piece_leaves_when_it_is_flushed() {
    let gates = [Gate::default(), Gate::default()];
    let [first, second] = gates.clone();
    let (teller, events) = events();
    let server = serving(|| {
        get(async move |cx: &mut Context| -> Result {
            for (gate, piece) in [(&first, "one"), (&second, "two")] {
                cx.write(piece)?;
                cx.flush().await?;
                teller.tell("flushed");
                gate.passed().await;
            }
            Ok(())
        })
    });
    let mut client = server.connect();
    client.send(GET);
    client.until("\r\n\r\n3\r\none\r\n");
    events.expect("flushed");
    gates[0].open();
    assert_eq!(client.until("two\r\n"), b"3\r\ntwo\r\n");
    events.expect("flushed");
    gates[1].open();
    assert_eq!(client.until("\r\n\r\n"), b"0\r\n\r\n");
}
