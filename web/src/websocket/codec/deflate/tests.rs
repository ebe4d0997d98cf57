use flate2::FlushCompress;
use flate2::read::DeflateDecoder;
use proptest::prelude::*;

use super::params::{CompressionOptions, Deflate, DeflateParams, WindowBits};
use super::*;
use crate::websocket::codec::Role;
use crate::websocket::codec::decoder::{Decoded, Decoder, Event, Limits};
use crate::websocket::codec::encoder::Encoder;
use crate::websocket::codec::error::DecodeError;
use crate::websocket::codec::header::{FrameHeader, Opcode};
use crate::websocket::codec::prepared::Prepared;
use crate::websocket::message::{Message, MessageKind};

mod distances;

fn deflate(takeover: bool, bits: u8, level: u8) -> Deflate {
    let window = WindowBits::new(bits).unwrap();
    Deflate {
        pool: DeflatePool::new(),
        params: DeflateParams {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            server_max_window_bits: window,
            client_max_window_bits: window,
        },
        options: CompressionOptions { level, min_size: 0, binary: true },
    }
}

/// Text that repeats itself at many distances.
fn text(seed: u32, length: usize) -> String {
    let mut number = seed;
    let mut text = String::new();
    while text.len() < length {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = (number >> 16) % 300;
        text += &format!("word{word} ");
    }
    text.truncate(length);
    text
}

/// The payload of a server's frame, if it is compressed.
fn compressed(server: &mut Encoder, payload: &[u8]) -> Option<Vec<u8>> {
    let frame = server.message(MessageKind::Binary, payload);
    let is_compressed = frame.header()[0] == 0xc2;
    is_compressed.then(|| frame.into_payload().into_owned())
}

/// The frame of a server with a payload that is said to be compressed.
fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    let header = FrameHeader { fin: true, compressed: true, opcode, mask: None, length };
    [header.encode().as_slice(), payload].concat()
}

fn decode(client: &mut Decoder, bytes: &[u8]) -> Result<Vec<Message>, DecodeError> {
    let mut bytes = bytes.to_vec();
    let mut rest = bytes.as_mut_slice();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let Decoded { used, event } = client.decode(rest)?;
        if let Some(Event::Message(message)) = event {
            messages.push(message);
        }
        rest = &mut rest[used..];
    }
    Ok(messages)
}

fn client(deflate: &Deflate, max_message_size: usize) -> Decoder {
    let limits = Limits { max_message_size, ..Limits::default() };
    Decoder::new(Role::Client, limits, Some(deflate))
}

#[test]
fn other_decompressors_read_the_compressed_messages() {
    for level in [1, 6, 9] {
        for bits in 8..=15 {
            let mut server = Encoder::new(Role::Server, Some(&deflate(true, bits, level)));
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (seed, length) in [(1, 1000), (2, 50_000), (1, 1000), (3, 100), (1, 1000)] {
                let text = text(seed, length);
                // All messages with context takeover are one stream.
                stream.extend(compressed(&mut server, text.as_bytes()).unwrap());
                stream.extend(FLUSH_TAIL);
                expected.extend_from_slice(text.as_bytes());
            }
            stream.extend([1, 0, 0, 0xff, 0xff]);
            let mut read = Vec::new();
            std::io::copy(&mut DeflateDecoder::new(stream.as_slice()), &mut read).unwrap();
            assert_eq!(read, expected, "level {level}, {bits} bits");
        }
    }
}

#[test]
fn messages_of_other_compressors_are_read() {
    for bits in 9..=15 {
        for level in [0, 1, 6, 9] {
            // Another compressor keeps its window, and here all of it.
            let mut other = Compress::new_with_window_bits(Compression::new(level), false, bits);
            let mut client = client(&deflate(true, bits, 6), 1 << 20);
            for (seed, length) in [(1, 40_000), (1, 1000), (2, 3), (1, 70_000), (2, 3), (1, 100)] {
                let text = text(seed, length);
                let mut payload = Vec::with_capacity(2 * length + 100);
                other.compress_vec(text.as_bytes(), &mut payload, FlushCompress::Sync).unwrap();
                assert!(payload.ends_with(&FLUSH_TAIL));
                payload.truncate(payload.len() - 4);
                let messages = decode(&mut client, &frame(Opcode::Text, &payload));
                assert_eq!(messages, Ok(vec![Message::from(text)]), "{bits} bits, level {level}");
            }
            assert!(client.memory() <= 1 << bits);
        }
    }
}

