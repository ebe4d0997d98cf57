//! How long requests took.

use std::time::Duration;

/// Up to here each number has a bucket; from here on each power of two has half as many, so that
/// a figure is at most a 16th too high.
const PARTS: u32 = 32;

/// Counts, by their size, in nanoseconds.
#[derive(Debug)]
pub struct Latencies {
    counts: Vec<u32>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1] }
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        self.counts[bucket(latency.as_nanos() as u64)] += 1;
    }

    /// The latency that the given fraction of requests (0.5 for the median) did not exceed.
    pub fn quantile(&self, part: f64) -> Duration {
        let all: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let mut left = (all as f64 * part).ceil().max(1.0) as u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            left = left.saturating_sub(u64::from(count));
            if left == 0 {
                return Duration::from_nanos(highest(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let shift = (nanoseconds / u64::from(PARTS)).checked_ilog2().map_or(0, |log| log + 1);
    let part = nanoseconds >> shift;
    (shift * PARTS / 2) as usize + part as usize
}

fn highest(bucket: usize) -> u64 {
    let half = (PARTS / 2) as usize;
    if bucket < PARTS as usize {
        return bucket as u64;
    }
    let shift = (bucket - half) / half;
    let part = bucket - shift * half;
    ((part as u64) << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_that_is_at_most_a_sixteenth_wide() {
        for shift in 0..64 {
            for number in [1_u64 << shift, (1 << shift) + (1 << shift >> 1), (1 << shift) - 1] {
                let highest = highest(bucket(number));
                assert!(highest >= number, "{number}: {highest}");
                assert!(highest - number <= number / 16, "{number}: {highest}");
            }
        }
        assert_eq!(highest(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_are_found() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), Duration::ZERO);
        (1..=20).for_each(|number| latencies.add(Duration::from_nanos(number)));
        assert_eq!(latencies.quantile(0.0), Duration::from_nanos(1));
        assert_eq!(latencies.quantile(0.5), Duration::from_nanos(10));
        assert_eq!(latencies.quantile(1.0), Duration::from_nanos(20));
    }
}
