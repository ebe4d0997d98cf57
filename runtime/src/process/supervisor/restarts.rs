//! When a worker that has died is replaced, and when no more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A worker that dies sooner after it was ready has probably served no request, and its replacement
/// will probably die as well.
pub(crate) const EARLY: Duration = Duration::from_secs(1);

/// How long the second replacement in a row waits; each one after it waits for twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// No replacement waits longer, because there may be no other worker left.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// Where the worker that is to be replaced goes on serving, there is time.
pub(crate) const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// Returns how long to wait before a worker is replaced, if the last `early` workers, this one
/// included, died early; at most `longest`. `chance` is from 0 to 1, and spreads workers that died
/// together.
pub(crate) fn delay(early: u32, longest: Duration, chance: f64) -> Duration {
    // The first one is replaced at once.
    let Some(doublings) = early.checked_sub(2) else { return Duration::ZERO };
    let delay = FIRST_DELAY.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
    delay.min(longest).mul_f64(0.75 + chance / 2.0)
}

/// Counts how many workers in a row have died before they had served for [`EARLY`].
#[derive(Debug, Default)]
pub(crate) struct EarlyDeaths {
    count: u32,
    last: Option<Instant>,
}

impl EarlyDeaths {
    /// A worker has died that had served for so long, if it was ready at all. `others` are the
    /// times at which those became ready that go on in its place. Returns how many in a row have
    /// died early by now, this one included.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        served: Option<Duration>,
        mut others: impl Iterator<Item = Instant>,
    ) -> u32 {
        // One that came after the last death, and has lasted: the row ended with it.
        let is_proof = |ready| self.last.is_none_or(|last| ready > last) && now - ready >= EARLY;
        if served.is_some_and(|served| served >= EARLY) || others.any(is_proof) {
            self.count = 0;
        }
        if served.is_none_or(|served| served < EARLY) {
            self.count = self.count.saturating_add(1);
            self.last = Some(now);
        }
        self.count
    }

    /// Forgets the early deaths.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Counts what happens within a sliding window of time.
#[derive(Debug)]
pub(crate) struct Restarts {
    limit: usize,
    window: Duration,
    /// When the last ones happened: never more than `limit`.
    recent: VecDeque<Instant>,
}

impl Restarts {
    pub(crate) fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, recent: VecDeque::new() }
    }

    /// Whether one more may happen `now`, which is then counted.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
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
        let early = [0, 1, 2, 3, 4, 6, 7, 8, u32::MAX];
        let delays = |chance| early.map(|early| delay(early, LONGEST_DELAY, chance));
        let milliseconds = [0, 0, 100, 200, 400, 1600, 2000, 2000, 2000];
        assert_eq!(delays(0.5), milliseconds.map(Duration::from_millis));
        assert_eq!(delay(2, LONGEST_DELAY, 0.0), Duration::from_millis(75));
        assert_eq!(delay(u32::MAX, LONGEST_DELAY, 1.0), Duration::from_millis(2500));
    }

    #[test]
    fn deaths_in_a_row_are_counted_until_a_worker_has_lasted() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let second = Some(Duration::from_secs(1));
        let mut deaths = EarlyDeaths::default();
        assert_eq!(deaths.note(at(0), None, [].into_iter()), 1);
        assert_eq!(deaths.note(at(1), Some(Duration::from_millis(999)), [].into_iter()), 2);
        assert_eq!(deaths.note(at(9), second, [].into_iter()), 0, "it has served");
        assert_eq!(deaths.note(at(10), None, [].into_iter()), 1);
        assert_eq!(deaths.note(at(11), None, [at(5)].into_iter()), 2, "it was there before");
        // The one that became ready after the last death serves until the next replacement fails.
        assert_eq!(deaths.note(at(9000), None, [at(12)].into_iter()), 1);
        assert_eq!(deaths.note(at(9001), None, [at(12)].into_iter()), 2);
        assert_eq!(deaths.note(at(9003), None, [at(9002)].into_iter()), 1);
        deaths.forget();
        assert_eq!(deaths.note(at(9004), None, [].into_iter()), 1);
    }
}
