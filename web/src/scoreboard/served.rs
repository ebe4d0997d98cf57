//! What a worker is serving at this moment, in one word: a reader in another process never sees
//! half of it.

/// The row of a request, and when its head was complete; whether its handler runs right now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Served(u64);

/// A handler runs. Without it, the word tells who ran last.
const RUNS: u64 = 1 << 63;

/// 2^47 ms are 4,400 years.
const SINCE_BITS: u32 = 47;

impl Served {
    /// A request of `row` since `since_ms`, on the clock of the scoreboard.
    pub(crate) fn new(row: u16, since_ms: u64) -> Self {
        let row = u64::from(row) << SINCE_BITS;
        Self(row | since_ms & ((1 << SINCE_BITS) - 1))
    }

    /// A word that was read from a page. `None`: no handler runs.
    pub(super) fn running(word: u64) -> Option<Self> {
        (word & RUNS != 0).then_some(Self(word & !RUNS))
    }

    /// The word once its handler waits, or is done.
    #[inline]
    pub(super) fn paused(word: u64) -> u64 {
        word & !RUNS
    }

    /// The request whose handler has run last.
    pub(super) fn last(word: u64) -> Self {
        Self(word & !RUNS)
    }

    pub(super) fn to_word(self) -> u64 {
        self.0 | RUNS
    }

    pub(crate) fn row(self) -> u16 {
        (self.0 >> SINCE_BITS) as u16
    }

    pub(crate) fn since_ms(self) -> u64 {
        self.0 & ((1 << SINCE_BITS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_and_time_come_back() {
        let serving = Served::new(511, 123_456_789_012);
        let read = Served::running(serving.to_word()).unwrap();
        assert_eq!((read.row(), read.since_ms()), (511, 123_456_789_012));
        let paused = Served::paused(serving.to_word());
        assert_eq!((Served::running(paused), Served::last(paused)), (None, serving));
    }

    #[test]
    fn an_absurd_time_does_not_change_the_row() {
        assert_eq!(Served::new(u16::MAX, u64::MAX).row(), u16::MAX);
        assert_eq!(Served::new(0, u64::MAX).row(), 0);
    }
}
