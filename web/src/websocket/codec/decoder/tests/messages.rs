//! Single connections, byte for byte.

use super::*;

#[test]
fn the_examples_of_the_standard() {
    // RFC 6455 §5.7.
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(server(&hello), one(text("Hello")));
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(server(&pong), one(Event::Pong("Hello".into())));
    let mut client = Decoder::new(Role::Client, Limits::default(), None);
    let mut received = |bytes: &[u8]| events(&mut client, [bytes]);
    assert_eq!(received(b"\x81\x05\x48\x65\x6c\x6c\x6f"), one(text("Hello")));
    assert_eq!(received(b"\x01\x03\x48\x65\x6c"), (vec![], None));
    assert_eq!(received(b"\x80\x02\x6c\x6f"), one(text("Hello")));
    assert_eq!(received(b"\x89\x05\x48\x65\x6c\x6c\x6f"), one(Event::Ping("Hello".into())));
    let bytes = vec![7; 256];
    let frame = [b"\x82\x7e\x01\x00", bytes.as_slice()].concat();
    assert_eq!(received(&frame), one(binary(&bytes)));
    let bytes = vec![7; 65536];
    let frame = [b"\x82\x7f\0\0\0\0\0\x01\0\0", bytes.as_slice()].concat();
    assert_eq!(received(&frame), one(binary(&bytes)));
}