#[test]
fn a_message_may_consist_of_several_streams() {
    let (first, second) = (text(1, 20_000), text(1, 30_000));
    for takeover in [true, false] {
        let mut client = client(&deflate(takeover, 15, 6), 1 << 20);
        let mut payload = Vec::with_capacity(100_000);
        let mut other = Compress::new(Compression::new(6), false);
        other.compress_vec(first.as_bytes(), &mut payload, FlushCompress::Finish).unwrap();
        // The second stream refers to the first.
        let before = payload.len();
        let mut other = Compress::new(Compression::new(6), false);
        other.set_dictionary(first.as_bytes()).unwrap();
        other.compress_vec(second.as_bytes(), &mut payload, FlushCompress::Finish).unwrap();
        assert!(payload.len() - before < before);
        let expected = Message::from([first.as_str(), &second].concat());
        for end in [b"\x00".as_slice(), b""] {
            let payload = [payload.as_slice(), end].concat();
            let messages = decode(&mut client, &frame(Opcode::Text, &payload));
            assert_eq!(messages, Ok(vec![expected.clone()]));
        }
    }
}

#[test]
fn corrupt_and_incomplete_messages_are_refused() {
    let corrupt = Err(DecodeError::CorruptDeflate);
    let mut server = Encoder::new(Role::Server, Some(&deflate(false, 15, 6)));
    let payload = compressed(&mut server, text(1, 500).as_bytes()).unwrap();
    let read = |payload: &[u8]| {
        decode(&mut client(&deflate(false, 15, 6), 1 << 20), &frame(Opcode::Binary, payload))
    };
    assert!(read(&payload).is_ok());
    for end in 1..payload.len() {
        assert_eq!(read(&payload[..end]), corrupt, "{end} of {}", payload.len());
    }
    assert_eq!(read(&[payload.as_slice(), &FLUSH_TAIL].concat()), corrupt);
    for payload in [b"\x07".as_slice(), b"\xff\xff", b"garbage", b"\x00\x05\x00\xfa\xffHel"] {
        assert_eq!(read(payload), corrupt, "{payload:02x?}");
    }
    // It refers to bytes that were never sent.
    assert_eq!(read(b"\xf2\x00\x11\x00\x00"), corrupt);
    assert_eq!(DecodeError::CorruptDeflate.close_code().as_u16(), 1007);
}

#[test]
fn decompressed_messages_have_a_limit() {
    let deflate = deflate(true, 15, 9);
    let mut server = Encoder::new(Role::Server, Some(&deflate));
    for limit in [100, SCRATCH_SIZE - 1, SCRATCH_SIZE, SCRATCH_SIZE + 1, 100_000] {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            server.shrink();
            let bytes = vec![b'x'; limit + 1];
            let frame = server.message(kind, &bytes[..limit]).to_vec();
            let messages = decode(&mut client(&deflate, limit), &frame).unwrap();
            assert_eq!(messages[0].as_bytes(), &bytes[..limit]);
            server.shrink();
            let frame = server.message(kind, &bytes).to_vec();
            let error = Err(DecodeError::DecompressedMessageTooBig);
            assert_eq!(decode(&mut client(&deflate, limit), &frame), error);
        }
    }
    // A thousandfold: little memory is taken for it.
    server.shrink();
    let frame = server.message(MessageKind::Binary, &vec![0; 20 << 20]).to_vec();
    assert!(frame.len() < 30_000);
    let mut client = client(&deflate, 1 << 20);
    assert_eq!(decode(&mut client, &frame), Err(DecodeError::DecompressedMessageTooBig));
    assert_eq!(client.memory(), 0);
    // The payload alone is over the limit.
    let mut client = self::client(&deflate, 1000);
    assert_eq!(decode(&mut client, &frame), Err(DecodeError::MessageTooBig));
}

