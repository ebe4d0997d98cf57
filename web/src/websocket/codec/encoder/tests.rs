use super::*;
use crate::websocket::codec::close::{CloseCode, CloseFrame};
use crate::websocket::codec::deflate::DeflatePool;
use crate::websocket::codec::deflate::params::{CompressionOptions, DeflateParams, WindowBits};
use crate::websocket::codec::mask::MaskKey;
use crate::websocket::message::Message;

fn server() -> Encoder {
    Encoder::new(Role::Server, None)
}

fn deflate(min_size: usize, binary: bool) -> Deflate {
    Deflate {
        pool: DeflatePool::new(),
        params: DeflateParams::default(),
        options: CompressionOptions { level: 6, min_size, binary },
    }
}

#[test]
fn frames_of_a_server_byte_for_byte() {
    let mut server = server();
    assert_eq!(server.message(MessageKind::Text, b"Hello").to_vec(), b"\x81\x05Hello");
    assert_eq!(server.message(MessageKind::Binary, b"").to_vec(), b"\x82\x00");
    assert_eq!(server.message(MessageKind::Text, &[b'x'; 28]).len(), 30);
    let bytes = [7; 65536];
    assert_eq!(server.message(MessageKind::Binary, &bytes[..126]).header(), b"\x82\x7e\x00\x7e");
    assert_eq!(server.message(MessageKind::Binary, &bytes[..65535]).header(), b"\x82\x7e\xff\xff");
    let longest = server.message(MessageKind::Binary, &bytes);
    assert_eq!(longest.header(), b"\x82\x7f\0\0\0\0\0\x01\0\0");
    assert!(matches!(longest.into_payload(), Cow::Borrowed(payload) if payload == bytes));
    assert_eq!(server.ping(b"").unwrap().to_vec(), b"\x89\x00");
    assert_eq!(server.pong(b"Hello").unwrap().to_vec(), b"\x8a\x05Hello");
    assert_eq!(server.close(None).to_vec(), b"\x88\x00");
    let close = CloseFrame::new(CloseCode::GOING_AWAY, "bye").unwrap();
    assert_eq!(server.close(Some(&close)).to_vec(), b"\x88\x05\x03\xe9bye");
}

#[test]
fn frames_of_a_client_are_masked_with_keys_that_differ() {
    let mut client = Encoder::new(Role::Client, None);
    let mut keys = Vec::new();
    for _ in 0..20 {
        let frame = client.message(MessageKind::Text, b"Hello").to_vec();
        let Some((&[0x81, 0x85, a, b, c, d], payload)) = frame.split_first_chunk() else {
            panic!("{frame:02x?}")
        };
        let mut payload = payload.to_vec();
        MaskKey::new([a, b, c, d]).apply(&mut payload);
        assert_eq!(payload, b"Hello");
        keys.push([a, b, c, d]);
    }
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() > 15, "{keys:?}");
    assert_eq!(client.ping(b"x").unwrap().len(), 7);
    assert_eq!(client.close(None).to_vec()[..2], [0x88, 0x80]);
}

#[test]
fn payloads_of_control_frames_are_short() {
    let mut server = server();
    assert_eq!(server.ping(&[0; 125]).unwrap().len(), 127);
    assert!(server.pong(&[0; 126]).is_err());
    let error = server.ping(&[0; 126]).unwrap_err();
    assert_eq!(error.to_string(), "a ping or pong has at most 125 bytes, and this one 126");
}

#[test]
fn long_text_is_compressed_if_that_makes_it_shorter() {
    let text = "text and text and ".repeat(100);
    let noise: String = {
        let mut number = 1_u32;
        let mut next = || {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x4e00 + (number >> 8) % 0x5000).unwrap()
        };
        (0..20).map(|_| next()).collect()
    };
    let mut default = Encoder::new(Role::Server, Some(&deflate(1024, false)));
    let is_compressed = |frame: Frame<'_>| frame.header()[0] & 0x40 != 0;
    assert!(is_compressed(default.message(MessageKind::Text, text.as_bytes())));
    assert!(!is_compressed(default.message(MessageKind::Binary, text.as_bytes())));
    assert!(!is_compressed(default.message(MessageKind::Text, &text.as_bytes()[..1023])));
    let mut all = Encoder::new(Role::Server, Some(&deflate(0, true)));
    assert!(is_compressed(all.message(MessageKind::Binary, text.as_bytes())));
    assert!(!is_compressed(all.message(MessageKind::Text, noise.as_bytes())));
    assert!(!is_compressed(all.message(MessageKind::Text, b"")));
    assert!(!is_compressed(all.ping(&text.as_bytes()[..100]).unwrap()));
}

#[test]
fn equal_messages_cost_less_with_context_takeover() {
    let text = "{\"name\": \"a message\", \"number\": 1, \"words\": \"that do not repeat\"}";
    let length = |no_takeover: bool, shrink: bool| {
        let mut deflate = deflate(0, false);
        deflate.params.server_no_context_takeover = no_takeover;
        let mut server = Encoder::new(Role::Server, Some(&deflate));
        server.message(MessageKind::Text, text.as_bytes());
        if shrink {
            server.shrink();
            assert_eq!(server.memory(), 0);
        }
        server.message(MessageKind::Text, text.as_bytes()).len()
    };
    let (with, without) = (length(false, false), length(true, false));
    assert!(with * 3 < without, "{with} and {without}");
    assert_eq!(length(false, true), without);
}

#[test]
fn a_prepared_message_is_encoded_once() {
    let text = "text for all ".repeat(200);
    let message = Prepared::new(Message::from(text.clone()));
    let shared = deflate(1024, false);
    let mut small = shared.clone();
    small.params.server_max_window_bits = WindowBits::new(9).unwrap();
    let mut plain = [server(), server()];
    let mut compressing = [&shared, &shared, &small].map(|d| Encoder::new(Role::Server, Some(d)));
    let plain = plain.each_mut().map(|server| server.prepared(&message));
    let compressed = compressing.each_mut().map(|server| server.prepared(&message));
    assert_eq!(plain[0], server().message(MessageKind::Text, text.as_bytes()).to_vec());
    assert_eq!(plain[0].as_ptr(), plain[1].as_ptr());
    assert_eq!(compressed[0].as_ptr(), compressed[1].as_ptr());
    assert_ne!(compressed[0].as_ptr(), compressed[2].as_ptr());
    assert!(compressed[0].len() * 5 < plain[0].len());
    let mut client = Encoder::new(Role::Client, None);
    let masked = [client.prepared(&message), client.prepared(&message)];
    assert_ne!(masked[0], masked[1]);
    // Too short to be compressed.
    let short = Prepared::new("short");
    assert_eq!(compressing[0].prepared(&short), b"\x81\x05short".as_slice());
}
