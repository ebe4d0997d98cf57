//! Balances the connections of a listener that all workers share.

use crate::process::shared::scoreboard::{Scoreboard, SlotPage, State};

/// A worker whose turn has lasted longer will not accept a connection at once. In milliseconds.
const BUSY: u64 = 50;

/// Returns whether this worker has more than its share: over 9/8 of the mean number of connections
/// of the workers that could accept one now. It should then leave the next connection of a
/// [shared](crate::Listener::is_shared) listener to the others, which see it at the same time.
///
/// The numbers are those that workers [write](SlotPage::set_connections) on their pages.
///
/// # Examples
///
/// ```
/// assert!(!squall_runtime::process::is_crowded(), "a single process serves all connections");
/// ```
#[must_use]
pub fn is_crowded() -> bool {
    let (Some(scoreboard), Some(own)) = (Scoreboard::current(), Scoreboard::own_page()) else {
        return false;
    };
    let now = SlotPage::now();
    let is_able = |page: &SlotPage| {
        page.state() == State::Ready && page.turn().is_none_or(|turn| now < turn + BUSY)
    };
    let others = scoreboard.pages().filter(|page| page.index() != own.index()).filter(is_able);
    let (count, sum) = others.fold((1, own.connections()), |(count, sum), page| {
        (count + 1, sum.saturating_add(page.connections()))
    });
    exceeds(own.connections(), sum, count)
}

/// Whether `own` is over 9/8 of a mean.
fn exceeds(own: u64, sum: u64, count: u64) -> bool {
    own.saturating_mul(count).saturating_mul(8) > sum.saturating_mul(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_an_eighth_over_the_mean_is_too_much() {
        assert!(!exceeds(0, 0, 2) && !exceeds(5, 5, 1) && !exceeds(4, 8, 2));
        assert!(!exceeds(9, 16, 2) && exceeds(10, 17, 2));
        assert!(exceeds(1, 1, 2) && !exceeds(u64::MAX, u64::MAX, 1));
    }
}
