//! Texts in words: the names of routes and metrics, written once and read by other processes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BYTES: usize = size_of::<u64>();

/// The location of a text: its offset and its length in bytes, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TextLocation(u64);

impl TextLocation {
    pub(super) fn from_word(word: u64) -> Self {
        Self(word)
    }

    pub(super) fn to_word(self) -> u64 {
        self.0
    }

    fn offset(self) -> usize {
        (self.0 >> 32) as usize
    }

    fn len(self) -> usize {
        self.0 as u32 as usize
    }
}

/// Appends `text` to `area`, whose first `used` bytes are taken. Returns `None` if there is no
/// room.
pub(super) fn push(area: &[AtomicU64], used: &AtomicU64, text: &str) -> Option<TextLocation> {
    let offset = used.load(Relaxed) as usize;
    let words = area.get(offset / BYTES..)?;
    if text.len() > words.len() * BYTES {
        return None;
    }
    for (word, bytes) in words.iter().zip(text.as_bytes().chunks(BYTES)) {
        let mut padded = [0; BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(padded), Relaxed);
    }
    let end = offset + text.len().next_multiple_of(BYTES);
    used.store(end as u64, Relaxed);
    Some(TextLocation((offset as u64) << 32 | text.len() as u64))
}

/// Reads the text at `location`. A broken worker may have written anything, so a location outside
/// `area` gives only the bytes inside it.
pub(super) fn read(area: &[AtomicU64], location: TextLocation) -> String {
    let words = area.iter().skip(location.offset() / BYTES);
    let bytes = words.flat_map(|word| word.load(Relaxed).to_ne_bytes());
    let bytes: Vec<u8> = bytes.take(location.len()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_were_written_until_there_is_no_room() {
        let area: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let used = AtomicU64::new(0);
        let long = push(&area, &used, "GET /größe").unwrap();
        let empty = push(&area, &used, "").unwrap();
        let short = push(&area, &used, "12345678").unwrap();
        assert_eq!(push(&area, &used, "123456789"), None);
        let last = push(&area, &used, "x").unwrap();
        assert_eq!(push(&area, &used, "y"), None);
        for (location, text) in
            [(long, "GET /größe"), (empty, ""), (short, "12345678"), (last, "x")]
        {
            assert_eq!(read(&area, TextLocation::from_word(location.to_word())), text);
        }
    }

    #[test]
    fn a_location_outside_the_area_is_cut() {
        let area = [AtomicU64::new(u64::from_ne_bytes(*b"abcdefgh"))];
        assert_eq!(read(&area, TextLocation::from_word(u64::from(u32::MAX))), "abcdefgh");
        assert_eq!(read(&area, TextLocation::from_word(u64::MAX)), "");
    }
}
