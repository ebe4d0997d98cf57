//! How many workers were replaced of late.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Counts restarts within a sliding window of time.
#[derive(Debug)]
pub(super) struct Restarts {
    limit: usize,
    window: Duration,
    /// When the last ones happened: never more than `limit`.
    recent: VecDeque<Instant>,
}

impl Restarts {
    pub(super) fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, recent: VecDeque::new() }
    }

    /// Whether one more may happen `now`, which is then counted.
    pub(super) fn allow(&mut self, now: Instant) -> bool {
        while self.recent.front().is_some_and(|&first| now - first >= self.window) {
            self.recent.pop_front();
        }
        let allowed = self.recent.len() < self.limit;
        if allowed {
            self.recent.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_for_any_span_of_the_window() {
        let mut restarts = Restarts::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let mut at = |seconds| restarts.allow(start + Duration::from_secs(seconds));
        assert!(at(0) && at(9));
        assert!(!at(9));
        assert!(at(10), "the first is forgotten");
        assert!(!at(18));
        assert!(at(19) && at(20));
        assert!(!at(20));
    }

    #[test]
    fn a_limit_of_0_allows_none() {
        assert!(!Restarts::new(0, Duration::from_secs(10)).allow(Instant::now()));
    }
}
