//! A proxy in front of the server and the server itself must agree where a request ends. Each row
//! is a request that some server or proxy reads differently. A second request is hidden where they
//! might disagree: it must never be served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use squall::{Application, Context, Result, get, route};

use crate::wire::Server;

/// The request that is hidden, 40 bytes long.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: abcdefgh\r\n\r\n";

struct Site {
    server: Server,
    hidden: Arc<AtomicUsize>,
}

/// Pages that read a body in each of the ways there are, and one that counts its requests.
fn site() -> Site {
    async fn echo(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
    async fn ignore() -> &'static str {
        "ignored"
    }
    let hidden = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hidden);
    let server = Server::start(move || {
        let count = async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            "hidden"
        };
        Application::new([
            route("/", get(echo).post(echo)),
            route("/streamed", get(echo).post(echo)).stream_request_body(),
            route("/ignored", get(ignore).post(ignore)).stream_request_body(),
            route("/hidden", get(count.clone()).post(count)),
        ])
    });
    Site { server, hidden }
}

const PATHS: [&str; 3] = ["/", "/streamed", "/ignored"];

impl Site {
    /// Sends `POST`, the lines of a head, and what follows the head; returns the statuses.
    #[track_caller]
    fn send(&self, what: &str, path: &str, lines: &str, rest: &str) -> (Vec<u16>, bool) {
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n{rest}");
        let exchange = self.server.exchange(request);
        assert_eq!(self.hidden.load(Ordering::Relaxed), 0, "{what}: it is served");
        (exchange.statuses(), exchange.kept)
    }

    #[track_caller]
    fn refuses(&self, status: u16, what: &str, lines: &str, rest: &str) {
        for path in PATHS {
            let (statuses, kept) = self.send(what, path, lines, rest);
            assert_eq!(statuses, [status], "{what}, to {path}");
            assert!(!kept, "{what}, to {path}");
        }
    }
}

