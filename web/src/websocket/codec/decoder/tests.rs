use proptest::prelude::*;

use super::*;
use crate::websocket::codec::close::CloseCode;
use crate::websocket::codec::deflate::DeflatePool;
use crate::websocket::codec::deflate::params::{CompressionOptions, DeflateParams};
use crate::websocket::codec::encoder::Encoder;
use crate::websocket::codec::mask::MaskKey;

mod messages;
mod split;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) fn deflate() -> Deflate {
    Deflate {
        pool: DeflatePool::new(),
        params: DeflateParams::default(),
        options: CompressionOptions { level: 6, min_size: 0, binary: true },
    }
}

/// A frame of a client whose first byte is `first`.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some(MaskKey::new(KEY)))
}

/// A frame of a server whose first byte is `first`.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

fn frame(first: u8, payload: &[u8], mask: Option<MaskKey>) -> Vec<u8> {
    let length = payload.len() as u64;
    let header = FrameHeader { fin: true, compressed: false, opcode: Opcode::Text, mask, length };
    let mut frame = header.encode().as_slice().to_vec();
    frame[0] = first;
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(mut key) = mask {
        key.apply(&mut frame[start..]);
    }
    frame
}

/// All that happens when `pieces` are received one after the other.
fn events<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<DecodeError>) {
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while !rest.is_empty() {
            match decoder.decode(rest) {
                Ok(Decoded { used, event }) => {
                    assert!(used > 0);
                    assert!(event.is_some() || used == rest.len(), "input is left over");
                    events.extend(event);
                    rest = &mut rest[used..];
                }
                Err(error) => {
                    assert_eq!(decoder.decode(&mut []), Err(error), "the error stays");
                    return (events, Some(error));
                }
            }
        }
    }
    (events, None)
}

/// The events that a server without compression reads in `bytes`, however they are cut.
fn server(bytes: &[u8]) -> (Vec<Event>, Option<DecodeError>) {
    with_limits(bytes, Limits::default())
}

fn with_limits(bytes: &[u8], limits: Limits) -> (Vec<Event>, Option<DecodeError>) {
    let decoder = || Decoder::new(Role::Server, limits, None);
    let whole = events(&mut decoder(), [bytes]);
    if bytes.len() < 10_000 {
        assert_eq!(events(&mut decoder(), bytes.chunks(1)), whole, "byte by byte");
        for cut in 0..bytes.len().min(300) {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(events(&mut decoder(), [first, second]), whole, "cut at {cut}");
        }
    }
    whole
}

fn text(text: &str) -> Event {
    Event::Message(Message::from(text))
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message::from(bytes))
}

fn one(event: Event) -> (Vec<Event>, Option<DecodeError>) {
    (vec![event], None)
}

fn refused(error: DecodeError) -> (Vec<Event>, Option<DecodeError>) {
    (Vec::new(), Some(error))
}
