//! The requests per second in the last few seconds.
//!
//! All viewers share the earlier counts. So two viewers that refresh shortly after one another do
//! not see the rate of a fraction of a second.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::scoreboard::reading::{Requests, RouteName};
use crate::scoreboard::summary::Summary;

/// The shortest time that a rate covers: a little less than the page waits before it refreshes.
const SHORTEST: Duration = Duration::from_millis(1500);

/// Counts are kept at least this far apart.
const MIN_DISTANCE: Duration = Duration::from_millis(500);

/// The counts of some recent moments.
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
    /// Calls `show` with the latest moment that is long enough ago, if there is one. Keeps the
    /// counts of this moment for later calls.
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
        if counted.back().is_none_or(|last| now.saturating_duration_since(last.at) >= MIN_DISTANCE)
        {
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
    /// Returns the rate of all requests. `now` is their present number.
    pub(super) fn of_all(&self, now: u64) -> f64 {
        self.rate(now, self.before.all)
    }

    /// Returns the rate of the requests to a route. `now` is their present number.
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

    use crate::scoreboard::histogram::Counts;

    /// A server with 10 requests a second.
    fn summary(millis: u64) -> Summary {
        let mut classes = [0; 7];
        classes[2] = millis / 100;
        let name = RouteName { route: "/".to_owned(), method: "GET".to_owned() };
        let mut summary = Summary::default();
        summary.routes.insert(name, Requests { classes, times: Counts::new() });
        summary
    }

    /// Returns the rate that a viewer sees, and the time that it covers.
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
    fn a_viewer_sees_the_rate_since_the_last_refresh() {
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
                    // Exact to one request.
                    assert!((rate - 10.0).abs() < 0.6, "{rate}");
                    assert!((1_500..=2_500).contains(&millis), "{millis}");
                }
            }
            assert!(rates.0.borrow().len() <= 5, "{}", rates.0.borrow().len());
        }
    }
}
