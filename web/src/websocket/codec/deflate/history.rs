//! The last bytes of the messages before.

use std::collections::VecDeque;

/// The last bytes that were compressed in one direction, up to a limit. Its memory grows with what
/// it holds.
#[derive(Debug, Default)]
pub(crate) struct History {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl History {
    /// An empty history that holds at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit }
    }

    /// Appends `bytes`, and forgets the first ones that exceed the limit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = last(bytes, self.limit);
        let excess = (self.bytes.len() + bytes.len()).saturating_sub(self.limit);
        self.bytes.drain(..excess);
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let room = needed.max(2 * self.bytes.capacity()).min(self.limit);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend(bytes);
    }

    /// The bytes, in two parts.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (first, second) = self.bytes.as_slices();
        [first, second]
    }

    /// How many bytes of memory it holds.
    #[cfg(any(test, feature = "internals"))]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets all bytes, and returns their memory.
    pub(super) fn clear(&mut self) {
        self.bytes = VecDeque::new();
    }

    /// Returns memory that is not needed for the bytes it holds.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// The last `count` of `bytes`, or all if there are fewer.
pub(super) fn last(bytes: &[u8], count: usize) -> &[u8] {
    &bytes[bytes.len().saturating_sub(count)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_last_bytes() {
        for limit in [0, 1, 7, 100] {
            let (mut history, mut all) = (History::new(limit), Vec::new());
            for length in [3, 0, 1, 50, 2, 120, 7, 99, 1] {
                let bytes: Vec<u8> =
                    (0..length).map(|byte: u8| byte.wrapping_add(all.len() as u8)).collect();
                history.push(&bytes);
                all.extend_from_slice(&bytes);
                assert_eq!(history.parts().concat(), last(&all, limit));
                assert!(history.memory() <= limit);
            }
            history.clear();
            assert_eq!((history.parts().concat(), history.memory()), (vec![], 0));
        }
    }

    #[test]
    fn memory_is_proportional_to_the_history() {
        let mut history = History::new(1 << 15);
        history.push(&[1; 100]);
        assert!(history.memory() < 200);
        history.push(&[1; 1]);
        history.shrink();
        assert!(history.memory() < 120);
    }
}
