//! How much one task may do before it lets the others run.
//!
//! A socket that is always ready would otherwise keep its task busy for ever: nothing on the
//! way returns `Pending`. So whatever is ready at once costs one unit, and a task that has spent
//! its units is woken again and must wait for its next turn.

use std::cell::Cell;
use std::task::{Context, Poll, ready};

/// Operations per run of a task. Enough to amortise the turn that follows, and few enough that
/// a turn of a hundred greedy tasks still takes only some milliseconds.
const OPERATIONS: u32 = 128;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(OPERATIONS) };
}

/// Begins the run of a task.
#[inline]
pub(crate) fn refill() {
    LEFT.set(OPERATIONS);
}

/// Says whether the running task may go on. If not, it has been woken for its next turn.
#[inline]
pub(crate) fn poll_left(cx: &mut Context<'_>) -> Poll<()> {
    if LEFT.get() == 0 {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Counts one operation that was ready at once, after [`poll_left`] has said that it may be.
#[inline]
pub(crate) fn spend() {
    LEFT.set(LEFT.get() - 1);
}

/// Both at once, for what cannot fail to be ready: `Pending` is returned in the place of an
/// operation, not after it.
#[inline]
pub(crate) fn poll_spend(cx: &mut Context<'_>) -> Poll<()> {
    ready!(poll_left(cx));
    spend();
    Poll::Ready(())
}
