//! Futures and callbacks that come when the thread of their loop ends.

use std::cell::Cell;

use super::caught::caught;

/// So deep may destructors be nested that hand over something which is dropped at once.
const DEEPEST: u32 = 4;
/// So many values may be dropped inside of the destructors of others, on one thread.
const MOST: u32 = 1000;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

/// Drops a value that its loop no longer takes, and logs a panic of its destructor.
///
/// A destructor may hand over another value, whose destructor does the same, without end. So what is
/// nested deeper than [`DEEPEST`], or comes after [`MOST`] others, is leaked: the thread ends anyway.
pub(crate) fn drop_late<T>(value: T) {
    let depth = DEPTH.get();
    if depth > 0 {
        NESTED.set(NESTED.get().saturating_add(1));
    }
    if depth >= DEEPEST || NESTED.get() > MOST {
        std::mem::forget(value);
        return;
    }
    DEPTH.set(depth + 1);
    caught("what came after the end of the loop", || drop(value));
    DEPTH.set(depth);
}
