//! What the fields mean for the body and the connection.

use super::*;

#[track_caller]
fn framing(lines: &str) -> Framing {
    parse_lines(lines).unwrap().head.framing
}

#[track_caller]
fn refused_lines(lines: &str, status: u16) {
    refused(lines, format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"), status);
}

#[test]
fn without_a_length_there_is_no_body() {
    assert_eq!(framing("A: b"), Framing::None);
}

#[test]
fn a_length_is_digits() {
    for (value, length) in [("0", 0), ("3", 3), ("003", 3), ("18446744073709551615", u64::MAX)] {
        assert_eq!(framing(&format!("Content-Length: {value}")), Framing::Length(length));
    }
    assert_eq!(framing("content-LENGTH:3"), Framing::Length(3));
    let zeros = "0".repeat(100);
    assert_eq!(framing(&format!("Content-Length: {zeros}7")), Framing::Length(7));
    for value in [
        "",
        "+3",
        "-1",
        "-0",
        "1_0",
        "0x3",
        "3.0",
        "3 3",
        "foo",
        "3a",
        "\u{b2}",
        "3\u{a0}",
        "2\u{ff}",
        "\"3\"",
        "3;",
        "1e3",
        "18446744073709551616",
        "99999999999999999999",
        "123456789012345678901234567890",
        "3\t3",
    ] {
        refused_lines(&format!("Content-Length: {value}"), 400);
    }
}

#[test]
fn equal_lengths_count_as_one() {
    for lines in [
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: 3,3 ,\t3",
        "Content-Length: 3\r\nA: b\r\ncontent-length: 03, 3",
    ] {
        assert_eq!(framing(lines), Framing::Length(3), "{lines}");
    }
    for lines in [
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 3",
        "Content-Length: 3, 4",
        "Content-Length: 3,",
        "Content-Length: ,3",
        "Content-Length: 3,,3",
        "Content-Length: 3\r\nContent-Length:",
        "Content-Length:\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 3, 4",
        "Content-Length: 0\r\nContent-Length: 3",
        "Content-Length: 18446744073709551616\r\nContent-Length: 0",
    ] {
        refused_lines(lines, 400);
    }
}

#[test]
fn chunked_in_any_case_is_chunked() {
    for value in ["chunked", "Chunked", "CHUNKED", " \tchunked\t "] {
        assert_eq!(framing(&format!("Transfer-Encoding:{value}")), Framing::Chunked);
    }
    assert_eq!(framing("tRANSFER-eNCODING: chunked"), Framing::Chunked);
    assert_eq!(framing("Transfer_Encoding: chunked"), Framing::None);
}

#[test]
fn other_transfer_codings_are_not_implemented() {
    for lines in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: gzip;q=1",
    ] {
        refused_lines(lines, 501);
    }
}

#[test]
fn an_ambiguous_transfer_encoding_is_refused() {
    for lines in [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: chunked ;",
        "Transfer-Encoding: chunked a",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked\u{a0}",
        "Transfer-Encoding: \u{a0}chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: chunk\x0bed",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding\r\n: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chunked\r\n , identity",
        "A: b\nTransfer-Encoding: chunked",
        "A: b\rTransfer-Encoding: chunked",
        "A: b\0\r\nTransfer-Encoding: chunked",
    ] {
        refused_lines(lines, 400);
    }
}

#[test]
fn chunks_and_a_length_together_are_refused() {
    for lines in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: identity\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nContent-Length:",
        "Transfer-Encoding: xchunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked, identity",
        "Content-Length: 3\r\nTransfer-Encoding: ",
    ] {
        refused_lines(lines, 400);
    }
}

#[test]
fn http10_has_no_transfer_encoding() {
    let head = |lines: &str| format!("POST / HTTP/1.0\r\n{lines}\r\n\r\n");
    refused("chunked", head("Transfer-Encoding: chunked"), 400);
    refused("another", head("Transfer-Encoding: gzip"), 400);
    assert_eq!(parse(head("Content-Length: 3")).unwrap().head.framing, Framing::Length(3));
    let later = parse("POST / HTTP/1.2\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    assert_eq!(later.head.framing, Framing::Chunked);
}

#[test]
fn the_connection_is_kept_by_version_and_options() {
    for (version, lines, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: close, foo\r\n", false),
        ("1.1", "Connection: foo,\tClose\r\n", false),
        ("1.1", "Connection: foo\r\nConnection: close\r\n", false),
        ("1.1", "Connection: close, other\r\n", false),
        ("1.0", "Connection: keep-alive, tenletters\r\n", true),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: closed\r\n", true),
        ("1.1", "Connection: not close\r\n", true),
        ("1.1", "Connection:\r\n", true),
        ("1.1", "Connection: , ,\r\n", true),
        ("1.1", "Proxy-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: foo, keep-ALIVE\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Connection: close\r\n", false),
        ("1.0", "Connection: keepalive\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
        ("1.2", "", true),
    ] {
        let parsed = parse(format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n")).unwrap();
        assert_eq!(parsed.head.keep_alive, kept, "HTTP/{version} {lines}");
    }
}

#[test]
fn an_upgrade_is_offered_by_two_fields() {
    for (version, lines, offered) in [
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
        ("1.1", "Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n", true),
        ("1.1", "Connection: upgrade, sevenup\r\nUpgrade: websocket\r\n", true),
        ("1.1", "Upgrade: websocket\r\n", false),
        ("1.1", "Connection: Upgrade\r\n", false),
        ("1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false),
    ] {
        let parsed = parse(format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n")).unwrap();
        assert_eq!(parsed.head.upgrade, offered, "HTTP/{version} {lines}");
    }
}

#[test]
fn expectations() {
    for (version, lines, expect) in [
        ("1.1", "Content-Length: 3\r\n", Expect::None),
        ("1.1", "Content-Length: 3\r\nExpect: 100-continue\r\n", Expect::Continue),
        ("1.1", "Content-Length: 3\r\nExpect: 100-Continue\r\n", Expect::Continue),
        ("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", Expect::Continue),
        (
            "1.1",
            "Content-Length: 3\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n",
            Expect::Continue,
        ),
        // There is no body to continue with.
        ("1.1", "Expect: 100-continue\r\n", Expect::None),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", Expect::None),
        ("1.1", "Content-Length: 3\r\nExpect:\r\n", Expect::None),
        ("1.1", "Content-Length: 3\r\nExpect: foo\r\n", Expect::Unknown),
        ("1.1", "Expect: foo\r\n", Expect::Unknown),
        ("1.1", "Content-Length: 3\r\nExpect: foo, 100-continue\r\n", Expect::Unknown),
        ("1.1", "Content-Length: 3\r\nExpect: 100-continue;a=b\r\n", Expect::Unknown),
        ("1.0", "Content-Length: 3\r\nExpect: 100-continue\r\n", Expect::None),
        ("1.0", "Content-Length: 3\r\nExpect: foo\r\n", Expect::None),
    ] {
        let parsed = parse(format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n")).unwrap();
        assert_eq!(parsed.head.expect, expect, "HTTP/{version} {lines}");
    }
}
