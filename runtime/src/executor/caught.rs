//! Panics of tasks, which end nothing but the task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::join_error::panic_message;
use super::site;
use crate::log;

/// A panic out of a destructor must not end the loop.
pub(super) fn drop_caught<T>(value: T) {
    caught(|| drop(value));
}

pub(super) fn caught(destroy: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(destroy)) {
        report(&*payload);
        // Whose destructor panics as well is not dropped.
        std::mem::forget(payload);
    }
}

#[cold]
pub(super) fn report(payload: &(dyn Any + Send)) {
    let message = panic_message(payload);
    match site() {
        Some(site) => log::error(
            log::APPLICATION,
            format_args!("a task spawned at {site} panicked: {message}"),
        ),
        None => log::error(log::APPLICATION, format_args!("a task panicked: {message}")),
    }
}
