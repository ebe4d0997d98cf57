//! A compressed body, in any pieces, and with little or much room for what comes out.
//!
//! The first byte chooses the coding, the room, and whether the rest is compressed data or data
//! that is compressed first; the next three where it is cut.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use squall::fuzzing::BodyInflater;
use squall_fuzz::gunzip;
use squall_fuzz::pieces::{cuts, pieces};

/// More does not come out here, so that it is fast.
const MOST: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let [choice, a, b, c, bytes @ ..] = data else { return };
    let gzip = choice & 1 == 0;
    let room = [1, 7, 1000, MOST][usize::from(choice >> 1 & 3)];
    let cuts = |length| cuts([*a, *b, *c], length);
    if choice & 8 == 0 {
        compare(gzip, bytes, room, &cuts(bytes.len()));
        return;
    }
    // The data is cut as well, into members.
    let parts = if gzip { pieces(bytes, &cuts(bytes.len())) } else { vec![bytes] };
    let level = Compression::new(u32::from(choice >> 4) % 10);
    let mut compressed: Vec<u8> = parts.iter().flat_map(|p| compress(gzip, p, level)).collect();
    let cuts = cuts(compressed.len());
    let inflated = inflate(gzip, &pieces(&compressed, &cuts), room);
    assert_eq!(inflated.as_deref(), Ok(bytes), "what was compressed");
    // And with a fault in it.
    let at = (usize::from(*a) << 8 | usize::from(*b)) % compressed.len();
    compressed[at] ^= 1 << (c & 7);
    compare(gzip, &compressed, room, &cuts);
});

fn compress(gzip: bool, bytes: &[u8], level: Compression) -> Vec<u8> {
    if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).expect("memory");
        return encoder.finish().expect("memory");
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The same comes out however it arrives, and what does is what another reader finds.
fn compare(gzip: bool, bytes: &[u8], room: usize, cuts: &[usize]) {
    let whole = inflate(gzip, &[bytes], MOST);
    let in_pieces = inflate(gzip, &pieces(bytes, cuts), room);
    assert_eq!(whole, in_pieces, "it depends on how it arrives");
    if let Ok(data) = whole {
        assert_eq!(gunzip::inflate(gzip, bytes).as_ref(), Some(&data));
    }
}

/// What comes out, or the status that it is refused with.
fn inflate(gzip: bool, pieces: &[&[u8]], room: usize) -> Result<Vec<u8>, u16> {
    let mut inflater = BodyInflater::new(gzip);
    let (mut output, mut data) = (vec![0; room], Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let (used, filled) = inflater.inflate(rest, &mut output)?;
            assert!(used <= rest.len() && filled <= room);
            data.extend_from_slice(&output[..filled]);
            rest = &rest[used..];
            if data.len() > MOST * 16 {
                return Err(413);
            }
            if rest.is_empty() && filled < room {
                break;
            }
        }
    }
    inflater.end().map(|()| data)
}
