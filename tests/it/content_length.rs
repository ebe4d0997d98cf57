use squall::{Application, Context, Result, get, route};

use crate::wire::Server;

/// `/` answers `GET` with a page and `POST` with the body in brackets.
fn server() -> Server {
    async fn page() -> &'static str {
        "page"
    }
    async fn echo(cx: &mut Context) -> Result {
        let body = cx.body().await?;
        cx.write("[")?;
        cx.write(body)?;
        cx.write("]")
    }
    Server::start(|| Application::new([route("/", get(page).post(echo))]))
}

fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

#[test]
fn the_body_has_the_declared_length() {
    let rows = [
        ("a body", "Content-Length: 3\r\n", "abc", "[abc]"),
        ("no body", "Content-Length: 0\r\n", "", "[]"),
        ("nothing said", "", "", "[]"),
        ("leading zeros", "Content-Length: 003\r\n", "abc", "[abc]"),
        ("many leading zeros", "Content-Length: 0000000000000000000000000003\r\n", "abc", "[abc]"),
        ("small letters", "content-length: 3\r\n", "abc", "[abc]"),
        ("space around it", "Content-Length: \t3 \t\r\n", "abc", "[abc]"),
        ("said twice", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc", "[abc]"),
        ("said twice in one line", "Content-Length: 3, 3\r\n", "abc", "[abc]"),
        ("said twice in two spellings", "Content-Length: 3,03\r\n", "abc", "[abc]"),
        ("a body that looks like line ends", "Content-Length: 4\r\n", "\r\n\r\n", "[\r\n\r\n]"),
        (
            "a body that looks like a request",
            "Content-Length: 30\r\n",
            "GET / HTTP/1.1\r\nHost: abcd\r\n\r\n",
            "[GET / HTTP/1.1\r\nHost: abcd\r\n\r\n]",
        ),
    ];
    let server = server();
    for (what, lines, body, seen) in rows {
        assert_eq!(server.serves(what, post(lines, body)).text(), seen, "{what}");
    }
}

#[test]
fn an_invalid_length_is_refused() {
    let rows = [
        ("a plus sign", "+3"),
        ("a minus sign", "-1"),
        ("minus zero", "-0"),
        ("an underscore", "1_0"),
        ("a word", "foo"),
        ("nothing", ""),
        ("a hexadecimal number", "0x3"),
        ("hexadecimal digits", "a"),
        ("a fraction", "3.0"),
        ("an exponent", "1e1"),
        ("two numbers", "3 3"),
        ("a number and a word", "3 bytes"),
        ("a number and a parameter", "3;x=y"),
        ("a quoted number", "\"3\""),
        ("a non-breaking space behind it", "3\u{a0}"),
        ("digits of another script", "\u{663}"),
        ("wide digits", "\u{ff13}"),
        ("30 digits", "100000000000000000000000000003"),
        ("2 to the power of 64", "18446744073709551616"),
        ("2 to the power of 64, and 3", "18446744073709551619"),
        ("two numbers in a list", "3, 4"),
        ("a list with an empty element", "3, "),
        ("a list that begins with an empty element", ", 3"),
        ("a list of nothing", ","),
        ("a list with a word", "3, foo"),
    ];
    let server = server();
    for (what, length) in rows {
        server.refuses(400, what, post(&format!("Content-Length: {length}\r\n"), "abc"));
    }
}

#[test]
fn two_lengths_that_differ_are_refused() {
    let rows = [
        ("the smaller first", "Content-Length: 2\r\nContent-Length: 3\r\n"),
        ("the larger first", "Content-Length: 3\r\nContent-Length: 2\r\n"),
        ("zero first", "Content-Length: 0\r\nContent-Length: 3\r\n"),
        ("in other letters", "Content-Length: 3\r\ncontent-length: 2\r\n"),
        ("with others between them", "Content-Length: 3\r\nX: y\r\nContent-Length: 2\r\n"),
        ("in a list and a line", "Content-Length: 3, 3\r\nContent-Length: 2\r\n"),
        ("an empty one", "Content-Length: 3\r\nContent-Length:\r\n"),
    ];
    let server = server();
    for (what, lines) in rows {
        server.refuses(400, what, post(lines, "abc"));
    }
}

#[test]
fn a_length_beside_chunks_is_refused() {
    let rows = [
        ("the length first", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
        ("the chunks first", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
        ("a length of zero", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        ("another coding", "Content-Length: 3\r\nTransfer-Encoding: gzip\r\n"),
        ("the coding that is none", "Content-Length: 3\r\nTransfer-Encoding: identity\r\n"),
    ];
    let server = server();
    for (what, lines) in rows {
        server.refuses(400, what, post(lines, "3\r\nabc\r\n0\r\n\r\n"));
    }
}

#[test]
fn an_unread_body_is_drained() {
    let server = server();
    let rows = ["GET", "FOO", "DELETE", "OPTIONS"];
    for method in rows {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        let exchange = server.exchange(request);
        assert_eq!(exchange.responses.len(), 1, "{method}");
        assert!(exchange.kept, "{method}");
    }
    let exchange = server.exchange(
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(exchange.statuses(), [200, 200]);
}

#[test]
fn bodies_follow_one_another() {
    let server = server();
    let requests = [
        post("Content-Length: 1\r\n", "a"),
        post("", ""),
        post("Content-Length: 2\r\n", "bc"),
        post("Content-Length: 0\r\n", ""),
        post("Content-Length: 3\r\n", "def"),
    ];
    let exchange = server.exchange(requests.concat());
    let bodies: Vec<_> = exchange.responses.iter().map(|response| response.text()).collect();
    assert_eq!(bodies, ["[a]", "[]", "[bc]", "[]", "[def]"]);
    assert!(exchange.kept);
}
