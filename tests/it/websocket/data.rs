use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder};

use super::*;

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// "Hello", compressed: the example of RFC 7692 §7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[test]
fn messages_come_back_unmasked_and_in_one_frame() {
    let server = server();
    for payload in ["", "a text of 28 bytes, I think", "caf\u{e9} \u{1f980}"] {
        let frames = [masked(0x81, payload), masked(0x82, payload), masked(0x88, "")];
        let expected = [plain(0x81, payload), plain(0x82, payload), plain(0x88, "")].concat();
        assert_eq!(talk(&server, "/echo", "", &frames), expected, "{payload}");
    }
    for length in [125, 126, 127, 65_535, 65_536, 1 << 20] {
        let payload = vec![b'x'; length];
        let frames = [masked(0x81, &payload), masked(0x82, &payload), masked(0x88, "")];
        let expected = [plain(0x81, &payload), plain(0x82, &payload), plain(0x88, "")].concat();
        assert!(talk(&server, "/echo", "", &frames) == expected, "{length}");
    }
}

#[test]
fn fragments_are_joined_and_pings_between_them_answered() {
    let server = server();
    let frames = [
        masked(0x01, "fra"),
        masked(0x89, "ping"),
        masked(0x00, "g"),
        masked(0x80, "ments"),
        masked(0x88, ""),
    ];
    let expected = [plain(0x8a, "ping"), plain(0x81, "fragments"), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/echo", "", &frames), expected);
}

#[test]
fn frames_that_break_the_protocol_close_the_connection_with_1002() {
    let server = server();
    let unmasked = plain(0x81, "text");
    for (reason, frame) in [
        ("frame of a client is not masked", unmasked),
        ("continuation frame without a message", masked(0x80, "x")),
        ("new message inside a fragmented one", [masked(0x01, "x"), masked(0x81, "y")].concat()),
        ("reserved opcode", masked(0x83, "")),
        ("reserved opcode", masked(0x87, "")),
        ("reserved opcode", masked(0x8b, "")),
        ("reserved opcode", masked(0x8f, "")),
        ("reserved bits are set", masked(0xc1, "x")),
        ("reserved bits are set", masked(0xa1, "x")),
        ("reserved bits are set", masked(0x91, "x")),
        ("control frame too long", masked(0x89, [0; 126])),
        ("fragmented control frame", masked(0x09, "x")),
        ("length is not encoded minimally", vec![0x81, 0xfe, 0, 5, 0, 0, 0, 0]),
    ] {
        let answer = talk(&server, "/echo", "", &[frame, masked(0x81, "ignored")]);
        assert_eq!(answer, closing(1002, reason), "{reason}");
    }
}

#[test]
fn text_that_is_not_utf8_closes_the_connection_with_1007_at_once() {
    let server = server();
    let expected = closing(1007, "text is not UTF-8");
    for payload in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"caf\xc3"] {
        assert_eq!(talk(&server, "/echo", "", &[masked(0x81, payload)]), expected);
    }
    // The message is not complete.
    assert_eq!(talk(&server, "/echo", "", &[masked(0x01, b"\xff")]), expected);
}

