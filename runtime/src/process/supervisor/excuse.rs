//! Time in which processes could not run, and which therefore counts for no limit.
//!
//! A container that is paused, a terminal that suspends its foreground job, and `SIGSTOP` stop
//! processes without stopping their clock.

use std::time::{Duration, Instant};

use crate::log;

use super::Supervisor;
use super::slot::{Phase, Process};
use super::stop::Stage;

/// The supervisor wakes at least this often while there is a limit. A pause is not noticed if the
/// supervisor would have slept through it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// A supervisor that wakes later than this has not merely waited for a processor.
const PAUSE: Duration = Duration::from_secs(1);

/// One sleep of the supervisor, which ends in time unless the process cannot run.
pub(super) struct Nap {
    /// `None`: only an event ends it.
    pub(super) until: Option<Instant>,
}

impl Nap {
    /// A sleep that begins at `now` and must not last longer than `deadline`.
    pub(super) fn new(now: Instant, deadline: Option<Instant>) -> Self {
        Self { until: deadline.map(|deadline| deadline.clamp(now, now + LONGEST_SLEEP)) }
    }

    /// How long this process could not run, if it woke at `now`. A short delay is none.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.until?);
        (late >= PAUSE).then_some(late)
    }
}

impl Supervisor {
    /// Extends all limits by a `pause` in which this process, and so probably all, could not run.
    pub(super) fn excuse(&mut self, pause: Duration) {
        let text = format_args!("the supervisor could not run for {pause:?}: no limit counts that");
        log::info(log::GENERAL, text);
        self.each_process(|_, process| process.excuse(pause));
        self.excuse_successor(pause);
        self.checks.hooks.iter_mut().for_each(|hook| hook.1 += pause);
        self.takeover.others_dismissed.iter_mut().for_each(|since| *since += pause);
        if let Stage::Stopping { since } = &mut self.shutdown.stage {
            *since += pause;
        }
    }
}

impl Process {
    /// Extends its limits.
    fn excuse(&mut self, pause: Duration) {
        self.started += pause;
        self.suspended.iter_mut().for_each(|since| *since += pause);
        if let Phase::Leaving { since } | Phase::Aborted { since } = &mut self.phase {
            *since += pause;
        }
    }

    /// Notes that the worker was suspended. One that must end is continued.
    pub(super) fn was_suspended(&mut self) {
        self.stall.suspended();
        match self.phase {
            Phase::Leaving { .. } | Phase::Aborted { .. } => self.resume(),
            _ => drop(self.suspended.get_or_insert_with(Instant::now)),
        }
    }

    /// It goes on.
    pub(super) fn was_continued(&mut self) {
        self.stall.suspended();
        if let Some(since) = self.suspended.take() {
            self.excuse(since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_ends_much_too_late_was_a_pause() {
        let now = Instant::now();
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        let nap = Nap::new(now, Some(after(250)));
        assert_eq!(nap.until, Some(after(250)));
        assert_eq!(nap.pause(after(10)), None, "an event");
        assert_eq!(nap.pause(after(300)), None, "a busy machine");
        assert_eq!(nap.pause(after(60_250)), Some(Duration::from_secs(60)));
        assert_eq!(Nap::new(now, None).pause(after(60_000)), None, "there is no limit");
    }

    #[test]
    fn no_pause_is_slept_through_while_there_is_a_limit() {
        let now = Instant::now();
        let nap = Nap::new(now, Some(now + Duration::from_secs(3600)));
        assert_eq!(nap.pause(now + Duration::from_secs(31)), Some(Duration::from_secs(30)));
        let past = now.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(Nap::new(now, Some(past)).until, Some(now));
    }
}
