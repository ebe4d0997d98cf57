//! Requests in flight, as words of a page. Each is one word, so that a reader in another process
//! never sees half of it.

/// A request whose handler is running: its series, and when its head was complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InFlight(u64);

/// Set while the handler runs. Without this bit, the word names the request whose handler ran last.
const IS_RUNNING: u64 = 1;

/// The time is below the series, without its lowest 16 bits, which are less than a tenth of a
/// millisecond.
const TIME_BITS: u32 = 48;
const TIME_SHIFT: u32 = u64::BITS - TIME_BITS;

impl InFlight {
    /// No request.
    pub(crate) const NONE: Self = Self(0);

    /// Takes the number of the series, and the time in nanoseconds on the clock of the scoreboard.
    #[inline]
    pub(crate) fn new(series: u16, since: u64) -> Self {
        Self(u64::from(series) << TIME_BITS | since >> TIME_SHIFT | IS_RUNNING)
    }

    /// Decodes the word of a page. Returns `None` if no handler is running.
    pub(super) fn running(word: u64) -> Option<Self> {
        (word & IS_RUNNING != 0).then_some(Self(word))
    }

    /// Returns the word for a handler that waits or has ended.
    #[inline]
    pub(super) fn paused(word: u64) -> u64 {
        word & !IS_RUNNING
    }

    /// Decodes the word of a page: the request whose handler is running or ran last.
    pub(super) fn last(word: u64) -> Self {
        Self(word | IS_RUNNING)
    }

    #[inline]
    pub(super) fn to_word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn series(self) -> u16 {
        (self.0 >> TIME_BITS) as u16
    }

    /// Returns the time in milliseconds, exact to one.
    pub(crate) fn since_ms(self) -> u64 {
        ((self.0 & !IS_RUNNING) << TIME_SHIFT) / 1_000_000
    }
}

/// The number of requests that were lost with earlier processes of a page.
///
/// The word also holds the generation of the process that wrote it. Otherwise a reader could take
/// the requests in flight of a dead process for those of the next one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lost {
    generation: u32,
    count: u32,
}

impl Lost {
    pub(super) fn from_word(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, count: word as u32 }
    }

    pub(super) fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.count)
    }

    /// Adds `more` lost requests. The process of `generation` takes over the page.
    pub(super) fn add(self, generation: u64, more: u64) -> Self {
        Self { generation: generation as u32, count: self.count.wrapping_add(more as u32) }
    }

    /// Whether the process of this generation has taken over the page.
    pub(super) fn is_of(self, generation: u64) -> bool {
        self.generation == generation as u32
    }

    pub(super) fn count(self) -> u64 {
        self.count.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_and_time_are_decoded() {
        // More than a hundred years.
        let since_ms = 4_000_000_000_000;
        let request = InFlight::new(511, since_ms * 1_000_000);
        let read = InFlight::running(request.to_word()).unwrap();
        assert_eq!(read.series(), 511);
        assert!((since_ms - 1..=since_ms).contains(&read.since_ms()), "{}", read.since_ms());
        let paused = InFlight::paused(request.to_word());
        assert_eq!((InFlight::running(paused), InFlight::last(paused)), (None, request));
    }

    #[test]
    fn an_absurd_time_does_not_change_the_series() {
        assert_eq!(InFlight::new(u16::MAX, u64::MAX).series(), u16::MAX);
        assert_eq!(InFlight::new(0, u64::MAX).series(), 0);
    }

    #[test]
    fn lost_requests_are_decoded() {
        let lost = Lost::from_word(0).add(7, 3).add(u64::from(u32::MAX) + 9, 2);
        let read = Lost::from_word(lost.to_word());
        assert_eq!((read, read.count()), (lost, 5));
        assert!(read.is_of(u64::from(u32::MAX) + 9) && !read.is_of(7));
    }
}
