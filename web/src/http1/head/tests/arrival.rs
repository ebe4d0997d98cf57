//! Heads that arrive in pieces, several at once, or never.

use super::*;

#[test]
fn a_partial_head_is_small() {
    assert!(size_of::<PartialHead>() <= 8);
}

#[test]
fn no_bytes_are_an_incomplete_head() {
    assert_eq!(Head::new().read(&mut PartialHead::default(), b"", &LIMITS), Ok(None));
}

#[test]
fn bytes_after_a_head_are_not_consumed() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n";
    let read = Head::new().read(&mut PartialHead::default(), bytes, &LIMITS);
    assert_eq!(read, Ok(Some(2..29)));
}

#[test]
fn checks_restart_after_each_head() {
    let pipeline = "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
        GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut head, mut partial) = (Head::new(), PartialHead::default());
    let mut buffer = Vec::new();
    let mut paths = Vec::new();
    for byte in pipeline.bytes() {
        buffer.push(byte);
        if let Some(range) = head.read(&mut partial, &buffer, &LIMITS).unwrap() {
            paths.push(String::from_utf8_lossy(head.path.of(&buffer[range.clone()])).into_owned());
            buffer.drain(..range.end);
        }
    }
    assert_eq!(paths, ["/0", "/1", "/2"]);
    assert!(buffer.is_empty());
}

#[test]
fn bytes_that_cannot_become_a_request_are_refused_at_once() {
    for (what, bytes) in [
        ("TLS", b"\x16\x03\x01".as_slice()),
        ("a NUL", b"\0"),
        ("a byte above ASCII", b"\x80"),
        ("the first byte of UTF-8 with a mark", b"\xef\xbb\xbfGET"),
        ("a space", b" GET"),
        ("LF", b"\n"),
        ("CR without LF", b"\rG"),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("junk", b"asdf\r\n"),
        ("a line without version", b"GET /\r\n"),
        ("another version", b"GET / HTTP/2.0\r\n"),
        ("a line that ends in LF", b"GET / HTTP/1.1\n"),
        ("LF in a field", b"GET / HTTP/1.1\r\nHost: a\n"),
        ("CR in a field", b"GET / HTTP/1.1\r\nHost: a\rb"),
        ("a NUL in a field", b"GET / HTTP/1.1\r\nHost: a\0"),
        ("a control byte in the target", b"GET /\x01"),
        ("a fold", b"GET / HTTP/1.1\r\n "),
        ("too many blank lines", b"\r\n\r\n\r\n\r\n\r\n"),
    ] {
        let whole = Head::new().read(&mut PartialHead::default(), bytes, &LIMITS);
        assert!(whole.is_err(), "{what}: {whole:?}");
    }
}

#[test]
fn bytes_that_cannot_become_a_request_are_refused_in_pieces() {
    for bytes in [
        b"\x16".as_slice(),
        b"\n",
        b"\rG",
        b"asdf\r\n",
        b"GET /\r\n",
        b"GET / HTTP/2.0\r\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: a\n",
        b"GET / HTTP/1.1\r\nHost: a\rb",
        b"GET / HTTP/1.1\r\nHost: a\x7f",
        b"\r\n\r\n\r\n\r\n\r\n",
    ] {
        let (mut head, mut partial) = (Head::new(), PartialHead::default());
        for end in 0..bytes.len() {
            let read = head.read(&mut partial, &bytes[..end], &LIMITS);
            assert_eq!(read, Ok(None), "{end} of {bytes:?}");
        }
        assert!(head.read(&mut partial, bytes, &LIMITS).is_err(), "{bytes:?}");
    }
}

#[test]
fn blank_lines_alone_are_incomplete() {
    for bytes in [b"\r".as_slice(), b"\r\n", b"\r\n\r", b"\r\n\r\n\r\n\r\n"] {
        assert_eq!(Head::new().read(&mut PartialHead::default(), bytes, &LIMITS), Ok(None));
    }
}

/// Feeds `bytes` in pieces of `size` and returns how many bytes had to be checked.
fn work(bytes: &[u8], size: usize) -> usize {
    let (mut head, mut partial) = (Head::new(), PartialHead::default());
    let mut looked_at = 0;
    for end in (1..bytes.len()).step_by(size) {
        looked_at += end - partial.checked();
        let read = head.read(&mut partial, &bytes[..end], &LIMITS);
        assert_eq!(read, Ok(None), "after {end} bytes");
        // Before the head is complete, the parser gets only the first piece.
        assert!(!partial.is_new());
    }
    assert_eq!(head.read(&mut partial, bytes, &LIMITS), Ok(Some(0..bytes.len())));
    looked_at
}

#[test]
fn a_large_head_in_small_pieces_costs_no_more_than_twice_its_length() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n";
    let room = LIMITS.max_head_size - start.len() - 2;
    let heads = [
        ("many lines", format!("{start}{}\r\n", "Abcdef: 0123456789\r\n".repeat(250))),
        ("one long line", format!("{start}A: {}\r\n\r\n", "x".repeat(room - 5))),
        ("tabs", format!("{start}A: x{}x\r\n\r\n", "\t".repeat(room - 7))),
        ("spaces", format!("{start}A: {}x\r\n\r\n", " ".repeat(room - 6))),
    ];
    for (what, head) in heads {
        for size in [1, 2, 7, 1000] {
            let looked_at = work(head.as_bytes(), size);
            assert!(looked_at <= 2 * head.len(), "{what} by {size}: {looked_at}");
        }
    }
}
