use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use squall::testing::TestClient;
use squall::{Application, Context, HTTPServer, Result, Text, get, post, route, sleep};

use crate::wire::Server;

/// Answers with the values of the headers called `X`, in order, each in parentheses.
async fn values(cx: &mut Context) -> Result {
    let values = cx.headers().get_all("x").iter();
    let shown: Vec<_> = values.map(|value| [b"(", value.as_bytes(), b")"].concat()).collect();
    cx.write(shown.concat())
}

/// Answers with the first header called `X`, as text.
async fn first(cx: &mut Context) -> Result {
    cx.write(cx.header("x").unwrap_or_default())
}

fn application() -> Application {
    Application::new([route("/", get(values)), route("/first", get(first))])
}

fn request(lines: &[u8]) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: a\r\n", lines, b"\r\n"].concat()
}

#[test]
fn a_line_that_is_not_a_header_is_refused() {
    let rows: &[(&str, &[u8])] = &[
        ("no colon", b"X\r\n"),
        ("an empty name", b": x\r\n"),
        ("a space before the colon", b"X : x\r\n"),
        ("a tab before the colon", b"X\t: x\r\n"),
        ("a space in the name", b"X Y: x\r\n"),
        ("a name outside ASCII", b"X\xc3\xa9: x\r\n"),
        ("a NUL in the name", b"X\0: x\r\n"),
        ("a control byte in the name", b"X\x01: x\r\n"),
        ("a DEL in the name", b"X\x7f: x\r\n"),
        ("a slash in the name", b"X/Y: x\r\n"),
        ("a comma in the name", b"X,Y: x\r\n"),
        ("parentheses in the name", b"X(Y): x\r\n"),
        ("a quoted name", b"\"X\": x\r\n"),
        ("an at sign in the name", b"X@Y: x\r\n"),
        ("a bracket in the name", b"X[0]: x\r\n"),
    ];
    let server = Server::start(application);
    for (what, line) in rows {
        server.refuses(400, what, request(line));
    }
}

#[test]
fn a_folded_line_is_refused() {
    let rows: &[(&str, &[u8])] = &[
        ("a line that begins with a space", b"X: a\r\n b\r\n"),
        ("a line that begins with a tab", b"X: a\r\n\tb\r\n"),
        ("a line of a space alone", b"X: a\r\n \r\n"),
        ("a line that begins with a form feed", b"X: a\r\n\x0cb\r\n"),
        ("a line that begins with a vertical tab", b"X: a\r\n\x0bb\r\n"),
        ("a line that begins with a non-breaking space", b"X: a\r\n\xc2\xa0b\r\n"),
        ("a header behind a space", b"X: a\r\n Y: b\r\n"),
    ];
    let server = Server::start(application);
    for (what, lines) in rows {
        server.refuses(400, what, request(lines));
    }
    let first = "GET / HTTP/1.1\r\n Host: a\r\n\r\n";
    server.refuses(400, "the first line begins with a space", first);
    let first = "GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n";
    server.refuses(400, "the first line begins with a tab", first);
}

#[test]
fn a_control_byte_in_a_value_is_refused() {
    let server = Server::start(application);
    for byte in (0..=0x1f).chain([0x7f]).filter(|&byte| byte != b'\t') {
        let what = format!("the byte {byte:#04x}");
        server.refuses(
            400,
            &format!("{what} in a value"),
            request(&[b"X: a", &[byte][..], b"b\r\n"].concat()),
        );
        server.refuses(
            400,
            &format!("{what} alone"),
            request(&[b"X: ", &[byte][..], b"\r\n"].concat()),
        );
    }
}

#[test]
fn a_value_may_contain_any_other_byte() {
    let server = Server::start(application);
    for byte in (b' '..=0xff).filter(|&byte| byte != 0x7f).chain([b'\t']) {
        let value = [b'a', byte, b'b'];
        let response = server.serves(
            &format!("the byte {byte:#04x}"),
            request(&[b"X: ", &value[..], b"\r\n"].concat()),
        );
        assert_eq!(response.body, [b"(", &value[..], b")"].concat());
    }
}

#[test]
fn spaces_and_tabs_around_a_value_are_not_part_of_it() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"X:a\r\n", b"(a)"),
        (b"X: a\r\n", b"(a)"),
        (b"X:  \t a \t \r\n", b"(a)"),
        (b"X: a b\r\n", b"(a b)"),
        (b"X: a\t b\r\n", b"(a\t b)"),
        (b"X:\r\n", b"()"),
        (b"X: \r\n", b"()"),
        (b"X:\t \t\r\n", b"()"),
        (b"X: a:b\r\n", b"(a:b)"),
        (b"X::\r\n", b"(:)"),
    ];
    let server = Server::start(application);
    for (line, seen) in rows {
        let shown = String::from_utf8_lossy(line);
        assert_eq!(&server.serves(&shown, request(line)).body, seen, "{shown:?}");
    }
}

