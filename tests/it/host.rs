use squall::{Application, Context, Result, get, route};

use crate::wire::Server;

/// Answers with the host as the handler sees it.
fn server() -> Server {
    async fn host(cx: &mut Context) -> Result {
        cx.write(cx.host())
    }
    Server::start(|| Application::new([route("/", get(host))]))
}

#[test]
fn a_valid_host_reaches_the_handler_as_it_was_sent() {
    let server = server();
    let hosts = [
        "example.com",
        "EXAMPLE.com:8080",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "a_name-with.all~marks!$&'()*+;=",
        "percent%2dencoded",
        "example.com:",
        "example.com:65535",
        "",
    ];
    for host in hosts {
        let response = server.serves(host, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(response.text(), host);
    }
}

#[test]
fn an_invalid_host_is_refused() {
    let rows: &[(&str, &[u8])] = &[
        ("a space", b"a b"),
        ("a tab", b"a\tb"),
        ("a slash", b"a/b"),
        ("a backslash", b"a\\b"),
        ("a user", b"user@a"),
        ("a question mark", b"a?b"),
        ("a number sign", b"a#b"),
        ("a list", b"a,b"),
        ("a list of the same", b"a, a"),
        ("a URL", b"http://a"),
        ("a quote", b"\"a\""),
        ("angle brackets", b"<a>"),
        ("a byte outside ASCII", b"caf\xc3\xa9"),
        ("a bad escape", b"a%zz"),
        ("a port that is no number", b"a:b"),
        ("a port with a sign", b"a:+80"),
        ("a port above all", b"a:65536"),
        ("two ports", b"a:80:80"),
        ("a port alone", b":80"),
        ("IPv6 without brackets", b"::1"),
        ("IPv6 with an open bracket", b"[::1"),
        ("no address in brackets", b"[a]"),
        ("nothing in brackets", b"[]"),
        ("text behind brackets", b"[::1]a"),
    ];
    let server = server();
    for (what, host) in rows {
        for version in ["1.1", "1.0"] {
            let mut request = format!("GET / HTTP/{version}\r\nHost: ").into_bytes();
            request.extend_from_slice(host);
            request.extend_from_slice(b"\r\n\r\n");
            server.refuses(400, what, request);
        }
    }
}

#[test]
fn there_is_exactly_one_host() {
    let rows = [
        ("none", "GET / HTTP/1.1\r\n\r\n"),
        ("none, for an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n"),
        ("none, for the server as a whole", "OPTIONS * HTTP/1.1\r\n\r\n"),
        ("two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("two of the same", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("two in other letters", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: a\r\n\r\n"),
        ("an empty one and another", "GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"),
        ("two, for an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("two under HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    ];
    let server = server();
    for (what, request) in rows {
        server.refuses(400, what, request);
    }
}

#[test]
fn http_1_0_needs_no_host() {
    let server = server();
    let exchange = server.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(exchange.statuses(), [200]);
    assert_eq!(exchange.only().text(), "");
}

#[test]
fn the_authority_of_an_absolute_target_is_the_host() {
    let rows = [
        ("another host than the header's", "http://b/", "a", "b"),
        ("with a port", "http://b:81/", "a:80", "b:81"),
        ("an empty header", "http://b/", "", "b"),
    ];
    let server = server();
    for (what, target, header, host) in rows {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {header}\r\n\r\n");
        assert_eq!(server.serves(what, request).text(), host, "{what}");
    }
    let bad = "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n";
    server.refuses(400, "a header that is no host, beside an absolute target", bad);
}
