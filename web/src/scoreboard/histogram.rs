//! Durations in log-linear buckets: exact to a quarter, in a fixed number of words.

use std::time::Duration;

/// The number of buckets: four for each power of two of microseconds, up to 2^28 µs (268 seconds),
/// and one for everything longer.
pub(crate) const BUCKETS: usize = 4 * EXPONENTS + 1;

/// The last bucket begins at 2^28 µs.
const EXPONENTS: usize = 27;

/// The quarter of a float at which bucket 0 would begin if the first four were like the others.
const ZERO: usize = 4 * f64::MAX_EXP as usize;

/// Returns the bucket for a duration.
///
/// A bucket includes its upper bound and excludes its lower one, as in Prometheus.
#[inline]
pub(crate) fn bucket(nanos: u64) -> usize {
    let micros = nanos.saturating_sub(1) / 1000;
    if micros < 4 {
        return micros as usize;
    }
    // A float begins with its exponent, and the next two bits are the quarter.
    let quarters = (micros as f64).to_bits() >> (f64::MANTISSA_DIGITS - 1 - 2);
    (quarters as usize - ZERO).min(BUCKETS - 1)
}

/// Returns the upper bound of a bucket in microseconds. The last bucket has none.
pub(crate) fn bound(bucket: usize) -> Option<u64> {
    match bucket {
        0..4 => Some(bucket as u64 + 1),
        _ if bucket >= BUCKETS - 1 => None,
        _ => {
            let (exponent, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
            Some((4 + quarter + 1) << (exponent - 2))
        }
    }
}

/// The counts of a histogram, from one page or added up from several.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) buckets: [u64; BUCKETS],
    pub(crate) sum_nanos: u64,
    pub(crate) max_nanos: u64,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self { buckets: [0; BUCKETS], sum_nanos: 0, max_nanos: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, count)| *sum += count);
        self.sum_nanos = self.sum_nanos.wrapping_add(other.sum_nanos);
        self.max_nanos = self.max_nanos.max(other.max_nanos);
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the duration that the share `quantile` (such as 0.99) did not exceed: the upper
    /// bound of its bucket, or the maximum if that is less. Returns `None` for an empty histogram.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((count as f64 * quantile).ceil() as u64).clamp(1, count);
        let mut below = 0;
        let reached = |&(_, count): &(usize, &u64)| {
            below += count;
            below >= rank
        };
        let (bucket, _) = self.buckets.iter().enumerate().find(reached)?;
        let max = Duration::from_nanos(self.max_nanos);
        Some(bound(bucket).map_or(max, |bound| max.min(Duration::from_micros(bound))))
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        self.sum_nanos.checked_div(self.count()).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_ordered_and_each_is_at_most_a_quarter_of_its_bound_wide() {
        let bounds: Vec<u64> = (0..BUCKETS - 1).map(|bucket| bound(bucket).unwrap()).collect();
        assert_eq!(bounds[..9], [1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(bounds.last(), Some(&(1 << 28)));
        assert_eq!(bound(BUCKETS - 1), None);
        for pair in bounds.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[1] <= 4 || (pair[1] - pair[0]) * 4 <= pair[1], "{pair:?}");
        }
    }

    #[test]
    fn a_bucket_includes_its_upper_bound_and_excludes_its_lower_one() {
        for index in 0..BUCKETS - 1 {
            let nanos = bound(index).unwrap() * 1000;
            assert_eq!(bucket(nanos), index);
            assert_eq!(bucket(nanos + 1), index + 1);
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_bounds_of_buckets_and_at_most_the_maximum() {
        let mut counts = Counts::new();
        assert_eq!(counts.quantile(0.5), None);
        for millis in 1..=100 {
            counts.buckets[bucket(millis * 1_000_000)] += 1;
            counts.sum_nanos += millis * 1_000_000;
        }
        counts.max_nanos = 100_000_000;
        let at = |quantile| counts.quantile(quantile).unwrap();
        let half = at(0.5).as_secs_f64();
        assert!((0.050..=0.0625).contains(&half), "{half}");
        assert_eq!(at(1.0), Duration::from_millis(100));
        assert_eq!(counts.mean(), Some(Duration::from_micros(50_500)));
    }
}