#[test]
fn the_white_space_of_unicode_is_part_of_a_value() {
    let rows = [
        ("next line", "\u{85}"),
        ("line separator", "\u{2028}"),
        ("paragraph separator", "\u{2029}"),
        ("non-breaking space", "\u{a0}"),
        ("ideographic space", "\u{3000}"),
    ];
    let server = Server::start(application);
    for (what, space) in rows {
        for value in [format!("{space}a"), format!("a{space}"), format!("a{space}b")] {
            let line = format!("X: {value}\r\n");
            let response = server.serves(what, request(line.as_bytes()));
            assert_eq!(response.text(), format!("({value})"), "{what}");
        }
    }
}

#[test]
fn a_value_that_is_not_utf8_reads_as_iso_8859_1() {
    let server = Server::start(application);
    let request = b"GET /first HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\n\r\n";
    assert_eq!(server.serves("ISO-8859-1", request).text(), "caf\u{e9}");
    let request = b"GET /first HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\r\n\r\n";
    assert_eq!(server.serves("UTF-8", request).text(), "caf\u{e9}");
}

#[test]
fn repeated_headers_keep_their_order_whatever_the_letters() {
    let server = Server::start(application);
    let response = server.serves("three", request(b"X: 1\r\nY: 2\r\nx: 3\r\nZ: 4\r\nX: 5, 6\r\n"));
    assert_eq!(response.text(), "(1)(3)(5, 6)");
    let first = "GET /first HTTP/1.1\r\nHost: a\r\nx: 1\r\nX: 2\r\n\r\n";
    assert_eq!(server.serves("the first of two", first).text(), "1");
}

#[test]
fn any_token_is_a_name() {
    let server = Server::start(application);
    server.serves("all marks", request(b"!#$%&'*+-.^_`|~09azAZ: x\r\n"));
    server.serves("digits", request(b"0: x\r\n"));
    server.serves("one letter and no value", request(b"Y:\r\n"));
}

/// The time for it must not grow faster than the number of headers: with the square of it,
/// this would not end within the time that the client waits.
#[test]
fn tens_of_thousands_of_headers_are_served_where_the_limits_allow_them() {
    const COUNT: usize = 50_000;
    let server = Server::with(|| {
        HTTPServer::new(application()).max_header_count(COUNT + 1).max_header_size(1 << 20)
    });
    let lines = "X: a\r\n".repeat(COUNT);
    let mut client = server.connect();
    client.send(request(lines.as_bytes()));
    assert_eq!(client.response().body.len(), 3 * COUNT);
}

/// The head is in a buffer that the body needs.
#[test]
fn a_head_can_be_read_after_the_body() {
    async fn after(cx: &mut Context) -> Result {
        let mut body = cx.body();
        let mut count = 0;
        while let Some(piece) = body.next().await {
            count += piece?.len();
        }
        cx.write(format!("{count} {} {} ", cx.path(), cx.query()))?;
        cx.write(cx.header("x").unwrap_or_default())
    }
    let server = Server::start(|| {
        Application::new([
            route("/buffered", post(after)),
            route("/streamed", post(after)).stream_request_body(),
        ])
    });
    for path in ["/buffered", "/streamed"] {
        for header in [10, 10_000] {
            for body in [10, 10_000, 300_000] {
                let (value, data) = ("v".repeat(header), "d".repeat(body));
                let request = format!(
                    "POST {path}?q HTTP/1.1\r\nHost: a\r\nContent-Length: {body}\r\nX: {value}\r\n\r\n{data}"
                );
                let response = server.serves("a head and a body", request);
                assert_eq!(response.text(), format!("{body} {path} q {value}"));
            }
        }
    }
}

/// Where many handlers wait, their connections give back what memory they can.
#[test]
fn a_head_stays_as_it_was_while_the_handler_waits() {
    async fn later(cx: &mut Context) -> Result {
        let before = cx.header("x").unwrap_or_default();
        sleep(Duration::from_secs(10)).await;
        let after = cx.header("x").unwrap_or_default();
        cx.write(format!("{before} {after} {}!", cx.path()))
    }
    let client = TestClient::new(Application::new([route("/{number}", get(later))]));
    let mut connections: Vec<_> = (0..200).map(|_| client.connect()).collect();
    for (number, connection) in connections.iter_mut().enumerate() {
        connection.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\nX: v{number}\r\n\r\n"));
    }
    for (number, connection) in connections.iter_mut().enumerate() {
        let response = connection.receive_until("!");
        let seen = format!("\r\n\r\nv{number} v{number} /{number}!");
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.ends_with(&seen), "{response}");
    }
}

#[test]
fn parts_of_a_head_that_a_handler_keeps_do_not_change() {
    let server = Server::start(|| {
        let kept: Rc<RefCell<Vec<Text>>> = Rc::default();
        let keep = async move |cx: &mut Context| {
            kept.borrow_mut().extend([cx.path(), cx.header("x").unwrap_or_default()]);
            let kept = kept.borrow().iter().map(|text| format!("{text} ")).collect::<String>();
            cx.write(kept)
        };
        Application::new([route("/{*path}", get(keep))])
    });
    let mut client = server.connect();
    let mut expected = String::new();
    for number in 0..20 {
        let value = format!("{number}").repeat(number * 20);
        client.send_slowly(format!("GET /{number} HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n"));
        expected.push_str(&format!("/{number} {value} "));
        assert_eq!(client.response().text(), expected);
    }
}
