use squall::{Application, Context, Result, post, route};

use crate::wire::Server;

/// Both routes answer with the body in brackets; `/streamed` takes it piece by piece.
fn application() -> Application {
    async fn echo(cx: &mut Context) -> Result {
        let body = cx.body().await?;
        cx.write("[")?;
        cx.write(body)?;
        cx.write("]")
    }
    async fn echo_pieces(cx: &mut Context) -> Result {
        let mut body = cx.body();
        cx.write("[")?;
        while let Some(piece) = body.next().await {
            cx.write(piece?)?;
        }
        cx.write("]")
    }
    Application::new([
        route("/", post(echo)),
        route("/streamed", post(echo_pieces)).stream_request_body(),
    ])
}

const PATHS: [&str; 2] = ["/", "/streamed"];

/// A request with `body`, which is in chunks or should be.
fn chunked(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn the_body_is_the_data_of_the_chunks() {
    let rows = [
        ("one chunk", "3\r\nabc\r\n0\r\n\r\n", "[abc]"),
        ("two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "[abcde]"),
        ("no chunk", "0\r\n\r\n", "[]"),
        ("upper case", "A\r\n0123456789\r\n0\r\n\r\n", "[0123456789]"),
        ("lower case", "a\r\n0123456789\r\n0\r\n\r\n", "[0123456789]"),
        ("leading zeros", "003\r\nabc\r\n0\r\n\r\n", "[abc]"),
        ("as many digits as there may be", "0000000000000003\r\nabc\r\n0\r\n\r\n", "[abc]"),
        ("many zeros at the end", "3\r\nabc\r\n000\r\n\r\n", "[abc]"),
        ("data that looks like an end", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "[0\r\n\r\n]"),
        ("an extension", "3;x=y\r\nabc\r\n0\r\n\r\n", "[abc]"),
        ("an extension without a value", "3;x\r\nabc\r\n0;last\r\n\r\n", "[abc]"),
        ("a quoted extension", "3;x=\"y z\"\r\nabc\r\n0\r\n\r\n", "[abc]"),
        ("a trailer", "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "[abc]"),
        ("two trailers", "3\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n", "[abc]"),
    ];
    let server = Server::start(application);
    for (what, body, seen) in rows {
        for path in PATHS {
            assert_eq!(server.serves(what, chunked(path, body)).text(), seen, "{what}");
        }
    }
}

#[test]
fn the_name_of_the_coding_may_be_in_any_letters() {
    let server = Server::start(application);
    for coding in ["chunked", "Chunked", "CHUNKED", " \tchunked\t "] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:{coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        assert_eq!(server.serves(coding, request).text(), "[abc]");
    }
}

#[test]
fn an_invalid_chunk_is_refused() {
    let rows = [
        ("a prefix of hexadecimal numbers", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("a minus sign", "-3\r\nabc\r\n0\r\n\r\n"),
        ("a plus sign", "+3\r\nabc\r\n0\r\n\r\n"),
        ("an underscore", "1_a\r\nabc\r\n0\r\n\r\n"),
        ("a space behind the size", "3 \r\nabc\r\n0\r\n\r\n"),
        ("a space before the size", " 3\r\nabc\r\n0\r\n\r\n"),
        ("a tab behind the size", "3\t\r\nabc\r\n0\r\n\r\n"),
        ("a space before an extension", "3 ;x\r\nabc\r\n0\r\n\r\n"),
        ("no size", "\r\nabc\r\n0\r\n\r\n"),
        ("an extension without a size", ";x\r\nabc\r\n0\r\n\r\n"),
        ("a letter", "g\r\nabc\r\n0\r\n\r\n"),
        ("a comma", "3,\r\nabc\r\n0\r\n\r\n"),
        ("more digits than there may be", "00000000000000003\r\nabc\r\n0\r\n\r\n"),
        ("a size that wraps around", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        ("LF behind the size", "3\nabc\r\n0\r\n\r\n"),
        ("CR behind the size", "3\rabc\r\n0\r\n\r\n"),
        ("CR CR LF behind the size", "3\r\r\nabc\r\n0\r\n\r\n"),
        ("LF in an extension", "3;x\nabc\r\n0\r\n\r\n"),
        ("CR in an extension", "3;x\ry\r\nabc\r\n0\r\n\r\n"),
        ("NUL in an extension", "3;x\0\r\nabc\r\n0\r\n\r\n"),
        ("no line end behind the data", "3\r\nabc0\r\n\r\n"),
        ("LF behind the data", "3\r\nabc\n0\r\n\r\n"),
        ("CR behind the data", "3\r\nabc\r0\r\n\r\n"),
        ("more data than was said", "3\r\nabcd\r\n0\r\n\r\n"),
        ("LF behind the last size", "3\r\nabc\r\n0\n\r\n"),
        ("LF for the blank line", "3\r\nabc\r\n0\r\n\n"),
        ("CR CR LF for the blank line", "3\r\nabc\r\n0\r\n\r\r\n"),
        ("no chunks at all", "abc"),
    ];
    let server = Server::start(application);
    for (what, body) in rows {
        for path in PATHS {
            server.refuses(400, what, chunked(path, body));
        }
    }
}

#[test]
fn an_invalid_trailer_is_refused() {
    let rows = [
        ("no colon", "X\r\n"),
        ("an empty name", ": y\r\n"),
        ("a space before the colon", "X : y\r\n"),
        ("a space before the name", " X: y\r\n"),
        ("a folded line", "X: y\r\n z\r\n"),
        ("a name outside ASCII", "\u{e9}: y\r\n"),
        ("NUL in the value", "X: \0\r\n"),
        ("LF behind it", "X: y\nZ: z\r\n"),
        ("CR in the value", "X: y\rZ: z\r\n"),
    ];
    let server = Server::start(application);
    for (what, trailer) in rows {
        for path in PATHS {
            server.refuses(400, what, chunked(path, &format!("3\r\nabc\r\n0\r\n{trailer}\r\n")));
        }
    }
}

#[test]
fn extensions_and_trailers_are_limited() {
    let rows = [
        (400, "an extension", format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(300))),
        (400, "an extension without an end", format!("3;{}", "x".repeat(300))),
        (431, "a trailer", format!("0\r\nX: {}\r\n\r\n", "y".repeat(9000))),
        (431, "a trailer without an end", format!("0\r\nX: {}", "y".repeat(9000))),
        (431, "many trailers", format!("0\r\n{}\r\n", "X: y\r\n".repeat(65))),
        (400, "many extensions", "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n".repeat(2000)),
    ];
    let server = Server::start(application);
    for (status, what, body) in rows {
        for path in PATHS {
            server.refuses(status, what, chunked(path, &body));
        }
    }
    let most = format!("3;{}\r\nabc\r\n0\r\n{}\r\n", "x".repeat(200), "X: y\r\n".repeat(64));
    assert_eq!(server.serves("what is within them", chunked("/", &most)).text(), "[abc]");
}

#[test]
fn any_other_coding_is_refused() {
    let rows = [
        (501, "no coding by name", "Transfer-Encoding: identity\r\n"),
        (501, "a compression", "Transfer-Encoding: gzip\r\n"),
        (501, "a compression in chunks", "Transfer-Encoding: gzip, chunked\r\n"),
        (501, "chunks in a compression", "Transfer-Encoding: chunked, gzip\r\n"),
        (501, "both, in two lines", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        (501, "an unknown word", "Transfer-Encoding: xchunked\r\n"),
        (501, "an unknown word with a parameter", "Transfer-Encoding: cow;x=y\r\n"),
        (400, "chunks in chunks", "Transfer-Encoding: chunked, chunked\r\n"),
        (400, "chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        (400, "chunks with a parameter", "Transfer-Encoding: chunked;x=y\r\n"),
        (400, "nothing", "Transfer-Encoding:\r\n"),
        (400, "an empty element", "Transfer-Encoding: chunked,\r\n"),
        (400, "an empty element first", "Transfer-Encoding: ,chunked\r\n"),
        (400, "two words", "Transfer-Encoding: chunked chunked\r\n"),
        (400, "quotes", "Transfer-Encoding: \"chunked\"\r\n"),
        (400, "a non-breaking space", "Transfer-Encoding: chunked\u{a0}\r\n"),
        (400, "a vertical tab", "Transfer-Encoding: \u{b}chunked\r\n"),
        (400, "a NUL", "Transfer-Encoding: chunked\0\r\n"),
    ];
    let server = Server::start(application);
    for (status, what, lines) in rows {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n3\r\nabc\r\n0\r\n\r\n");
        server.refuses(status, what, request);
    }
}

#[test]
fn http_1_0_has_no_chunks() {
    let server = Server::start(application);
    for lines in ["", "Connection: keep-alive\r\n"] {
        let request = format!(
            "POST / HTTP/1.0\r\n{lines}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        server.refuses(400, "chunks under HTTP/1.0", request);
    }
}

#[test]
fn trailers_do_not_become_headers_or_affect_the_next_request() {
    async fn seen(cx: &mut Context) -> Result {
        let body = cx.body().await?;
        cx.write(body)?;
        cx.write(format!(" {:?}", cx.header("x").as_deref()))
    }
    let server = Server::start(|| Application::new([route("/", post(seen))]));
    let trailers = "X: trailer\r\nContent-Length: 100\r\nTransfer-Encoding: gzip\r\nHost: b\r\n";
    let first = chunked("/", &format!("3\r\nabc\r\n0\r\n{trailers}\r\n"));
    let exchange = server.exchange([first, chunked("/", "1\r\nd\r\n0\r\n\r\n")].concat());
    let bodies: Vec<_> = exchange.responses.iter().map(|response| response.text()).collect();
    assert_eq!(bodies, ["abc None", "d None"]);
    assert!(exchange.kept);
}

/// Chunks are how the body came, not what it is: those that came together are one piece.
#[test]
fn a_handler_receives_the_bytes_that_have_arrived_rather_than_chunks() {
    async fn pieces(cx: &mut Context) -> Result {
        let mut body = cx.body();
        while let Some(piece) = body.next().await {
            let piece = piece?;
            cx.write("[")?;
            cx.write(piece)?;
            cx.write("]")?;
            cx.flush().await?;
        }
        Ok(())
    }
    let server =
        Server::start(|| Application::new([route("/", post(pieces)).stream_request_body()]));
    let mut client = server.connect();
    client.send(chunked("/", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n"));
    client.until("[abc]");
    // Bytes behind a pause are delivered without waiting for more.
    client.send("1\r\nd\r\n2");
    client.until("[d]");
    client.send("\r\ne");
    client.until("[e]");
    client.send("f\r\n0\r\n\r\n");
    client.until("[f]\r\n0\r\n\r\n");
}
