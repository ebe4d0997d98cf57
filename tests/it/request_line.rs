use squall::{Application, Context, Result, get, route};

use crate::wire::Server;

/// `/` is a page; `/seen/…` and `//…` answer with the path and the query as they came.
fn server() -> Server {
    async fn page() -> &'static str {
        "page"
    }
    async fn seen(cx: &mut Context) -> Result {
        cx.write(format!("{} {}", cx.path(), cx.query()))
    }
    Server::start(|| {
        Application::new([
            route("/", get(page)),
            route("/hello", get(page)),
            route("/seen/{*rest}", get(seen)),
            route("//{*rest}", get(seen)),
        ])
    })
}

#[test]
fn a_plain_request_is_answered_with_exactly_these_bytes() {
    let server = server();
    let response = server.serves("a plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let expected = concat!(
        "HTTP/1.1 200 OK\r\n",
        "Server: Squall/0.1.0\r\n",
        "Content-Type: text/plain; charset=UTF-8\r\n",
        "Date:\r\n",
        "Etag: \"f20db1776345c402\"\r\n",
        "Content-Length: 4\r\n",
        "\r\n",
        "page",
    );
    assert_eq!(response.raw, expected);
}

#[test]
fn a_refusal_is_exactly_these_bytes() {
    let server = server();
    let response = server.refuses(400, "junk", "asdf\r\n\r\n");
    let expected = concat!(
        "HTTP/1.1 400 Bad Request\r\n",
        "Server: Squall/0.1.0\r\n",
        "Content-Type: text/html; charset=UTF-8\r\n",
        "Date:\r\n",
        "Content-Length: 73\r\n",
        "Connection: close\r\n",
        "\r\n",
        "<html><title>400: Bad Request</title><body>400: Bad Request</body></html>",
    );
    assert_eq!(response.raw, expected);
}

#[test]
fn a_refusal_is_one_line_of_the_log_with_the_client_and_the_reason() {
    let rows = [
        (400, "asdf\r\n\r\n", "HTTP 400: Bad Request (malformed request line)"),
        (400, "GET / HTTP/1.1\r\n\r\n", "HTTP 400: Bad Request (no Host field)"),
        (
            505,
            "GET / HTTP/2.0\r\n\r\n",
            "HTTP 505: HTTP Version Not Supported (HTTP version not supported)",
        ),
    ];
    for (status, request, reason) in rows {
        let server = server();
        server.refuses(status, reason, request);
        let line = format!("WARN squall::general: rejected request from 127.0.0.1: {reason}");
        assert_eq!(server.log(), [line.clone(), line], "whole, then byte by byte");
    }
}

#[test]
fn a_client_that_connects_and_leaves_is_no_event() {
    let server = server();
    let mut client = server.connect();
    client.finish();
    assert_eq!(client.rest(), b"");
    assert_eq!(server.log(), [""; 0]);
}

