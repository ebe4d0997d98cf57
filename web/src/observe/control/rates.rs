//! How many requests there were per second, lately.
//!
//! What was shown to one viewer serves the others as well, so that two who look in turns do not
//! have each other see the rate of half a moment.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::scoreboard::reading::RouteName;
use crate::scoreboard::summary::{Requests, Summary};

/// A rate is of no shorter time than this: somewhat less than what the page waits between two.
const SHORTEST: Duration = Duration::from_millis(1500);

/// What was counted this shortly before says the same.
const APART: Duration = Duration::from_millis(500);

/// What was counted, at some moments.
#[derive(Default)]
pub(super) struct Rates(RefCell<VecDeque<Counted>>);

struct Counted {
    at: Instant,
    all: u64,
    routes: HashMap<RouteName, u64>,
}

/// An earlier moment, and the time since.
pub(super) struct Since<'a> {
    pub(super) time: Duration,
    before: &'a Counted,
}

impl Rates {
    /// Calls `show` with the latest moment that is long enough ago, if there is one, and notes this
    /// one.
    pub(super) fn since<R>(
        &self,
        now: Instant,
        summary: &Summary,
        show: impl FnOnce(Option<&Since<'_>>) -> R,
    ) -> R {
        let mut counted = self.0.borrow_mut();
        let is_old = |counted: &Counted| now.saturating_duration_since(counted.at) >= SHORTEST;
        while counted.get(1).is_some_and(is_old) {
            counted.pop_front();
        }
        let since = counted
            .front()
            .filter(|counted| is_old(counted))
            .map(|before| Since { time: now.saturating_duration_since(before.at), before });
        let shown = show(since.as_ref());
        if counted.back().is_none_or(|last| now.saturating_duration_since(last.at) >= APART) {
            counted.push_back(Counted::of(now, summary));
        }
        shown
    }
}

impl Counted {
    fn of(at: Instant, summary: &Summary) -> Self {
        let count = |(name, requests): (&RouteName, &Requests)| (name.clone(), requests.count());
        let routes: HashMap<_, _> = summary.routes.iter().map(count).collect();
        Self { at, all: routes.values().sum(), routes }
    }
}

impl Since<'_> {
    /// The rate of all requests, of which there are `now` so many.
    pub(super) fn of_all(&self, now: u64) -> f64 {
        self.rate(now, self.before.all)
    }

    /// That of a route.
    pub(super) fn of_route(&self, name: &RouteName, now: u64) -> f64 {
        self.rate(now, self.before.routes.get(name).copied().unwrap_or(0))
    }

    fn rate(&self, now: u64, before: u64) -> f64 {
        now.saturating_sub(before) as f64 / self.time.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::CLASSES;
    use crate::scoreboard::histogram::Counts;

    /// A server that has answered 10 requests a second.
    fn summary(millis: u64) -> Summary {
        let mut classes = [0; CLASSES];
        classes[2] = millis / 100;
        let name = RouteName { route: "/".to_owned(), method: "GET".to_owned() };
        let mut summary = Summary::empty();
        summary.routes.insert(name, Requests { classes, times: Counts::new() });
        summary
    }

    /// The rate that somebody is shown, and of which time.
    fn look(rates: &Rates, start: Instant, millis: u64) -> Option<(f64, u128)> {
        let summary = summary(millis);
        let (name, requests) = summary.routes.first_key_value().unwrap();
        rates.since(start + Duration::from_millis(millis), &summary, |since| {
            since.map(|since| {
                let rate = since.of_all(requests.count());
                assert_eq!(rate, since.of_route(name, requests.count()));
                (rate, since.time.as_millis())
            })
        })
    }

    #[test]
    fn a_viewer_is_shown_the_rate_since_the_last_refresh() {
        let (rates, start) = (Rates::default(), Instant::now());
        assert_eq!(look(&rates, start, 0), None);
        assert_eq!(look(&rates, start, 2_000), Some((10.0, 2_000)));
        assert_eq!(look(&rates, start, 4_000), Some((10.0, 2_000)));
        assert_eq!(look(&rates, start, 64_000), Some((10.0, 60_000)));
    }

    #[test]
    fn another_viewer_changes_nothing() {
        let (rates, start) = (Rates::default(), Instant::now());
        for turn in 0..20 {
            for viewer in [0, 10, 1_000, 1_001] {
                let shown = look(&rates, start, turn * 2_000 + viewer);
                if turn > 0 {
                    let (rate, millis) = shown.unwrap();
                    // As exact as one request is.
                    assert!((rate - 10.0).abs() < 0.6, "{rate}");
                    assert!((1_500..=2_500).contains(&millis), "{millis}");
                }
            }
            assert!(rates.0.borrow().len() <= 5, "{}", rates.0.borrow().len());
        }
    }
}
