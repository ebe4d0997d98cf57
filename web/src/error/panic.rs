//! Catches panics of user code and turns them into errors.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use squall_runtime::panic_location;

use super::Error;

/// Calls user code. Returns the payload if it panics; the panic hook has reported it by then.
pub(crate) fn guard<R>(work: impl FnOnce() -> R) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Turns the payload of a panic into an error, which becomes a 500.
pub(crate) fn panic_error(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("of unknown kind").to_owned();
    Panicked { message, place: panic_location(panic) }.into()
}

/// A panic of user code.
#[derive(Debug)]
pub(crate) struct Panicked {
    message: String,
    /// Where the panic was raised. Only the log shows it.
    pub(crate) place: Option<String>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.message)
    }
}

impl StdError for Panicked {}
