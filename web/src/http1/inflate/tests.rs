use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Decompresses `pieces`, at most `room` bytes at a time.
fn inflate<'a>(
    coding: ContentCoding,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    room: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut inflater = BodyInflater::new(coding);
    let (mut output, mut data) = (vec![0; room], Vec::new());
    for mut piece in pieces {
        loop {
            let InflateStep { used, filled } = inflater.inflate(piece, &mut output)?;
            data.extend_from_slice(&output[..filled]);
            piece = &piece[used..];
            if piece.is_empty() && filled < room {
                break;
            }
        }
    }
    inflater.end().map(|()| data)
}

fn whole(coding: ContentCoding, bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
    inflate(coding, [bytes], 1000)
}

#[test]
fn a_field_names_at_most_one_coding() {
    type Row = (&'static [&'static str], Result<Option<ContentCoding>, UnknownCoding>);
    let rows: [Row; 14] = [
        (&[], Ok(None)),
        (&[""], Ok(None)),
        (&["identity"], Ok(None)),
        (&["gzip"], Ok(Some(ContentCoding::Gzip))),
        (&["GZip"], Ok(Some(ContentCoding::Gzip))),
        (&["x-gzip"], Ok(Some(ContentCoding::Gzip))),
        (&["deflate"], Ok(Some(ContentCoding::Deflate))),
        (&["identity, gzip ,"], Ok(Some(ContentCoding::Gzip))),
        (&["identity", "gzip"], Ok(Some(ContentCoding::Gzip))),
        (&["br"], Err(UnknownCoding)),
        (&["gzipp"], Err(UnknownCoding)),
        (&["gzip, gzip"], Err(UnknownCoding)),
        (&["gzip", "deflate"], Err(UnknownCoding)),
        (&["gzip;q=1"], Err(UnknownCoding)),
    ];
    for (values, expected) in rows {
        let found = values
            .iter()
            .try_fold(None, |known, value| ContentCoding::take_in(known, value.as_bytes()));
        assert_eq!(found, expected, "{values:?}");
    }
}

#[test]
fn only_gzip_members_may_follow_one_another() {
    let (one, two) = (gzip(b"one, "), gzip(b"two"));
    let both = [one.clone(), gzip(b""), two].concat();
    assert_eq!(whole(ContentCoding::Gzip, &both).unwrap(), b"one, two");
    for rest in [&b"\0"[..], b"garbage", b"\x1f", b"\x1f\x8b", &one[..9]] {
        assert!(whole(ContentCoding::Gzip, &[&both, rest].concat()).is_err(), "{rest:?}");
    }
    let one = zlib(b"one, ");
    assert_eq!(whole(ContentCoding::Deflate, &one).unwrap(), b"one, ");
    for rest in [&b"\0"[..], b"garbage", &one] {
        assert!(whole(ContentCoding::Deflate, &[&one, rest].concat()).is_err(), "{rest:?}");
    }
}

#[test]
fn truncated_and_damaged_data_is_refused() {
    let data: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
    for (coding, bytes) in
        [(ContentCoding::Gzip, gzip(&data)), (ContentCoding::Deflate, zlib(&data))]
    {
        assert_eq!(whole(coding, &bytes).unwrap(), data);
        assert_eq!(whole(coding, b"").unwrap(), b"", "nothing is an empty body");
        for length in (1..100).chain(bytes.len() - 20..bytes.len()) {
            let cut = whole(coding, &bytes[..length]);
            assert_eq!(cut, Err(BodyError::CodingEnd), "{length} bytes");
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(whole(coding, &changed), Err(BodyError::Coding), "the sum is wrong");
    }
    assert_eq!(whole(ContentCoding::Gzip, &zlib(&data)), Err(BodyError::Coding));
    assert_eq!(whole(ContentCoding::Deflate, &gzip(&data)), Err(BodyError::Coding));
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
    bare.write_all(&data).unwrap();
    assert_eq!(whole(ContentCoding::Deflate, &bare.finish().unwrap()), Err(BodyError::Coding));
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_how_the_bytes_arrive(
        parts in prop::collection::vec(prop::collection::vec(0_u8..4, 0..3000), 1..4),
        piece in 1_usize..2000,
        room in 1_usize..2000,
    ) {
        let data = parts.concat();
        let members: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
        prop_assert_eq!(inflate(ContentCoding::Gzip, members.chunks(piece), room).unwrap(), &data[..]);
        let stream = zlib(&data);
        prop_assert_eq!(inflate(ContentCoding::Deflate, stream.chunks(piece), room).unwrap(), &data[..]);
    }
}
