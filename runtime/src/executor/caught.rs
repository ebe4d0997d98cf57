//! Panics of user code that the loop calls: each is logged, and ends nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::join_error::panic_message;
use super::site;
use crate::{log, panic_location};

/// Calls user code, and logs its panic: "`who` panicked".
pub(crate) fn caught(who: &str, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        report(who, &*payload);
        // Not dropped, because its destructor may panic as well.
        std::mem::forget(payload);
    }
}

/// Logs a panic of `who`, with the line that the running task was spawned at.
#[cold]
pub(super) fn report(who: &str, payload: &(dyn Any + Send)) {
    let message = panic_message(payload);
    let from = panic_location(payload).map_or_else(String::new, |place| format!(", at {place}"));
    let at = site().map_or_else(String::new, |site| format!(" spawned at {site}"));
    // The subscriber that takes the line is user code as well.
    let logged = catch_unwind(AssertUnwindSafe(|| {
        log::error(log::APPLICATION, format_args!("{who}{at} panicked: {message}{from}"));
    }));
    std::mem::forget(logged);
}