#[test]
fn a_few_blank_lines_before_a_request_are_skipped() {
    let server = server();
    for count in 1..=4 {
        let blank = "\r\n".repeat(count);
        let request = format!("{blank}GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        server.serves(&format!("{count} blank lines"), request);
    }
    let many = format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n".repeat(5));
    server.refuses(400, "more than a few blank lines", many);
}

#[test]
fn a_blank_line_between_two_requests_is_skipped() {
    let server = server();
    let exchange = server
        .exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
    assert_eq!(exchange.statuses(), [200, 200]);
    assert!(exchange.kept);
}

#[test]
fn lines_must_end_in_cr_lf() {
    let rows = [
        ("all lines end in LF", "GET / HTTP/1.1\nHost: a\n\n"),
        ("the request line ends in LF", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        ("a header ends in LF", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
        ("a header before others ends in LF", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        ("the blank line is LF", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        ("the request line ends in CR", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        ("the request line ends in CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
        ("a header ends in CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
        ("a blank line of LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a blank line of CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    let server = server();
    for (what, request) in rows {
        server.refuses(400, what, request);
    }
}

#[test]
fn a_request_line_is_method_space_target_space_version() {
    let rows: &[(&str, &[u8])] = &[
        ("no version", b"GET /\r\n"),
        ("nothing but a method", b"GET\r\n"),
        ("nothing but junk", b"asdf\r\n"),
        ("two spaces before the target", b"GET  / HTTP/1.1\r\n"),
        ("two spaces before the version", b"GET /  HTTP/1.1\r\n"),
        ("a space behind the version", b"GET / HTTP/1.1 \r\n"),
        ("a word behind the version", b"GET / HTTP/1.1 x\r\n"),
        ("a tab before the target", b"GET\t/ HTTP/1.1\r\n"),
        ("a tab before the version", b"GET /\tHTTP/1.1\r\n"),
        ("a tab behind the version", b"GET / HTTP/1.1\t\r\n"),
        ("a space before the method", b" GET / HTTP/1.1\r\n"),
        ("an empty target", b"GET  HTTP/1.1\r\n"),
        ("no target", b"GET HTTP/1.1\r\n"),
        ("no method", b"/ HTTP/1.1\r\n"),
        ("a space in the target", b"GET /a b HTTP/1.1\r\n"),
        ("a method with a comma", b"FOO,BAR / HTTP/1.1\r\n"),
        ("a method with a colon", b"GET: / HTTP/1.1\r\n"),
        ("a method in quotes", b"\"GET\" / HTTP/1.1\r\n"),
        ("a method outside ASCII", b"G\xc3\x89T / HTTP/1.1\r\n"),
        ("a method with a NUL", b"GE\0T / HTTP/1.1\r\n"),
        ("a control byte in the target", b"GET /\x01 HTTP/1.1\r\n"),
        ("a NUL in the target", b"GET /\0 HTTP/1.1\r\n"),
        ("a DEL in the target", b"GET /\x7f HTTP/1.1\r\n"),
        ("a vertical tab in the target", b"GET /\x0b HTTP/1.1\r\n"),
    ];
    let server = server();
    for (what, line) in rows {
        server.refuses(400, what, [line, &b"Host: a\r\n\r\n"[..]].concat());
    }
}

#[test]
fn a_version_is_written_in_one_way() {
    let rows = [
        ("small letters", "http/1.1"),
        ("a capital among small letters", "Http/1.1"),
        ("no minor version", "HTTP/1"),
        ("an empty minor version", "HTTP/1."),
        ("no point", "HTTP/11"),
        ("two digits", "HTTP/1.10"),
        ("a leading zero", "HTTP/01.1"),
        ("a comma", "HTTP/1,1"),
        ("a space inside", "HTTP/ 1.1"),
        ("no slash", "HTTP1.1"),
        ("letters for digits", "HTTP/a.b"),
        ("another protocol", "ICAP/1.0"),
        ("another protocol with the same digits", "RTSP/1.1"),
        ("a sign", "HTTP/+1.1"),
    ];
    let server = server();
    for (what, version) in rows {
        server.refuses(400, what, format!("GET / {version}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn a_later_minor_version_is_served_as_1_1() {
    let server = server();
    for version in ["1.1", "1.2", "1.9"] {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
        let response = server.serves(version, request);
        assert_eq!(response.header("connection"), None, "{version}");
    }
}

#[test]
fn http_1_0_is_served_and_then_closed() {
    let server = server();
    let exchange = server.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(exchange.statuses(), [200]);
    assert!(!exchange.kept);
}

#[test]
fn another_major_version_is_answered_with_505() {
    let server = server();
    for version in ["0.9", "0.0", "2.0", "2.1", "3.0", "9.9"] {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
        server.refuses(505, version, request);
    }
    server.refuses(505, "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

#[test]
fn input_that_is_not_http_is_refused_at_once() {
    let rows: &[(&str, &[u8])] = &[
        ("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("an old TLS handshake", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"),
        ("zeros", &[0; 16]),
        ("a byte order mark", b"\xef\xbb\xbfGET / HTTP/1.1\r\n"),
        ("an SSH greeting", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("a header without a request", b"Host: a\r\n"),
    ];
    let server = server();
    for (what, bytes) in rows {
        // Nothing follows that would make it a whole head.
        let mut client = server.connect();
        client.send(bytes);
        let responses = client.responses();
        assert_eq!(responses.len(), 1, "{what}");
        assert_eq!(responses[0].status, 400, "{what}");
    }
}

#[test]
fn a_path_reaches_the_handler_as_it_was_sent() {
    let rows = [
        "/seen/a//b",
        "/seen/a/../b/./c",
        "/seen/%2F%2f%41",
        "/seen/a+b",
        "/seen/a;b=c,d",
        "/seen/a:b@c!$&'()*",
        "/seen/100%",
        "/seen/%zz",
        "/seen/\u{e9}",
        "/seen/\"<>\\^`{|}",
        "//a",
        "//a//b",
    ];
    let server = server();
    for path in rows {
        let response = server.serves(path, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.text(), format!("{path} "));
    }
}

#[test]
fn a_target_outside_ascii_is_utf8_or_iso_8859_1() {
    let server = server();
    let exchange = server.exchange(b"GET /elsewhere/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [404]);
    assert!(exchange.kept);
    let latin1 = b"GET /seen/\xe9 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(server.serves("a byte that is not UTF-8", latin1).text(), "/seen/\u{e9} ");
}

#[test]
fn the_query_follows_the_first_question_mark() {
    let rows = [
        ("/seen/a?", "/seen/a "),
        ("/seen/a?b", "/seen/a b"),
        ("/seen/a?b?c", "/seen/a b?c"),
        ("/seen/a?b/c", "/seen/a b/c"),
        ("/seen/a%3Fb?c", "/seen/a%3Fb c"),
        ("/seen/a??", "/seen/a ?"),
    ];
    let server = server();
    for (target, seen) in rows {
        let response = server.serves(target, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.text(), seen, "{target}");
    }
}

#[test]
fn an_unnecessary_escape_finds_the_same_route() {
    let server = server();
    for path in ["/hello", "/%68ello", "/h%65l%6Co", "/%68%65%6c%6c%6f"] {
        let response = server.serves(path, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.text(), "page", "{path}");
    }
    let exchange = server.exchange("GET /hello%2F HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [404], "an escaped slash is no slash");
}

#[test]
fn an_absolute_target_is_served_as_its_path() {
    let rows = [
        ("http://b/seen/x?q", "/seen/x q"),
        ("HTTP://b/seen/x", "/seen/x "),
        ("https://b:8443/seen/x", "/seen/x "),
        ("http://[::1]:80/seen/x", "/seen/x "),
        ("http://b:/seen/x", "/seen/x "),
        ("http://b", "page"),
        ("http://b/", "page"),
        ("http://b?q", "page"),
    ];
    let server = server();
    for (target, seen) in rows {
        let response = server.serves(target, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.text(), seen, "{target}");
    }
}

#[test]
fn a_target_in_no_form_is_refused() {
    let rows = [
        ("a path without a slash", "GET hello"),
        ("a query alone", "GET ?a=b"),
        ("an asterisk for a method other than OPTIONS", "GET *"),
        ("more than an asterisk", "OPTIONS *x"),
        ("an authority for a method other than CONNECT", "GET a:80"),
        ("another scheme", "GET ftp://a/"),
        ("a scheme without an authority", "GET http:///hello"),
        ("a scheme with one slash", "GET http:/hello"),
        ("an authority with a user", "GET http://user@a/hello"),
        ("an authority with a user and a password", "GET http://user:pass@a/hello"),
        ("an authority with a port that is none", "GET http://a:b/hello"),
        ("an authority with a port above all", "GET http://a:65536/hello"),
        ("an authority with an open bracket", "GET http://[::1/hello"),
        ("a fragment behind a path", "GET /hello#there"),
        ("a fragment behind a query", "GET /hello?a#there"),
        ("a fragment behind an authority", "GET http://a#there"),
        ("a path for CONNECT", "CONNECT /hello"),
        ("an absolute target for CONNECT", "CONNECT http://a:80/"),
        ("an authority without a port for CONNECT", "CONNECT a"),
    ];
    let server = server();
    for (what, line) in rows {
        server.refuses(400, what, format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn options_star_is_answered() {
    let server = server();
    let exchange = server.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [204]);
    assert_eq!(exchange.only().header("content-length"), None);
    assert!(exchange.kept);
}

#[test]
fn connect_is_not_allowed() {
    let server = server();
    for target in ["a:80", "127.0.0.1:443", "[::1]:443"] {
        let exchange = server.exchange(format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.statuses(), [405], "{target}");
        assert_eq!(exchange.only().header("allow"), Some(""), "no method is allowed on {target}");
        assert!(exchange.kept, "{target}");
    }
}

#[test]
fn an_unknown_method_gets_a_405_with_the_known_methods() {
    let server = server();
    for method in ["FOO", "get", "Get", "M-SEARCH", "!#$%&'*+-.^_`|~09az", "PRI", "TRACE"] {
        let exchange = server.exchange(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.statuses(), [405], "{method}");
        assert_eq!(exchange.only().header("allow"), Some("GET, HEAD, OPTIONS"), "{method}");
        assert!(exchange.kept, "{method}");
    }
}
