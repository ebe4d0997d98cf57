//! Methods, targets, versions.

use super::*;

/// A request line with the fields that its version needs.
fn head(line: impl AsRef<[u8]>) -> Vec<u8> {
    [line.as_ref(), b"\r\nHost: a\r\n\r\n"].concat()
}

#[test]
fn an_ordinary_request() {
    let parsed = parse("GET /plain?a=1&b=2 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\n\r\n").unwrap();
    assert_eq!(parsed.head.method, Method::GET);
    assert_eq!(parsed.head.version, Version::Http11);
    assert_eq!(parsed.text(parsed.head.target), "/plain?a=1&b=2");
    assert_eq!(parsed.path(), "/plain");
    assert_eq!(parsed.query().as_deref(), Some("a=1&b=2"));
    assert_eq!(parsed.authority().as_deref(), Some("a:80"));
    let lines = [("Host", "a:80"), ("Accept", "*/*")];
    assert_eq!(parsed.lines(), lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(parsed.head.framing, Framing::None);
    assert!(parsed.head.keep_alive);
}

#[test]
fn any_token_is_a_method() {
    for method in [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "FOO",
        "get",
        "G",
        "GETT",
        "PO",
        "!#$%&'*+-.^_`|~09azAZ",
        "AMETHODTHATISNOTSHORTATALL",
    ] {
        let parsed = parse(head(format!("{method} / HTTP/1.1"))).unwrap();
        assert_eq!(parsed.head.method.as_str(), method);
    }
}

#[test]
fn other_methods_are_refused() {
    for method in ["FOO,BAR", "G(T", "G\"T", "G/T", "G:T", "G\u{e9}T", "G\tT", "GET\0", "<", "{}"] {
        refused(method, head(format!("{method} / HTTP/1.1")), 400);
    }
}

#[test]
fn a_request_line_has_three_parts_and_two_spaces() {
    let lines = [
        ("no version", "GET /"),
        ("no version but a space", "GET / "),
        ("junk", "asdf"),
        ("nothing but a version", "HTTP/1.1"),
        ("no target", "GET HTTP/1.1"),
        ("an empty target", "GET  HTTP/1.1"),
        ("an empty target of another method", "PUT  HTTP/1.1"),
        ("an empty path with a query", "GET ?a HTTP/1.1"),
        ("two spaces before the target", "GET  / HTTP/1.1"),
        ("two spaces after the target", "GET /  HTTP/1.1"),
        ("a space at the end", "GET / HTTP/1.1 "),
        ("a space at the beginning", " GET / HTTP/1.1"),
        ("a tab between the parts", "GET\t/ HTTP/1.1"),
        ("a tab before the version", "GET /\tHTTP/1.1"),
        ("a tab at the end", "GET / HTTP/1.1\t"),
        ("a fourth part", "GET / b HTTP/1.1"),
        ("a vertical tab", "GET /\x0b HTTP/1.1"),
    ];
    for (what, line) in lines {
        refused(what, head(line), 400);
    }
}

#[test]
fn lines_end_in_cr_lf_only() {
    let heads = [
        ("LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        ("LF after a field", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n"),
        ("LF as the blank line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        ("LF everywhere", "GET / HTTP/1.1\nHost: a\n\n"),
        ("LF after the last field and the blank line", "GET / HTTP/1.1\r\nHost: a\n\n"),
        ("LF after an empty value", "GET / HTTP/1.1\r\nHost:\n\r\n"),
        ("CR without LF after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        ("CR without LF after a field", "GET / HTTP/1.1\r\nHost: a\rB: c\r\n\r\n"),
        ("CR without LF as the blank line", "GET / HTTP/1.1\r\nHost: a\r\n\rB: c\r\n\r\n"),
        ("two CRs", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
        ("two CRs after a field", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
        ("LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r"),
        ("LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    for (what, head) in heads {
        refused(what, head, 400);
    }
}

#[test]
fn a_few_blank_lines_before_a_request_are_skipped() {
    for count in 0..=4 {
        let parsed = parse("\r\n".repeat(count) + "GET /x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(parsed.path(), "/x", "after {count} blank lines");
    }
    refused("five", "\r\n".repeat(5) + "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

#[test]
fn versions() {
    for (version, expected) in [
        ("HTTP/1.0", Version::Http10),
        ("HTTP/1.1", Version::Http11),
        ("HTTP/1.2", Version::Http11),
        ("HTTP/1.9", Version::Http11),
    ] {
        let parsed = parse(head(format!("GET /a HTTP{}", &version[4..]))).unwrap();
        assert_eq!(parsed.head.version, expected, "{version}");
        assert_eq!(parsed.path(), "/a");
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/0.0", "HTTP/9.9"] {
        refused(version, head(format!("GET / {version}")), 505);
    }
    refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    for version in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1,1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/+1.1",
        "HTTP/1.1x",
        "HTTP /1.1",
        "HTTPS/1.1",
        "HTTP/",
        "H",
        "1.1",
        "HTTP/2",
        "HTTP/a.b",
    ] {
        refused(version, head(format!("GET / {version}")), 400);
    }
}

#[test]
fn paths_are_not_normalised() {
    for path in [
        "/",
        "/a",
        "//a",
        "/double//slash",
        "/a/../b",
        "/%68ello",
        "/a%2Fb",
        "/a;b=c",
        "/a=b&c",
        "/:80",
        "/@",
        "/\"<>\\^`{|}",
        "/*",
        "/http://b/",
    ] {
        let parsed = parse(head(format!("GET {path} HTTP/1.1"))).unwrap();
        assert_eq!(parsed.path(), path);
        assert_eq!(parsed.query(), None, "{path}");
        assert_eq!(parsed.authority().as_deref(), Some("a"), "{path}");
    }
}

#[test]
fn a_target_may_have_bytes_above_ascii() {
    let parsed = parse(head("GET /caf\u{e9}?\u{e9} HTTP/1.1")).unwrap();
    assert_eq!((parsed.path(), parsed.query()), ("/caf\u{e9}".into(), Some("\u{e9}".into())));
    let above: Vec<u8> = (0x80..=0xff).collect();
    let target = [b"/".as_slice(), &above, b"~?", &above, b"~"].concat();
    let parsed = parse(head([b"GET ", target.as_slice(), b" HTTP/1.1"].concat())).unwrap();
    assert_eq!(parsed.head.target.of(&parsed.bytes), target);
    assert_eq!(parsed.head.path.of(&parsed.bytes), [b"/".as_slice(), &above, b"~"].concat());
}

#[test]
fn a_target_may_not_have_control_bytes() {
    for byte in (0..=0x20).chain([0x7f]) {
        let byte = char::from(byte);
        refused("in the path", head(format!("GET /a{byte}b HTTP/1.1")), 400);
        refused("in the query", head(format!("GET /a?{byte}b HTTP/1.1")), 400);
    }
}

#[test]
fn the_query_begins_at_the_first_question_mark() {
    for (target, path, query) in [
        ("/?", "/", Some("")),
        ("/a?b", "/a", Some("b")),
        ("/a?b?c?", "/a", Some("b?c?")),
        ("/a??", "/a", Some("?")),
        ("/a%3Fb", "/a%3Fb", None),
        ("/a?/b", "/a", Some("/b")),
    ] {
        let parsed = parse(head(format!("GET {target} HTTP/1.1"))).unwrap();
        assert_eq!(parsed.path(), path, "{target}");
        assert_eq!(parsed.query().as_deref(), query, "{target}");
    }
}

#[test]
fn a_fragment_is_refused() {
    for target in ["/#", "/a#b", "/a?b#c", "/#?a", "#", "http://a/#b", "http://a#b"] {
        refused(target, head(format!("GET {target} HTTP/1.1")), 400);
    }
}

#[test]
fn an_absolute_target_has_its_own_authority() {
    for (target, authority, path, query) in [
        ("http://b/echo", "b", "/echo", None),
        ("http://b:8080/echo?x", "b:8080", "/echo", Some("x")),
        ("HTTP://b/", "b", "/", None),
        ("https://b/a//b", "b", "/a//b", None),
        ("http://b", "b", "/", None),
        ("http://b?x=1", "b", "/", Some("x=1")),
        ("http://[::1]:80/", "[::1]:80", "/", None),
        ("http://b/http://c/", "b", "/http://c/", None),
        ("http://b?http://c/", "b", "/", Some("http://c/")),
    ] {
        let parsed = parse(head(format!("GET {target} HTTP/1.1"))).unwrap();
        assert_eq!(parsed.text(parsed.head.target), target);
        assert_eq!(parsed.authority().as_deref(), Some(authority), "{target}");
        assert_eq!(parsed.path(), path, "{target}");
        assert_eq!(parsed.query().as_deref(), query, "{target}");
    }
    // It does not replace `Host`, which HTTP/1.1 still requires.
    refused("without Host", "GET http://b/ HTTP/1.1\r\n\r\n", 400);
}

#[test]
fn other_targets_are_refused() {
    for target in [
        "a",
        "a/b",
        "a:80",
        "ftp://b/",
        "http:/b",
        "http:b",
        "http://",
        "http:///a",
        "http://b c/",
        "http://u@b/",
        "http://u:p@b/",
        "http://b:x/",
        "http://b:99999/",
        "http://b,c/",
        "http://[::1/",
        "://b/",
        "*",
        "*a",
        "\\a",
        ".",
        "?",
    ] {
        refused(target, head(format!("GET {target} HTTP/1.1")), 400);
    }
}

#[test]
fn an_asterisk_is_for_options() {
    let parsed = parse(head("OPTIONS * HTTP/1.1")).unwrap();
    assert_eq!((parsed.path().as_str(), parsed.query()), ("*", None));
    refused("with a query", head("OPTIONS *?a HTTP/1.1"), 400);
    refused("two", head("OPTIONS ** HTTP/1.1"), 400);
    assert_eq!(parse(head("OPTIONS /a HTTP/1.1")).unwrap().path(), "/a");
}

#[test]
fn only_connect_has_an_authority_as_its_target() {
    let parsed = parse(head("CONNECT b:443 HTTP/1.1")).unwrap();
    assert_eq!(parsed.head.method, Method::CONNECT);
    assert_eq!((parsed.path().as_str(), parsed.authority().as_deref()), ("b:443", Some("b:443")));
    assert!(parse(head("CONNECT [::1]:443 HTTP/1.1")).is_ok());
    for target in
        ["/", "b", "b:", ":80", "[::1]", "http://b:80/", "b:80/", "b:80?a", "*", "b:x", "/b:80"]
    {
        refused(target, head(format!("CONNECT {target} HTTP/1.1")), 400);
    }
}

#[test]
fn a_target_over_the_limit_is_414() {
    let target = |length| "/".repeat(length);
    let limit = LIMITS.max_target;
    assert!(parse(head(format!("GET {} HTTP/1.1", target(limit)))).is_ok());
    refused("one more", head(format!("GET {} HTTP/1.1", target(limit + 1))), 414);
    refused("with its query", head(format!("GET /?{} HTTP/1.1", target(limit))), 414);
}
