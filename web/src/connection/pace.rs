use std::time::{Duration, Instant};

/// How far a client is behind the slowest pace that is allowed: time that was waited for it, less
/// the time for which what has come of it suffices.
///
/// It is never ahead: to have been fast is no right to be slow later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    behind: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// Begins to wait, or goes on.
    pub(super) fn wait(&mut self, now: Instant) {
        self.stop(now);
        self.waiting_since = Some(now);
    }

    /// Ends the wait, if there is one.
    pub(super) fn stop(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.behind += now.saturating_duration_since(since);
        }
    }

    /// Counts `bytes` that have passed, where `rate` of them must in each second. 0 is no rate.
    pub(super) fn advance(&mut self, bytes: u64, rate: u64) {
        let suffices_for = bytes.saturating_mul(1000).checked_div(rate);
        let time = suffices_for.map_or(Duration::MAX, Duration::from_millis);
        self.behind = self.behind.saturating_sub(time);
    }

    /// Whether it is not behind, and nothing waits for it.
    #[inline]
    pub(super) fn is_even(&self) -> bool {
        self.waiting_since.is_none() && self.behind == Duration::ZERO
    }

    /// How long the next bytes may take for a client that may be behind by `timeout`.
    pub(super) fn patience(&self, timeout: Duration) -> Duration {
        timeout.saturating_sub(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// How many times a client can be waited for that takes `pause` over `bytes` each time.
    fn waits(pace: &mut Pace, pause: u64, bytes: u64, rate: u64) -> Option<u32> {
        let mut now = Instant::now();
        (0..1000).find(|_| {
            pace.wait(now);
            if Duration::from_secs(pause) > pace.patience(TIMEOUT) {
                return true;
            }
            now += Duration::from_secs(pause);
            pace.stop(now);
            pace.advance(bytes, rate);
            false
        })
    }

    #[test]
    fn a_client_may_be_behind_for_as_long_as_the_time_out_is() {
        let rows = [
            (59, 1, Some(1)),
            (1, 1, Some(60)),
            (10, 1200, Some(11)),
            (10, 2399, None),
            (10, 2400, None),
            (60, 240 * 60, None),
            (61, 1 << 40, Some(0)),
        ];
        for (pause, bytes, expected) in rows {
            let counted = waits(&mut Pace::default(), pause, bytes, 240);
            assert_eq!(counted, expected, "{bytes} bytes each {pause} s");
        }
        assert_eq!(waits(&mut Pace::default(), 60, 1, 0), None, "there is no rate");
    }

    #[test]
    fn nobody_is_ahead() {
        let mut pace = Pace::default();
        pace.advance(u64::MAX, 1);
        assert_eq!(waits(&mut pace, 59, 1, 240), Some(1));
    }
}
