//! Splits a path at its slashes.

use std::cell::Cell;
use std::ops::Range;

/// Memory for the positions of the slashes of a path, reused from path to path.
#[derive(Debug)]
pub(super) struct Slashes {
    /// The positions, followed by the length of the path.
    positions: Box<[Cell<u32>]>,
}

/// The slashes of a path.
#[derive(Clone, Copy)]
pub(super) struct Split<'a> {
    /// The positions of the slashes, followed by the length of the path. If there are more slashes
    /// than the limit, the last segment holds the rest.
    pub(super) bounds: &'a [Cell<u32>],
    pub(super) has_percent: bool,
}

impl Slashes {
    /// Notes at most `limit` slashes.
    pub(super) fn new(limit: usize) -> Self {
        Self { positions: vec![Cell::new(0); limit + 1].into() }
    }

    /// Finds the slashes of `path`, which must be shorter than 4 GiB.
    ///
    /// It checks eight bytes at a time. Paths are too short for a search with larger words to pay
    /// off.
    #[inline]
    pub(super) fn split(&self, path: &[u8]) -> Split<'_> {
        let room = &self.positions[..self.positions.len() - 1];
        let mut percents = 0;
        let mut count = 0;
        let mut check = |start: usize, word: u64| {
            percents |= find_any(word, b'%');
            let mut slashes = find_each(word, b'/');
            while slashes != 0
                && let Some(position) = room.get(count)
            {
                position.set(start as u32 + slashes.trailing_zeros() / 8);
                count += 1;
                slashes &= slashes - 1;
            }
        };

        let (words, rest) = path.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            check(index * 8, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = match path.last_chunk::<8>() {
                Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
                None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
            check(words.len() * 8, word);
        }

        let bounds = &self.positions[..=count];
        bounds[count].set(path.len() as u32);
        Split { bounds, has_percent: percents != 0 }
    }
}

/// Returns the segment between two of the bounds of `path`.
pub(super) fn segment(slash: &Cell<u32>, next: &Cell<u32>) -> Range<usize> {
    slash.get() as usize + 1..next.get() as usize
}

const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns a word with the highest bit of each byte set that equals `byte`.
fn find_each(word: u64, byte: u8) -> u64 {
    // Equal bytes become zero. Adding 0x7f then leaves their highest bit unset. There is no carry
    // from one byte to the next.
    let difference = word ^ all(byte);
    !(((difference & all(0x7f)) + all(0x7f)) | difference | all(0x7f))
}

/// Returns zero if no byte of `word` equals `byte`. Otherwise the lowest bit that is set is the
/// highest bit of the first such byte.
pub(super) fn find_any(word: u64, byte: u8) -> u64 {
    // The subtraction borrows only at a zero byte, and at bytes after one.
    let difference = word ^ all(byte);
    difference.wrapping_sub(all(1)) & !difference & all(0x80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segments(path: &str, limit: usize) -> Vec<&str> {
        let slashes = Slashes::new(limit);
        let bounds = slashes.split(path.as_bytes()).bounds;
        bounds.windows(2).map(|pair| &path[segment(&pair[0], &pair[1])]).collect()
    }

    #[test]
    fn segments_are_between_slashes() {
        assert_eq!(segments("/", 9), [""]);
        assert_eq!(segments("/a", 9), ["a"]);
        assert_eq!(segments("/sum/12/34", 9), ["sum", "12", "34"]);
        assert_eq!(segments("//a//", 9), ["", "a", "", ""]);
        assert!(segments("", 9).is_empty());
        assert!(segments("abc", 9).is_empty());
    }

    #[test]
    fn the_last_segment_holds_the_rest() {
        assert_eq!(segments("/a/b/c", 2), ["a", "b/c"]);
        assert_eq!(segments("/a/b/c", 3), ["a", "b", "c"]);
        assert!(segments("/a", 0).is_empty());
    }

    proptest! {
        #[test]
        fn each_slash_and_each_percent_sign_is_found(
            path in "[/%.$&a-c\u{7f}\u{80}\u{af}\u{a5}]{0,30}", limit in 0_usize..40,
        ) {
            let slashes = Slashes::new(limit);
            prop_assert_eq!(slashes.split(path.as_bytes()).has_percent, path.contains('%'));
            let count = path.matches('/').count().min(limit);
            let expected: Vec<_> = path.splitn(count + 1, '/').skip(1).collect();
            prop_assert_eq!(segments(&path, limit), expected);
        }
    }
}
