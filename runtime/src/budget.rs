//! How much one task may do before it lets the others run.
//!
//! A socket that is always ready would otherwise keep its task busy for ever, because nothing on the
//! way returns `Pending`. So each operation that is ready at once spends one unit. An operation that
//! finds no unit left is refused: it wakes its task, and the task gets new units on its next turn.
//!
//! The future before it may spend all units again by then. So an operation that was refused
//! remembers this, and is not refused again: otherwise a time limit would never end a busy future.

use std::cell::Cell;
use std::task::Context;

/// Operations per run of a task. Enough to pay for the turn that follows, and few enough that
/// a turn of a hundred busy tasks still takes only some milliseconds.
const OPERATIONS: u32 = 128;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// Begins the run of a task.
#[inline]
pub(crate) fn refill() {
    LEFT.set(OPERATIONS);
}

/// Ends the runs of tasks: outside of the loop there are no other tasks to wait for.
pub(crate) fn lift() {
    LEFT.set(u32::MAX);
}

/// Says whether the running task may do another operation.
#[inline]
pub(crate) fn is_left() -> bool {
    LEFT.get() != 0
}

/// Refuses an operation: wakes its task for the next turn.
#[cold]
pub(crate) fn refuse(cx: &Context<'_>) {
    cx.waker().wake_by_ref();
}

/// Counts one operation that was ready at once. An operation inside another one may have spent the
/// last unit.
#[inline]
pub(crate) fn spend() {
    LEFT.set(LEFT.get().saturating_sub(1));
}
