//! How long a worker's loop has been in the same turn.

use std::mem;
use std::time::Duration;

/// How often to check whether a worker hangs. A client that connects to such a worker is accepted
/// within this time and [`ForkOptions::adopt_after`](crate::process::ForkOptions::adopt_after).
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// The turns of one worker, as the supervisor has seen them.
///
/// Only time in which the worker could run counts: not while it was suspended, nor while the
/// supervisor could not run either, as in a container that is paused.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// The turn that was seen at the last look.
    turn: Option<u64>,
    /// When that was.
    looked: u64,
    /// How long the turn has lasted.
    lasted: Duration,
    was_suspended: bool,
}

impl Stall {
    /// The worker is suspended, or was since the last look.
    pub(super) fn suspended(&mut self) {
        self.was_suspended = true;
    }

    /// Looks at the `turn` of a worker and returns how long it has lasted. `None` is a loop that
    /// waits. Times are in milliseconds, as [`SlotPage::now`](crate::process::SlotPage::now)
    /// counts them.
    pub(super) fn look(&mut self, now: u64, turn: Option<u64>) -> Duration {
        // More than the time between two looks is time in which this process did not run.
        let passed = Duration::from_millis(now.saturating_sub(self.looked)).min(LOOK);
        let passed = if mem::take(&mut self.was_suspended) { Duration::ZERO } else { passed };
        self.looked = now;
        self.lasted = match turn {
            None => Duration::ZERO,
            Some(_) if self.turn == turn => self.lasted + passed,
            Some(begun) => passed.min(Duration::from_millis(now.saturating_sub(begun))),
        };
        self.turn = turn;
        self.lasted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time of a look.
    const EACH: u64 = LOOK.as_millis() as u64;

    #[test]
    fn a_turn_lasts_from_its_beginning_to_the_last_look() {
        let mut stall = Stall::default();
        stall.look(EACH, None);
        let mut look = |looks, turn| stall.look(looks * EACH, turn).as_millis() as u64;
        assert_eq!(look(2, Some(2 * EACH - 70)), 70);
        assert_eq!(look(3, Some(2 * EACH - 70)), 70 + EACH);
        assert_eq!(look(4, Some(2 * EACH - 70)), 70 + 2 * EACH);
        assert_eq!(look(5, Some(5 * EACH - 1)), 1);
        assert_eq!(look(6, None), 0);
    }

    #[test]
    fn time_in_which_the_worker_is_suspended_does_not_count() {
        let mut stall = Stall::default();
        stall.look(EACH, None);
        assert_eq!(stall.look(2 * EACH, Some(EACH)), LOOK);
        for looks in 3..100 {
            stall.suspended();
            assert_eq!(stall.look(looks * EACH, Some(EACH)), LOOK);
        }
        assert_eq!(stall.look(100 * EACH, Some(EACH)), 2 * LOOK);
    }

    #[test]
    fn time_in_which_the_supervisor_does_not_look_counts_once() {
        let mut stall = Stall::default();
        stall.look(EACH, None);
        assert_eq!(stall.look(2 * EACH, Some(EACH)), LOOK);
        assert_eq!(stall.look(1000 * EACH, Some(EACH)), 2 * LOOK);
        assert_eq!(stall.look(1001 * EACH, Some(EACH)), 3 * LOOK);
        assert_eq!(stall.look(2000 * EACH, Some(1100 * EACH)), LOOK);
    }
}
