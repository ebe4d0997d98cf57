//! Calls of user code. A panic is logged and stops nothing else.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::join_error::panic_message;
use super::site;
use crate::{log, panic_location};

/// Calls user code, and logs a panic as "`who` panicked".
pub(crate) fn caught(who: &str, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        report(who, &*payload);
        // Not dropped, because its destructor may panic, too.
        std::mem::forget(payload);
    }
}

/// Logs a panic of `who`, with the spawn site of the running task.
pub(super) fn report(who: &str, payload: &(dyn Any + Send)) {
    let message = panic_message(payload);
    let from = panic_location(payload).map_or_else(String::new, |place| format!(", at {place}"));
    let at = site().map_or_else(String::new, |site| format!(" spawned at {site}"));
    // The log subscriber is user code, too.
    let logged = catch_unwind(AssertUnwindSafe(|| {
        log::error(log::APPLICATION, format_args!("{who}{at} panicked: {message}{from}"));
    }));
    std::mem::forget(logged);
}

/// The greatest nesting of destructors that pass on a value which is then dropped at once.
const DEEPEST: u32 = 4;
/// The most values that one thread drops inside of other destructors.
const MOST: u32 = 1000;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

/// Drops a future or callback that its loop no longer accepts, and logs a panic of its destructor.
///
/// A destructor may pass on another value, whose destructor does the same, without end. So a value
/// that is nested deeper than [`DEEPEST`], or that comes after [`MOST`] others, is leaked. The
/// thread ends anyway.
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
    caught("a value dropped after the end of the loop", || drop(value));
    DEPTH.set(depth);
}