#[test]
fn text_is_validated_as_it_is_decompressed() {
    let deflate = deflate(true, 15, 6);
    let mut server = Encoder::new(Role::Server, Some(&deflate));
    let mut invalid = text(1, 100_000).into_bytes();
    invalid[50_000] = 0xff;
    let payload = compressed(&mut server, &invalid).unwrap();
    let frame = frame(Opcode::Text, &payload);
    let mut client = client(&deflate, 1 << 20);
    let mut used = 0;
    let error = loop {
        used += 100;
        match client.decode(&mut frame[used - 100..used].to_vec()) {
            Ok(decoded) => assert_eq!(decoded.event, None),
            Err(error) => break error,
        }
    };
    assert_eq!(error, DecodeError::InvalidUtf8);
    assert!(used < frame.len() * 6 / 10, "{used} of {}", frame.len());
}

#[test]
fn prepared_messages_fit_among_others_with_context_takeover() {
    let deflate = deflate(true, 15, 6);
    let mut server = Encoder::new(Role::Server, Some(&deflate));
    let mut client = client(&deflate, 1 << 20);
    let shared = Prepared::new(Message::from(text(3, 2000)));
    for seed in [1, 3, 1] {
        let own = text(seed, 1500);
        let mut bytes = server.message(MessageKind::Text, own.as_bytes()).to_vec();
        bytes.extend(server.prepared(&shared));
        let expected = vec![Message::from(own), Message::from(text(3, 2000))];
        assert_eq!(decode(&mut client, &bytes), Ok(expected));
    }
}

#[test]
fn memory_is_bounded_and_returned() {
    let deflate = deflate(true, 10, 6);
    let mut server = Encoder::new(Role::Server, Some(&deflate));
    let mut client = client(&deflate, 1 << 20);
    for seed in 0..20 {
        let frame = server.message(MessageKind::Text, text(seed, 5000).as_bytes()).to_vec();
        decode(&mut client, &frame).unwrap();
    }
    assert_eq!((server.memory(), client.memory()), (1024, 1024));
    server.shrink();
    client.shrink();
    assert_eq!((server.memory(), client.memory()), (0, 1024));
    let pool = &deflate.pool;
    assert_eq!(pool.compressors.borrow().len(), 1);
    assert_eq!(pool.decompressors.borrow().len(), 1);
    for bits in 9..=15 {
        let window = WindowBits::new(bits).unwrap();
        pool.give_compressor(pool.take_compressor(Compression::new(6), window));
    }
    assert_eq!(pool.compressors.borrow().len(), KEPT_COMPRESSORS);
    let taken: Vec<_> = (0..2 * KEPT_DECOMPRESSORS).map(|_| pool.take_decompressor()).collect();
    taken.into_iter().for_each(|unused| pool.give_decompressor(unused));
    assert_eq!(pool.decompressors.borrow().len(), KEPT_DECOMPRESSORS);
}

#[test]
fn a_connection_that_ends_within_a_message_returns_its_decompressor() {
    let deflate = deflate(true, 15, 6);
    let mut client = client(&deflate, 1 << 20);
    let mut bytes = frame(Opcode::Text, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    bytes[0] = 0x41;
    bytes.extend(b"\x88\x00");
    assert_eq!(decode(&mut client, &bytes), Ok(vec![]));
    assert_eq!(deflate.pool.decompressors.borrow().len(), 1);
}

proptest! {
    #[test]
    fn compressed_messages_come_back(
        messages in proptest::collection::vec((any::<u32>(), 0..20_000_usize), 1..5),
        takeover in any::<bool>(),
        bits in 8..=15_u8,
        level in 1..=9_u8,
    ) {
        let deflate = deflate(takeover, bits, level);
        let mut server = Encoder::new(Role::Server, Some(&deflate));
        let mut client = client(&deflate, 1 << 20);
        for (seed, length) in messages {
            let text = text(seed % 3, length);
            let frame = server.message(MessageKind::Text, text.as_bytes()).to_vec();
            prop_assert_eq!(decode(&mut client, &frame), Ok(vec![Message::from(text)]));
        }
    }
}
