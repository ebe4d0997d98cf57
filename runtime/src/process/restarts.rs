//! When a worker that has died is replaced, and when no more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A worker that dies before it was ready for so long has not served anybody: the next one is
/// likely to end like it.
pub(super) const EARLY: Duration = Duration::from_secs(1);

/// How long the second replacement in a row waits; each one after it waits for twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// No replacement waits for longer: it may be that nobody else is left to serve.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// How long to wait with the replacement of a worker, when `early` in a row have died soon, this
/// one included. `chance` lies between 0 and 1: what fails together should not come back
/// together.
pub(super) fn delay(early: u32, chance: f64) -> Duration {
    // The first one is replaced at once.
    let Some(doublings) = early.checked_sub(2) else { return Duration::ZERO };
    let delay = FIRST_DELAY.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
    delay.min(LONGEST_DELAY).mul_f64(0.75 + chance / 2.0)
}

/// Counts what happens within a sliding window of time.
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

    #[test]
    fn the_first_is_immediate_and_then_each_waits_twice_as_long_up_to_a_limit() {
        let delays = |chance| [0, 1, 2, 3, 4, 6, 7, 8, u32::MAX].map(|early| delay(early, chance));
        let milliseconds = [0, 0, 100, 200, 400, 1600, 2000, 2000, 2000];
        assert_eq!(delays(0.5), milliseconds.map(Duration::from_millis));
        assert_eq!(delay(2, 0.0), Duration::from_millis(75));
        assert_eq!(delay(u32::MAX, 1.0), Duration::from_millis(2500));
    }
}
