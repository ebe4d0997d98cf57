//! When a periodic callback runs next: arithmetic on times.

use std::time::{Duration, Instant};

/// Longer periods are cut to this, so that sums of times do not overflow.
const LONGEST_PERIOD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The times at which a periodic callback is due.
///
/// A period is the time from the start of one call to the start of the next. A call that takes
/// longer skips the missed times, and the schedule stays on multiples of the period.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    period: Duration,
    /// The part of the period by which a time moves at random, at most half of it either way.
    jitter: f64,
    /// When the next call is due.
    next: Instant,
}

impl Schedule {
    /// Makes a schedule that begins at `now`. [`advance`](Self::advance) computes the first time.
    pub(super) fn new(period: Duration, jitter: f64, now: Instant) -> Self {
        Self { period: period.min(LONGEST_PERIOD), jitter, next: now }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Moves on to the first time after `now`. `random` is from 0 to 1 and determines the jitter.
    pub(super) fn advance(&mut self, now: Instant, random: f64) {
        let period = self.jittered(random);
        match now.checked_duration_since(self.next) {
            Some(late) => self.next = now + (period - remainder(late, period)),
            // The clock went back. Keeping the schedule is harmless for a small step, which is the
            // usual case. Computing the same time again would call twice.
            None => self.next += period,
        }
    }

    fn jittered(&self, random: f64) -> Duration {
        if self.jitter == 0.0 {
            return self.period;
        }
        let factor = 1.0 + self.jitter * (random - 0.5);
        self.period.mul_f64(factor).max(Duration::from_nanos(1))
    }
}

/// Returns the remainder of `time` after whole periods.
fn remainder(time: Duration, period: Duration) -> Duration {
    Duration::from_nanos_u128(time.as_nanos() % period.as_nanos())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    /// Seconds, which may lie before the time they are added to.
    fn shift(time: Instant, seconds: f64) -> Instant {
        if seconds < 0.0 {
            time - Duration::from_secs_f64(-seconds)
        } else {
            time + Duration::from_secs_f64(seconds)
        }
    }

    /// The times of the calls, in seconds, of a schedule of 10 s begun at 1000 s whose calls
    /// take `durations`; a call with a negative duration ends before it began.
    fn calls(jitter: f64, durations: &[f64], randoms: &[f64]) -> Vec<f64> {
        let zero = Instant::now();
        let mut now = zero + Duration::from_secs(1000);
        let mut schedule = Schedule::new(PERIOD, jitter, now);
        let mut times = Vec::new();
        for (index, duration) in durations.iter().enumerate() {
            schedule.advance(now, randoms.get(index).copied().unwrap_or(0.5));
            times.push((schedule.next() - zero).as_secs_f64());
            now = shift(schedule.next(), *duration);
        }
        times
    }

    #[test]
    fn calls_that_take_no_time_keep_to_the_period() {
        assert_eq!(calls(0.0, &[0.0; 5], &[]), [1010.0, 1020.0, 1030.0, 1040.0, 1050.0]);
    }

    #[test]
    fn a_call_that_overruns_skips_the_times_it_missed() {
        let durations = [9.0, 9.0, 10.0, 11.0, 20.0, 20.0, 35.0, 35.0, 0.0, 0.0, 0.0];
        let expected = [
            1010.0, 1020.0, 1030.0, 1050.0, 1070.0, 1100.0, 1130.0, 1170.0, 1210.0, 1220.0, 1230.0,
        ];
        assert_eq!(calls(0.0, &durations, &[]), expected);
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let small = [-2.0, -1.0, -3.0, -2.0, 0.0];
        assert_eq!(calls(0.0, &small, &[]), [1010.0, 1020.0, 1030.0, 1040.0, 1050.0]);
        assert_eq!(calls(0.0, &[-100.0, 0.0, 0.0], &[]), [1010.0, 1020.0, 1030.0]);
    }

    #[test]
    fn jitter_moves_each_time_by_a_part_of_the_period() {
        let times = calls(0.5, &[0.0; 4], &[0.5, 1.0, 0.0, 0.75]);
        assert_eq!(times, [1010.0, 1022.5, 1030.0, 1041.25]);
    }

    #[test]
    fn extreme_periods_do_not_overflow() {
        let now = Instant::now();
        let mut longest = Schedule::new(Duration::MAX, 1.0, now);
        longest.advance(now, 1.0);
        assert!(longest.next() > now + LONGEST_PERIOD);

        let mut shortest = Schedule::new(Duration::from_nanos(1), 1.0, now);
        let late = now + LONGEST_PERIOD;
        shortest.advance(late, 0.0);
        assert_eq!(shortest.next(), late + Duration::from_nanos(1));
    }

    proptest! {
        #[test]
        fn the_next_time_is_the_first_multiple_after_now(
            period in 1..10_000_u64,
            durations in prop::collection::vec(0..100_000_u64, 1..50),
        ) {
            let begin = Instant::now();
            let period = Duration::from_micros(period);
            let mut schedule = Schedule::new(period, 0.0, begin);
            for duration in durations {
                let now = schedule.next() + Duration::from_micros(duration);
                schedule.advance(now, 0.5);
                prop_assert!(schedule.next() > now);
                prop_assert!(schedule.next() <= now + period);
                prop_assert_eq!((schedule.next() - begin).as_nanos() % period.as_nanos(), 0);
            }
        }
    }
}
