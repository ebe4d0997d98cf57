//! The bytes of a WebSocket peer, in any pieces.
//!
//! The first byte chooses the side, the compression, and whether the rest is frames, or messages
//! that are made to frames first, or the extensions of a handshake; the next three where it is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::internals::{WebSocketDeflate, WebSocketEvent, WebSocketSide, websocket_extensions};
use squall_fuzz::frames;
use squall_fuzz::pieces::{cuts, pieces};

/// The longest message.
const MOST: usize = 1 << 16;

type Outcome = (Vec<WebSocketEvent>, Option<(u16, &'static str)>);

fuzz_target!(|data: &[u8]| {
    let [choice, a, b, c, bytes @ ..] = data else { return };
    let takeover = choice & 4 != 0;
    let deflate = WebSocketDeflate { takeover, window_bits: 8 + (b & 7), level: 1 + c % 9 };
    let side = WebSocketSide {
        is_server: choice & 1 == 0,
        max_frame_size: MOST / 2,
        max_message_size: if choice & 8 == 0 { MOST } else { 100 },
        deflate: (choice & 2 != 0).then_some(deflate),
    };
    let cuts = |length| cuts([*a, *b, *c], length);
    match choice >> 4 {
        0..=9 => compare(&side, bytes, &cuts(bytes.len())),
        10..=14 => {
            let messages = messages(bytes);
            let mut frames = encode(&side, &messages, choice & 0x10 != 0);
            if messages.iter().all(|message| length(message) <= side.max_message_size) {
                let read = read(&side, &pieces(&frames, &cuts(frames.len())), false);
                assert_eq!(read, (messages, None), "what was sent");
            }
            // And with a fault in it.
            if !frames.is_empty() {
                let at = (usize::from(*a) << 8 | usize::from(*b)) % frames.len();
                frames[at] ^= 1 << (c & 7);
                compare(&side, &frames, &cuts(frames.len()));
            }
        }
        _ => extensions(bytes),
    }
});

/// The same is read however it arrives, and it is what the plain reader finds.
fn compare(side: &WebSocketSide, bytes: &[u8], cuts: &[usize]) {
    let whole = read(side, &[bytes], false);
    assert_eq!(read(side, &pieces(bytes, cuts), false), whole, "it depends on how it arrives");
    let directly = read(side, &pieces(bytes, cuts), true);
    assert_eq!(directly, whole, "it depends on where it is received");
    // With a small window, the plain reader understands more.
    if side.deflate.is_some_and(|deflate| deflate.takeover && deflate.window_bits < 15) {
        return;
    }
    let (events, refused) = whole;
    let plain = frames::read(side.is_server, side.deflate.map(|d| d.takeover), bytes);
    let is_compressed = side.deflate.is_some();
    match refused {
        _ if plain.is_unsure => {
            let both = events.len().min(plain.events.len());
            assert_eq!(events[..both], plain.events[..both]);
        }
        // The plain reader knows no limits, and decompresses only whole messages.
        Some((1009, _)) => assert!(plain.events.starts_with(&events)),
        Some((1007, _)) if is_compressed => assert!(plain.events.starts_with(&events)),
        _ => {
            assert_eq!(events, plain.events);
            assert_eq!(refused.map(|refused| refused.0), plain.refused);
        }
    }
}

fn read(side: &WebSocketSide, pieces: &[&[u8]], directly: bool) -> Outcome {
    let (mut reader, mut events) = (side.reader(), Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let outcome = match directly {
            true => reader.read_directly(&mut piece, |event| events.push(event)),
            false => reader.read(&mut piece, |event| events.push(event)),
        };
        assert!(reader.memory() <= MOST + (1 << 15) + 200, "{} bytes", reader.memory());
        if outcome.is_err() {
            return (events, outcome.err());
        }
    }
    (events, None)
}

/// Makes messages of `bytes`.
fn messages(bytes: &[u8]) -> Vec<WebSocketEvent> {
    let mut messages = Vec::new();
    let mut bytes = bytes;
    while let [kind, length, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let times = usize::from(*kind >> 3);
        messages.push(match kind & 7 {
            0..=2 => WebSocketEvent::Text(String::from_utf8_lossy(payload).repeat(times)),
            3..=4 => WebSocketEvent::Binary(payload.repeat(times)),
            5 => WebSocketEvent::Ping(payload[..payload.len().min(125)].to_vec()),
            6 => WebSocketEvent::Pong(payload[..payload.len().min(125)].to_vec()),
            _ if rest.is_empty() => WebSocketEvent::Close(Some((1000, "bye".to_owned()))),
            _ => WebSocketEvent::Text(String::new()),
        });
        bytes = rest;
    }
    messages
}

fn length(message: &WebSocketEvent) -> usize {
    match message {
        WebSocketEvent::Text(text) => text.len(),
        WebSocketEvent::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

/// The frames that the peer of `side` makes.
fn encode(side: &WebSocketSide, messages: &[WebSocketEvent], shrink: bool) -> Vec<u8> {
    let peer = WebSocketSide { is_server: !side.is_server, ..side.clone() };
    let mut writer = peer.writer();
    let mut frames = Vec::new();
    for message in messages {
        frames.extend(writer.write(message));
        if shrink {
            writer.shrink();
        }
    }
    frames
}

/// Every response that a server makes is one that a client accepts.
fn extensions(bytes: &[u8]) {
    let values: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if let Ok(Some((response, is_accepted))) = websocket_extensions(&values) {
        assert!(is_accepted || response.contains("client_max_window_bits"), "{response}");
        assert!(response.is_ascii());
    }
}