#[test]
fn the_compressed_examples_of_the_standard() {
    // RFC 7692 §7.2.3.
    let rows: [(&str, &[&[u8]]); 7] = [
        ("one block", &[b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"]),
        ("two frames", &[b"\x41\x03\xf2\x48\xcd", b"\x80\x04\xc9\xc9\x07\x00"]),
        ("no compression", &[b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"]),
        ("final block", &[b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"]),
        ("final block alone", &[b"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00"]),
        ("two blocks", &[b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"]),
        ("not compressed", &[b"\x81\x05\x48\x65\x6c\x6c\x6f"]),
    ];
    for (name, frames) in rows {
        let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
        assert_eq!(events(&mut client, frames.iter().copied()), one(text("Hello")), "{name}");
        let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
        let bytes = frames.concat();
        assert_eq!(events(&mut client, bytes.chunks(1)), one(text("Hello")), "{name}");
    }
    // The second message refers to the first.
    let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
    let both = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    let hello = || text("Hello");
    assert_eq!(events(&mut client, [both.as_slice()]), (vec![hello(), hello()], None));
    // It may not without context takeover.
    let mut deflate = deflate();
    deflate.params.server_no_context_takeover = true;
    let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate));
    let error = Some(DecodeError::CorruptDeflate);
    assert_eq!(events(&mut client, [both.as_slice()]), (vec![hello()], error));
    // The empty message.
    let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate));
    let empty = b"\xc1\x01\x00\xc1\x00";
    assert_eq!(events(&mut client, [empty.as_slice()]), (vec![text(""), text("")], None));
}

#[test]
fn messages_of_all_length_forms() {
    for length in [0, 1, 125, 126, 127, 4096, 65535, 65536, 65537] {
        let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        assert_eq!(server(&masked(0x82, &payload)), one(binary(&payload)), "{length}");
    }
    assert_eq!(server(&masked(0x81, b"")), one(text("")));
}

#[test]
fn fragments_are_joined_and_control_frames_come_between() {
    let bytes = [
        masked(0x01, b"caf\xc3"),
        masked(0x89, b"ping"),
        masked(0x00, b""),
        masked(0x8a, b""),
        masked(0x80, b"\xa9"),
        masked(0x02, b""),
        masked(0x80, b""),
    ];
    let expected =
        vec![Event::Ping("ping".into()), Event::Pong(Bytes::new()), text("caf\u{e9}"), binary(b"")];
    assert_eq!(server(&bytes.concat()), (expected, None));
}

#[test]
fn control_frames_come_between_compressed_fragments() {
    let message = "compressed ".repeat(20);
    let mut encoder = Encoder::new(Role::Server, Some(&deflate()));
    let frame = encoder.message(MessageKind::Text, message.as_bytes());
    let payload = frame.into_payload();
    let (first, second) = payload.split_at(5);
    let bytes = [
        unmasked(0x41, first),
        unmasked(0x89, b"ping"),
        unmasked(0x00, b""),
        unmasked(0x80, second),
        unmasked(0x81, b"plain"),
    ];
    let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
    let expected = vec![Event::Ping("ping".into()), text(&message), text("plain")];
    assert_eq!(events(&mut client, [bytes.concat().as_slice()]), (expected, None));
}

#[test]
fn frames_must_be_masked_by_clients_only() {
    assert_eq!(server(&unmasked(0x81, b"")), refused(DecodeError::NotMasked));
    assert_eq!(server(&unmasked(0x88, b"")), refused(DecodeError::NotMasked));
    let mut client = Decoder::new(Role::Client, Limits::default(), None);
    let masked = masked(0x81, b"");
    assert_eq!(events(&mut client, [masked.as_slice()]), refused(DecodeError::Masked));
}

#[test]
fn the_sequence_of_frames_is_checked() {
    let rows = [
        (vec![masked(0x80, b"")], DecodeError::UnexpectedContinuation),
        (vec![masked(0x00, b"x")], DecodeError::UnexpectedContinuation),
        (vec![masked(0x01, b"x"), masked(0x81, b"")], DecodeError::MessageInterrupted),
        (vec![masked(0x02, b"x"), masked(0x02, b"")], DecodeError::MessageInterrupted),
        (vec![masked(0x01, b"x"), masked(0x09, b"")], DecodeError::FragmentedControlFrame),
        (vec![masked(0xc1, b"x")], DecodeError::ReservedBits),
        (vec![masked(0xa1, b"x")], DecodeError::ReservedBits),
        (vec![masked(0x91, b"x")], DecodeError::ReservedBits),
        (vec![masked(0x83, b"x")], DecodeError::ReservedOpcode(3)),
        (vec![masked(0x8f, b"x")], DecodeError::ReservedOpcode(15)),
        (vec![masked(0x89, &[b'x'; 126])], DecodeError::ControlFrameTooLong),
    ];
    for (frames, error) in rows {
        assert_eq!(server(&frames.concat()), refused(error), "{frames:02x?}");
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
        assert!(CloseFrame::new(error.close_code(), error.reason()).is_ok());
    }
    let finished = [masked(0x01, b"x"), masked(0x80, b""), masked(0x80, b"")].concat();
    assert_eq!(server(&finished), (vec![text("x")], Some(DecodeError::UnexpectedContinuation)));
}

#[test]
fn the_compression_bit_is_only_on_the_first_frame_of_a_message() {
    let rows = [
        vec![masked(0x41, b""), masked(0xc0, b"")],
        vec![masked(0x01, b""), masked(0xc0, b"")],
        vec![masked(0xc9, b"")],
        vec![masked(0xca, b"")],
        vec![masked(0xc8, b"")],
    ];
    for frames in rows {
        let mut server = Decoder::new(Role::Server, Limits::default(), Some(&deflate()));
        let bytes = frames.concat();
        assert_eq!(events(&mut server, [bytes.as_slice()]), refused(DecodeError::ReservedBits));
    }
}

#[test]
fn text_is_refused_before_its_frame_is_complete() {
    let invalid = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited";
    let frame = masked(0x81, invalid);
    let mut server = Decoder::new(Role::Server, Limits::default(), None);
    // Up to the byte that makes the character exceed the last one there is.
    let end = frame.len() - invalid.len() + 12;
    assert_eq!(events(&mut server, [&frame[..end]]), (vec![], None));
    let one_more = &frame[end..=end];
    assert_eq!(events(&mut server, [one_more]), refused(DecodeError::InvalidUtf8));
    assert_eq!(DecodeError::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    for invalid in [b"\xff".as_slice(), b"\xed\xa0\x80", b"\xc3", b"a\xe2\x82"] {
        let invalid_frame = self::server(&masked(0x81, invalid));
        assert_eq!(invalid_frame, refused(DecodeError::InvalidUtf8), "{invalid:02x?}");
        let fragments = [masked(0x01, invalid), masked(0x80, b"")].concat();
        assert_eq!(self::server(&fragments), refused(DecodeError::InvalidUtf8), "{invalid:02x?}");
    }
}

#[test]
fn a_close_frame_ends_everything() {
    let close = |code, reason: &'static str| {
        CloseFrame::new(CloseCode::new(code).unwrap(), reason).unwrap()
    };
    let later = [masked(0x81, b"later"), vec![0xff; 20]].concat();
    for (payload, expected) in [
        (b"".as_slice(), None),
        (b"\x03\xe8", Some(close(1000, ""))),
        (b"\x03\xe9goodbye", Some(close(1001, "goodbye"))),
        (b"\x0f\xa0\xc3\xa9", Some(close(4000, "\u{e9}"))),
    ] {
        let unfinished = masked(0x01, b"never finished");
        let bytes = [unfinished, masked(0x88, payload), later.clone()].concat();
        assert_eq!(server(&bytes), one(Event::Close(expected)));
    }
    for (payload, error, code) in [
        (b"\x03".as_slice(), DecodeError::ClosePayloadTooShort, 1002),
        (b"\x03\xed", DecodeError::CloseCode(1005), 1002),
        (b"\x00\x00", DecodeError::CloseCode(0), 1002),
        (b"\x03\xe8\xff", DecodeError::CloseReason, 1007),
    ] {
        assert_eq!(server(&masked(0x88, payload)), refused(error));
        assert_eq!(error.close_code().as_u16(), code);
    }
}

#[test]
fn limits_are_checked_at_the_header() {
    let limits = Limits { max_frame_size: 50, max_message_size: 100 };
    let fits = [masked(0x02, &[1; 50]), masked(0x80, &[2; 50])].concat();
    assert_eq!(with_limits(&fits, limits).0.len(), 1);
    let frames = |first: u8, lengths: [usize; 3]| {
        let continuations = lengths[1..].iter().map(|length| masked(0x00, &vec![b'1'; *length]));
        let first = masked(first, &vec![b'1'; lengths[0]]);
        std::iter::once(first).chain(continuations).collect::<Vec<_>>().concat()
    };
    let rows = [
        (masked(0x82, &[1; 51]), DecodeError::FrameTooBig),
        (frames(0x02, [50, 50, 1]), DecodeError::MessageTooBig),
        (frames(0x01, [50, 49, 2]), DecodeError::MessageTooBig),
    ];
    for (bytes, error) in rows {
        assert_eq!(with_limits(&bytes, limits), refused(error));
        assert_eq!(error.close_code(), CloseCode::MESSAGE_TOO_BIG);
    }
    // No payload is needed to see it.
    let mut server = Decoder::new(Role::Server, Limits::default(), None);
    let announced = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(events(&mut server, [announced.as_slice()]), refused(DecodeError::MessageTooBig));
    assert_eq!(Limits::default().max_message_size, 10 << 20);
}

#[test]
fn a_big_binary_frame_is_received_directly() {
    let payload: Vec<u8> = (0..500_000_u32).map(|index| (index % 251) as u8).collect();
    let frame = [masked(0x02, &payload[..300_000]), masked(0x80, &payload[300_000..])].concat();
    let next = masked(0x81, b"next");
    for room_used in [usize::MAX, 10_000, 1] {
        let mut server = Decoder::new(Role::Server, Limits::default(), None);
        assert!(server.direct_room().is_none());
        let mut rest = frame.as_slice();
        let (mut received, mut direct) = (Vec::new(), 0);
        while !rest.is_empty() {
            if let Some(room) = server.direct_room() {
                let count = (room.capacity() - room.len()).min(room_used);
                let (now, later) = rest.split_at(count);
                room.extend_from_slice(now);
                received.extend(server.direct_received(count).unwrap());
                rest = later;
                direct += count;
                if room_used == 1 && direct > 100 {
                    break;
                }
            } else {
                let (now, later) = rest.split_at(rest.len().min(1003));
                received.extend(events(&mut server, [now]).0);
                rest = later;
            }
        }
        received.extend(events(&mut server, [rest]).0);
        assert!(direct > 100);
        received.extend(events(&mut server, [next.as_slice()]).0);
        assert_eq!(received, [binary(&payload), text("next")]);
    }
}

#[test]
fn text_and_compressed_frames_are_not_received_directly() {
    let mut server = Decoder::new(Role::Server, Limits::default(), Some(&deflate()));
    let frame = masked(0x01, &[b'x'; 40_000]);
    events(&mut server, [&frame[..100]]);
    assert!(server.direct_room().is_none());
    let mut server = Decoder::new(Role::Server, Limits::default(), Some(&deflate()));
    let frame = masked(0x42, &[b'x'; 40_000]);
    events(&mut server, [&frame[..12]]);
    assert!(server.direct_room().is_none());
}

#[test]
fn an_idle_decoder_holds_no_memory() {
    assert!(size_of::<Decoder>() <= 208, "{}", size_of::<Decoder>());
    let mut server = Decoder::new(Role::Server, Limits::default(), None);
    assert!(server.is_between_messages());
    let frames = [masked(0x01, &[b'x'; 9000]), masked(0x89, &[b'y'; 100]), masked(0x80, b"")];
    let bytes = frames.concat();
    for end in 1..bytes.len() {
        let one_byte = [bytes[end - 1]];
        events(&mut server, [one_byte.as_slice()]);
        assert!(!server.is_between_messages());
    }
    assert!(server.memory() >= 9000);
    events(&mut server, [&bytes[bytes.len() - 1..]]);
    assert!(server.is_between_messages());
    assert_eq!(server.memory(), 0);
    // Nor does one that has failed or was closed.
    for end in [masked(0x83, b""), masked(0x88, b"")] {
        let mut server = Decoder::new(Role::Server, Limits::default(), None);
        let bytes = [masked(0x01, &[b'x'; 9000]), end].concat();
        events(&mut server, [bytes.as_slice()]);
        assert_eq!(server.memory(), 0);
    }
}