#[test]
fn a_request_with_both_a_length_and_chunks_is_refused() {
    let end = format!("0\r\n\r\n{HIDDEN}");
    let chunk = format!("28\r\n{HIDDEN}\r\n0\r\n\r\n");
    let rows = [
        (
            "the proxy reads the length",
            "Content-Length: 45\r\nTransfer-Encoding: chunked\r\n",
            &end,
        ),
        (
            "the proxy reads the chunks",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            &chunk,
        ),
        ("chunks first", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunk),
        ("a length of zero", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", &chunk),
        ("capitals", "CONTENT-LENGTH: 45\r\nTRANSFER-ENCODING: CHUNKED\r\n", &end),
        ("a tab", "Content-Length: 45\r\nTransfer-Encoding:\tchunked\r\n", &end),
        ("no space", "Content-Length: 45\r\nTransfer-Encoding:chunked\r\n", &end),
        ("space behind", "Content-Length: 45\r\nTransfer-Encoding: chunked \r\n", &end),
        ("an unknown coding", "Content-Length: 45\r\nTransfer-Encoding: xchunked\r\n", &end),
        ("no coding by name", "Content-Length: 45\r\nTransfer-Encoding: identity\r\n", &end),
        ("no coding at all", "Content-Length: 45\r\nTransfer-Encoding:\r\n", &end),
        ("quotes", "Content-Length: 45\r\nTransfer-Encoding: \"chunked\"\r\n", &end),
        ("a list", "Content-Length: 45\r\nTransfer-Encoding: chunked, identity\r\n", &end),
        ("a list the other way", "Content-Length: 45\r\nTransfer-Encoding: x, chunked\r\n", &end),
        ("a parameter", "Content-Length: 45\r\nTransfer-Encoding: chunked;q=1\r\n", &end),
        ("a space before the colon", "Content-Length: 45\r\nTransfer-Encoding : chunked\r\n", &end),
        ("a tab before the colon", "Content-Length: 45\r\nTransfer-Encoding\t: chunked\r\n", &end),
        (
            "a line before the colon",
            "Content-Length: 45\r\nTransfer-Encoding\r\n : chunked\r\n",
            &end,
        ),
        ("a space before the name", "Content-Length: 45\r\n Transfer-Encoding: chunked\r\n", &end),
        ("a folded value", "Content-Length: 45\r\nTransfer-Encoding:\r\n chunked\r\n", &end),
        ("a vertical tab", "Content-Length: 45\r\nTransfer-Encoding: \u{b}chunked\r\n", &end),
        ("a NUL behind", "Content-Length: 45\r\nTransfer-Encoding: chunked\0\r\n", &end),
        ("a NUL in the name", "Content-Length: 45\r\nTransfer-Encoding\0: chunked\r\n", &end),
        ("behind a bare LF", "Content-Length: 45\r\nX: y\nTransfer-Encoding: chunked\r\n", &end),
        ("behind a bare CR", "Content-Length: 45\r\nX: y\rTransfer-Encoding: chunked\r\n", &end),
        (
            "behind an empty name",
            "Content-Length: 45\r\n: y\r\nTransfer-Encoding: chunked\r\n",
            &end,
        ),
        (
            "behind a line without a colon",
            "Content-Length: 45\r\nX\r\nTransfer-Encoding: chunked\r\n",
            &end,
        ),
        (
            "a length behind a bare CR",
            "Transfer-Encoding: chunked\r\nX: y\rContent-Length: 4\r\n",
            &chunk,
        ),
        ("a length with a space", "Transfer-Encoding: chunked\r\nContent-Length : 4\r\n", &chunk),
    ];
    let site = site();
    for (what, lines, rest) in rows {
        site.refuses(400, what, lines, rest);
    }
}

#[test]
fn two_transfer_codings_are_refused() {
    let end = format!("0\r\n\r\n{HIDDEN}");
    let chunk = format!("28\r\n{HIDDEN}\r\n0\r\n\r\n");
    let rows = [
        (400, "twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &end),
        (400, "twice in a list", "Transfer-Encoding: chunked, chunked\r\n", &end),
        (501, "and an unknown one", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", &end),
        (
            501,
            "an unknown one first",
            "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
            &end,
        ),
        (
            501,
            "and no coding",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            &chunk,
        ),
        (
            501,
            "no coding first",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            &chunk,
        ),
        (501, "an unknown one alone", "Transfer-Encoding: xchunked\r\n", &end),
        (501, "one with a suffix", "Transfer-Encoding: chunkedx\r\n", &end),
        (400, "an empty one", "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", &end),
        (
            400,
            "a space before the colon",
            "Transfer-Encoding: x\r\nTransfer-Encoding : chunked\r\n",
            &end,
        ),
    ];
    let site = site();
    for (status, what, lines, rest) in rows {
        site.refuses(status, what, lines, rest);
    }
}

#[test]
fn two_different_lengths_are_refused() {
    let rows = [
        ("zero first", "Content-Length: 0\r\nContent-Length: 40\r\n"),
        ("zero second", "Content-Length: 40\r\nContent-Length: 0\r\n"),
        ("in a list", "Content-Length: 0, 40\r\n"),
        ("in a list the other way", "Content-Length: 40, 0\r\n"),
        ("in other letters", "Content-Length: 0\r\ncontent-length: 40\r\n"),
        ("a sign", "Content-Length: +40\r\n"),
        ("a sign on zero", "Content-Length: -0\r\n"),
        ("an octal prefix", "Content-Length: 0o50\r\n"),
        ("a hexadecimal prefix", "Content-Length: 0x28\r\n"),
        ("a word behind it", "Content-Length: 40abc\r\n"),
        ("two words", "Content-Length: 0 40\r\n"),
        ("a number that wraps around", "Content-Length: 18446744073709551616\r\n"),
        ("a space before the colon", "Content-Length: 0\r\nContent-Length : 40\r\n"),
        ("a folded line", "Content-Length: 0\r\n 40\r\n"),
        ("a bare CR", "Content-Length: 0\rContent-Length: 40\r\n"),
        ("a bare LF", "Content-Length: 0\nContent-Length: 40\r\n"),
        ("a vertical tab", "Content-Length: \u{b}40\r\n"),
        ("nothing, and a number", "Content-Length:\r\nContent-Length: 40\r\n"),
    ];
    let site = site();
    for (what, lines) in rows {
        site.refuses(400, what, lines, HIDDEN);
    }
}

#[test]
fn an_ambiguous_chunk_is_refused() {
    let hidden = HIDDEN;
    let rows = [
        ("LF ends an extension", format!("5;\n{hidden}\r\n0\r\n\r\n")),
        ("CR ends an extension", format!("5;\r{hidden}\r\n0\r\n\r\n")),
        ("LF in an extension", format!("2;\nxx\r\n29\r\n0\r\n\r\n{hidden}\r\n0\r\n\r\n")),
        ("CR in an extension", format!("2;\rxx\r\n29\r\n0\r\n\r\n{hidden}\r\n0\r\n\r\n")),
        ("LF ends a size", format!("5\nabcde\r\n0\r\n\r\n{hidden}")),
        ("LF ends the last size", format!("0\n\r\n{hidden}")),
        ("LF LF ends the body", format!("0\r\n\n{hidden}")),
        ("CR CR LF ends the last size", format!("0\r\r\n\r\n{hidden}")),
        ("more data than the size", format!("5\r\nabcdeX\r\n28\r\n{hidden}\r\n0\r\n\r\n")),
        ("two bytes in place of a line end", format!("5\r\nabcdeXY0\r\n\r\n{hidden}")),
        ("no line end behind data", format!("5\r\nabcde0\r\n\r\n{hidden}")),
        ("LF behind data", format!("5\r\nabcde\n0\r\n\r\n{hidden}")),
        ("an escape in a quoted extension", format!("5;x=\"\\\n\"\r\nabcde\r\n0\r\n\r\n{hidden}")),
        ("a size that wraps around", format!("10000000000000000\r\n\r\n{hidden}")),
        (
            "a size that wraps around in 32 bits and more",
            format!("100000000000000000000\r\n\r\n{hidden}"),
        ),
        ("a hexadecimal prefix", format!("0x0\r\n\r\n{hidden}")),
        ("a sign", format!("-0\r\n\r\n{hidden}")),
        ("a plus sign", format!("+0\r\n\r\n{hidden}")),
        ("an underscore", format!("0_0\r\n\r\n{hidden}")),
        ("a space behind zero", format!("0 \r\n\r\n{hidden}")),
        ("a space before zero", format!(" 0\r\n\r\n{hidden}")),
        ("a tab behind zero", format!("0\t\r\n\r\n{hidden}")),
        ("a vertical tab behind zero", format!("0\u{b}\r\n\r\n{hidden}")),
        ("a NUL behind zero", format!("0\0\r\n\r\n{hidden}")),
        ("an empty size", format!("\r\n\r\n{hidden}")),
        ("a trailer with a bare LF", format!("0\r\nX: y\n\r\n{hidden}")),
        ("a trailer with a bare CR", format!("0\r\nX: y\r\r\n{hidden}")),
        ("a trailer without a colon", format!("0\r\n{hidden}")),
        ("a trailer with a space", format!("0\r\nX : y\r\n\r\n{hidden}")),
    ];
    let site = site();
    for (what, rest) in rows {
        for path in ["/", "/streamed"] {
            let (statuses, kept) = site.send(what, path, "Transfer-Encoding: chunked\r\n", &rest);
            assert_eq!(statuses, [400], "{what}, to {path}");
            assert!(!kept, "{what}, to {path}");
        }
        // Whoever does not read the body answers; nothing can follow.
        let (statuses, kept) = site.send(what, "/ignored", "Transfer-Encoding: chunked\r\n", &rest);
        assert_eq!(statuses, [200], "{what}");
        assert!(!kept, "{what}");
    }
}

/// The other reading of these is wrong, and ours is the only one that the standard allows.
#[test]
fn a_request_inside_a_body_is_part_of_the_body() {
    let hidden = HIDDEN;
    let chunked = "Transfer-Encoding: chunked\r\n";
    let rows = [
        ("of a length", "Content-Length: 40\r\n", hidden.to_owned()),
        (
            "of a length that is repeated",
            "Content-Length: 40\r\nContent-Length: 40\r\n",
            hidden.to_owned(),
        ),
        ("of a length with zeros", "Content-Length: 0040\r\n", hidden.to_owned()),
        ("of a chunk", chunked, format!("28\r\n{hidden}\r\n0\r\n\r\n")),
        ("of a chunk with an extension", chunked, format!("28;x=y\r\n{hidden}\r\n0\r\n\r\n")),
        ("of a chunk with zeros", chunked, format!("0028\r\n{hidden}\r\n0\r\n\r\n")),
        (
            "of a length, another name with an underscore",
            "Content-Length: 40\r\nTransfer_Encoding: chunked\r\n",
            hidden.to_owned(),
        ),
        (
            "of a length, another name",
            "Content-Length: 40\r\nX-Transfer-Encoding: chunked\r\n",
            hidden.to_owned(),
        ),
        (
            "of a length that a list of options names",
            "Content-Length: 40\r\nConnection: Content-Length\r\n",
            hidden.to_owned(),
        ),
    ];
    let site = site();
    for (what, lines, rest) in rows {
        for path in PATHS {
            let (statuses, kept) = site.send(what, path, lines, &rest);
            assert_eq!(statuses, [200], "{what}, to {path}");
            assert!(kept, "{what}, to {path}");
        }
    }
}

#[test]
fn a_request_inside_an_unread_body_is_not_served() {
    let site = site();
    let rows = [
        ("GET of a page", "GET /"),
        ("GET, streamed", "GET /streamed"),
        ("GET, not read", "GET /ignored"),
        ("HEAD of a missing page", "GET /nowhere"),
        ("an unknown method", "FOO /"),
        ("the options of a page", "OPTIONS /"),
        ("the options of the server", "OPTIONS *"),
        ("a tunnel", "CONNECT a:80"),
    ];
    let framings = [
        ("Content-Length: 40\r\n", HIDDEN.to_owned()),
        ("Transfer-Encoding: chunked\r\n", format!("28\r\n{HIDDEN}\r\n0\r\n\r\n")),
    ];
    for (what, line) in rows {
        for (lines, body) in &framings {
            let request = format!("{line} HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}");
            let exchange = site.server.exchange(request);
            assert_eq!(exchange.responses.len(), 1, "{what}: {exchange:#?}");
            assert!(exchange.kept, "{what}");
            assert_eq!(site.hidden.load(Ordering::Relaxed), 0, "{what}");
        }
    }
}

#[test]
fn http_1_0_does_not_bypass_the_checks() {
    let site = site();
    let rest = format!("0\r\n\r\n{HIDDEN}");
    let request = |lines: &str| format!("POST / HTTP/1.0\r\n{lines}\r\n{rest}");
    for lines in [
        "Transfer-Encoding: chunked\r\n",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 45\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        site.server.refuses(400, lines, request(lines));
    }
    assert_eq!(site.hidden.load(Ordering::Relaxed), 0);
}

/// The hidden request counts if it is sent openly. Otherwise the tests above could not fail.
#[test]
fn a_request_that_is_not_hidden_is_served() {
    let site = site();
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n{HIDDEN}");
    let exchange = site.server.exchange(request);
    assert_eq!(exchange.statuses(), [200, 200]);
    assert_eq!(site.hidden.load(Ordering::Relaxed), 2, "whole, and byte by byte");
}
