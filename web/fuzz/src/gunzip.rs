//! A reader of gzip and zlib around another inflater, which has all of it at once.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// What comes out of `bytes`, if they are all there and nothing is behind them.
pub fn inflate(gzip: bool, bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    if !gzip {
        let (data, used) = stream(bytes, TINFL_FLAG_PARSE_ZLIB_HEADER)?;
        return (used == bytes.len()).then_some(data);
    }
    let (mut all, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let behind = header(rest)?;
        let (data, used) = stream(behind, 0)?;
        let (sums, behind) = behind[used..].split_at_checked(8)?;
        let length = (data.len() as u32).to_le_bytes();
        if sums[..4] != crc32(&data).to_le_bytes() || sums[4..] != length {
            return None;
        }
        all.extend_from_slice(&data);
        rest = behind;
    }
    Some(all)
}

/// What is behind the header of a member (RFC 1952 §2.3).
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = bytes else { return None };
    if flags & 0xe0 != 0 {
        return None;
    }
    let mut rest = rest;
    if flags & 4 != 0 {
        let (length, behind) = rest.split_first_chunk()?;
        rest = behind.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        let (sum, behind) = rest.split_first_chunk()?;
        let header = &bytes[..bytes.len() - rest.len()];
        if u16::from_le_bytes(*sum) != crc32(header) as u16 {
            return None;
        }
        rest = behind;
    }
    Some(rest)
}

/// The data of one stream, and how long that is compressed.
fn stream(bytes: &[u8], flags: u32) -> Option<(Vec<u8>, usize)> {
    let flags = flags | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = DecompressorOxide::new();
    let (mut data, mut used, mut filled) = (vec![0; 4096], 0, 0);
    loop {
        let input = &bytes[used..];
        let (status, taken, given) = decompress(&mut state, input, &mut data, filled, flags);
        used += taken;
        filled += given;
        match status {
            TINFLStatus::Done => {
                data.truncate(filled);
                return Some((data, used));
            }
            TINFLStatus::HasMoreOutput => data.resize(data.len() * 2, 0),
            _ => return None,
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}
