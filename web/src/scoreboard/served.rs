//! What a worker is serving at this moment, in one word: a reader in another process never sees
//! half of it.

/// The row of a request, and when its head was complete: the word of one whose handler runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Served(u64);

/// A handler runs. Without it, the word tells who ran last. It is the lowest bit, which is taken back
/// in place.
const RUNS: u64 = 1;

/// The time lies below the row, without the 16 bits that make up less than a tenth of a millisecond.
const SINCE_BITS: u32 = 48;
const SINCE_UNIT: u32 = u64::BITS - SINCE_BITS;

impl Served {
    /// Of no request.
    pub(crate) const NONE: Self = Self(0);

    /// A request of `row` since so many nanoseconds, on the clock of the scoreboard.
    #[inline]
    pub(crate) fn new(row: u16, since: u64) -> Self {
        Self(u64::from(row) << SINCE_BITS | since >> SINCE_UNIT | RUNS)
    }

    /// A word that was read from a page. `None`: no handler runs.
    pub(super) fn running(word: u64) -> Option<Self> {
        (word & RUNS != 0).then_some(Self(word))
    }

    /// The word once its handler waits, or is done.
    #[inline]
    pub(super) fn paused(word: u64) -> u64 {
        word & !RUNS
    }

    /// The request whose handler has run last.
    pub(super) fn last(word: u64) -> Self {
        Self(word | RUNS)
    }

    #[inline]
    pub(super) fn to_word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn row(self) -> u16 {
        (self.0 >> SINCE_BITS) as u16
    }

    /// In milliseconds: to within one.
    pub(crate) fn since_ms(self) -> u64 {
        ((self.0 & !RUNS) << SINCE_UNIT) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_and_time_come_back() {
        // More than a hundred years.
        let since_ms = 4_000_000_000_000;
        let serving = Served::new(511, since_ms * 1_000_000);
        let read = Served::running(serving.to_word()).unwrap();
        assert_eq!(read.row(), 511);
        assert!((since_ms - 1..=since_ms).contains(&read.since_ms()), "{}", read.since_ms());
        let paused = Served::paused(serving.to_word());
        assert_eq!((Served::running(paused), Served::last(paused)), (None, serving));
    }

    #[test]
    fn an_absurd_time_does_not_change_the_row() {
        assert_eq!(Served::new(u16::MAX, u64::MAX).row(), u16::MAX);
        assert_eq!(Served::new(0, u64::MAX).row(), 0);
    }
}
