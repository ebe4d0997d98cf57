use std::cell::Cell;
use std::ops::Range;

/// Memory for where the slashes of a path are, as many as a table is concerned with.
///
/// It is used for path after path, by one thread.
#[derive(Debug)]
pub(super) struct Slashes {
    /// The positions, and after them the length of the path.
    positions: Box<[Cell<u32>]>,
}

/// Where the slashes of a path are.
#[derive(Clone, Copy)]
pub(super) struct Split<'a> {
    /// The positions of the slashes, from the first on, and then the length of the path. If
    /// there are more slashes than were to be noted, the last segment holds what is left.
    pub(super) bounds: &'a [Cell<u32>],
    pub(super) has_percent: bool,
}

impl Slashes {
    /// At most `limit` will be noted.
    pub(super) fn new(limit: usize) -> Self {
        Self { positions: vec![Cell::new(0); limit + 1].into() }
    }

    /// Finds the slashes of `path`, which must be shorter than 4 GiB.
    ///
    /// Eight bytes are looked at at once: paths are too short for a search with larger words
    /// to pay for its beginning.
    #[inline]
    pub(super) fn split(&self, path: &[u8]) -> Split<'_> {
        let room = &self.positions[..self.positions.len() - 1];
        let mut percents = 0;
        let mut count = 0;
        let mut look_at = |start: usize, word: u64| {
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
            look_at(index * 8, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = match path.last_chunk::<8>() {
                Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
                None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
            look_at(words.len() * 8, word);
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

/// Returns the highest bit of each byte of `word` that equals `byte`.
fn find_each(word: u64, byte: u8) -> u64 {
    // Zero where they are equal. Adding 0x7f then leaves the highest bit unset; nothing is
    // carried from one byte to the next.
    let difference = word ^ all(byte);
    !(((difference & all(0x7f)) + all(0x7f)) | difference | all(0x7f))
}

/// Returns zero if no byte of `word` equals `byte`; else the lowest bit that is set is the highest of
/// the first that does.
#[inline(always)]
pub(super) fn find_any(word: u64, byte: u8) -> u64 {
    // Only from a zero, and from bytes after one, does the subtraction borrow.
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
    fn segments_are_what_is_between_slashes() {
        assert_eq!(segments("/", 9), [""]);
        assert_eq!(segments("/a", 9), ["a"]);
        assert_eq!(segments("/sum/12/34", 9), ["sum", "12", "34"]);
        assert_eq!(segments("//a//", 9), ["", "a", "", ""]);
        assert!(segments("", 9).is_empty());
        assert!(segments("abc", 9).is_empty());
    }

    #[test]
    fn the_last_segment_noted_holds_what_is_left() {
        assert_eq!(segments("/a/b/c", 2), ["a", "b/c"]);
        assert_eq!(segments("/a/b/c", 3), ["a", "b", "c"]);
        assert!(segments("/a", 0).is_empty());
    }

    proptest! {
        #[test]
        fn each_slash_and_each_percent_sign_is_seen(
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