#[test]
fn limits_are_checked_before_the_bytes_arrive() {
    let server = server();
    let exact = [masked(0x02, [b'x'; 80]), masked(0x80, [b'x'; 20]), masked(0x88, "")];
    let expected = [plain(0x82, [b'x'; 100]), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/small", "", &exact), expected);
    let header = masked(0x81, [b'x'; 81])[..2].to_vec();
    let header = [header, vec![0; 4]].concat();
    assert_eq!(talk(&server, "/small", "", &[header]), closing(1009, "frame too big"));
    let sum = [masked(0x02, [b'x'; 80]), masked(0x80, [b'x'; 21])];
    assert_eq!(talk(&server, "/small", "", &sum), closing(1009, "message too big"));
    // The default is 10 MiB.
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&(10_u64 * 1024 * 1024 + 1).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    assert_eq!(talk(&server, "/echo", "", &[header]), closing(1009, "message too big"));
}

#[test]
fn compressed_messages_are_decompressed() {
    let server = server();
    // The answer is not compressed, because it would become longer.
    let frames = [masked(0xc1, HELLO), masked(0x81, "plain"), masked(0x88, "")];
    let expected = [plain(0x81, "Hello"), plain(0x81, "plain"), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/compressed", DEFLATE, &frames), expected);
}

#[test]
fn messages_are_sent_compressed_as_the_settings_say() {
    let server = server();
    let text = "compress me ".repeat(50);
    for (path, first, is_compressed) in [
        ("/compressed", 0x81, true),
        ("/compressed", 0x82, true),
        ("/echo", 0x81, false),
        ("/plain", 0x81, false),
    ] {
        let answer = talk(&server, path, DEFLATE, &[masked(first, &text), masked(0x88, "")]);
        let payload = &answer[2..answer.len() - 2];
        match is_compressed {
            true => {
                assert_eq!((answer[0], answer[1]), (first | 0x40, payload.len() as u8), "{path}");
                assert!(payload.len() < 100, "{path}");
                assert_eq!(inflated(payload), text.as_bytes(), "{path}");
            }
            false => assert_eq!(answer, [plain(first, &text), plain(0x88, "")].concat(), "{path}"),
        }
    }
    // By default, text is compressed from 1 KiB on, and binary messages are not.
    let long = "x".repeat(1024);
    let frames = [masked(0x81, &long), masked(0x82, &long), masked(0x88, "")];
    let answer = talk(&server, "/echo", DEFLATE, &frames);
    assert_eq!(answer[0], 0xc1);
    assert!(answer.ends_with(&[plain(0x82, &long), plain(0x88, "")].concat()));
}

#[test]
fn a_message_refers_to_the_messages_before_it() {
    let server = server();
    let text = (0..200).map(|n: u32| n.wrapping_mul(2_654_435_761).to_string()).collect::<String>();
    let frames = [masked(0x81, &text), masked(0x81, &text), masked(0x88, "")];
    let lengths = |headers: &str| {
        let answer = talk(&server, "/compressed", headers, &frames);
        let first = usize::from(u16::from_be_bytes([answer[2], answer[3]]));
        assert_eq!((answer[0], answer[1]), (0xc1, 126));
        (first, answer.len() - 4 - first)
    };
    let (first, rest) = lengths(DEFLATE);
    assert!(rest < first / 10, "{first} {rest}");
    let (first, rest) =
        lengths("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n");
    assert_eq!(rest, 4 + first + 2);
}

#[test]
fn control_frames_go_between_compressed_fragments() {
    let server = server();
    let frames =
        [masked(0x41, &HELLO[..3]), masked(0x89, "p"), masked(0x80, &HELLO[3..]), masked(0x88, "")];
    let expected = [plain(0x8a, "p"), plain(0x81, "Hello"), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/compressed", DEFLATE, &frames), expected);
}

#[test]
fn compressed_data_that_is_invalid_closes_the_connection() {
    let server = server();
    for (code, reason, frames) in [
        (1002, "reserved bits are set", vec![masked(0x01, "a"), masked(0xc0, "b")]),
        (1002, "reserved bits are set", vec![masked(0xc9, "ping")]),
        (1007, "compressed data is corrupt", vec![masked(0xc1, "garbage")]),
        (1007, "text is not UTF-8", vec![masked(0xc1, [0xfa, 0x0f, 0x00])]),
    ] {
        assert_eq!(talk(&server, "/compressed", DEFLATE, &frames), closing(code, reason));
    }
    // A small frame, and 20,000 bytes in it.
    let bomb = deflated(&[b'x'; 20_000]);
    assert!(bomb.len() < 100);
    assert_eq!(
        talk(&server, "/compressed", DEFLATE, &[masked(0xc2, bomb)]),
        closing(1009, "message too big after decompression")
    );
}

/// Compressed as permessage-deflate does.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(payload).unwrap();
    deflate.flush().unwrap();
    let mut compressed = deflate.get_ref().clone();
    assert!(compressed.ends_with(&[0, 0, 0xff, 0xff]));
    compressed.truncate(compressed.len() - 4);
    compressed
}

/// Decompressed as permessage-deflate does.
fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut inflate = DeflateDecoder::new(Vec::new());
    inflate.write_all(payload).unwrap();
    inflate.write_all(&[0, 0, 0xff, 0xff]).unwrap();
    inflate.flush().unwrap();
    inflate.get_ref().clone()
}
