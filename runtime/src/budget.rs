//! How much a task may do before other tasks run.
//!
//! A socket that is always ready would otherwise keep its task busy for ever, because nothing
//! returns `Pending`. So each operation that is ready at once spends one unit. If no unit is left,
//! the operation is refused: it wakes its task, and the task gets new units in its next turn.
//!
//! Another future of the task may then spend all units first. So a refused operation remembers this
//! and is not refused again. Otherwise a time limit would never end a busy future.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Operations per run of a task. Enough to outweigh the cost of a turn, and few enough that a turn
/// of a hundred busy tasks takes only some milliseconds.
const OPERATIONS: u32 = 128;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// Starts the run of a task.
#[inline]
pub(crate) fn refill() {
    LEFT.set(OPERATIONS);
}

/// Removes the limit. Outside of the loop there are no other tasks.
pub(crate) fn lift() {
    LEFT.set(u32::MAX);
}

/// Returns whether the running task may perform another operation.
#[inline]
pub(crate) fn is_left() -> bool {
    LEFT.get() != 0
}

/// Refuses an operation, and wakes its task for the next turn.
pub(crate) fn refuse(cx: &Context<'_>) {
    cx.waker().wake_by_ref();
}

/// Returns ready if the task may perform another operation, or if `refused` says that this one was
/// refused before.
pub(crate) fn poll_left(cx: &Context<'_>, refused: &Cell<bool>) -> Poll<()> {
    if is_left() || refused.take() {
        return Poll::Ready(());
    }
    refused.set(true);
    refuse(cx);
    Poll::Pending
}

/// Counts an operation that needs no descriptor. Waits for the next turn if the task has used up
/// its budget. So a loop around this operation lets timers and other tasks run.
pub async fn cooperate() {
    let refused = Cell::new(false);
    poll_fn(|cx| poll_left(cx, &refused)).await;
    spend();
}

/// Counts an operation that was ready at once. An operation inside another one may have spent the
/// last unit.
#[inline]
pub(crate) fn spend() {
    LEFT.set(LEFT.get().saturating_sub(1));
}
