//! The bytes after a head, in any pieces.
//!
//! The first byte chooses the framing, the next three where the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::{BodyFraming, BodyReader, Piece};
use squall_fuzz::pieces::{cuts, pieces};
use squall_fuzz::simple::{self, Found};

/// What is known of a body once its bytes were given to the decoder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    consumed: usize,
    done: bool,
    refused: Option<u16>,
}

fuzz_target!(|data: &[u8]| {
    let [framing, a, b, c, bytes @ ..] = data else { return };
    let framing = match framing {
        0..=15 => BodyFraming::Length(u64::from(*framing)),
        16 => BodyFraming::None,
        17 => BodyFraming::Length(u64::MAX),
        _ => BodyFraming::Chunked,
    };
    let seen = decode(framing, &[bytes]);
    let in_pieces = decode(framing, &pieces(bytes, &cuts([*a, *b, *c], bytes.len())));
    assert_eq!(seen, in_pieces, "it depends on how it arrives");
    let simple = simple::body(framing, bytes);
    match (&simple, seen.done) {
        (Found::Whole(body), true) => {
            assert_eq!((body.length, &body.data), (seen.consumed, &seen.data));
        }
        (Found::Malformed, false) => {}
        (Found::Incomplete, false) => {}
        // There are limits that the simple reader does not have.
        (Found::Whole(_), false) if seen.refused.is_some() && bytes.len() > 256 => {}
        _ => panic!("{simple:?}, but {seen:?}"),
    }
});

fn decode(framing: BodyFraming, pieces: &[&[u8]]) -> Seen {
    let mut reader = BodyReader::new(framing);
    let mut seen = Seen::default();
    let mut input: Vec<u8> = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while !seen.done {
            let announced = reader.announced();
            let used = match reader.decode(&input) {
                Ok(Piece::Data { skip, len }) => {
                    assert!(len > 0, "no data");
                    assert!(announced == 0 || skip == 0 && len as u64 <= announced);
                    seen.data.extend_from_slice(&input[skip..skip + len]);
                    skip + len
                }
                Ok(Piece::Skip(0)) => break,
                Ok(Piece::Skip(skip)) => skip,
                Ok(Piece::Done { skip }) => {
                    seen.done = true;
                    skip
                }
                Err(status) => {
                    seen.refused = Some(status);
                    // How much it looked at before depends on the pieces.
                    seen.consumed = 0;
                    return seen;
                }
            };
            seen.consumed += used;
            input.drain(..used);
        }
        assert!(!seen.done || reader.is_done());
    }
    seen
}
