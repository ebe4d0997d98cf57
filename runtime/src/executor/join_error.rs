//! What is left of a task that has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Why a [`Task`](crate::Task) has no output: it was cancelled, or it panicked.
///
/// # Examples
///
/// ```
/// use squall_runtime::IOLoop;
///
/// let ended = IOLoop::current().run_sync(async {
///     IOLoop::current().spawn(async { panic!("no luck") }).await
/// })?;
/// let error = ended.unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.to_string(), "the task panicked: no luck");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct JoinError {
    /// The panic's payload; `None` if the task was cancelled. Payloads are not `Sync`, and an
    /// error should be: hence the mutex, which nobody ever waits for.
    payload: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    pub(crate) const CANCELLED: Self = Self { payload: None };

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self { payload: Some(Mutex::new(payload)) }
    }

    /// Says whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.payload.is_some()
    }

    /// Says whether the task was cancelled, or dropped with its loop.
    pub fn is_cancelled(&self) -> bool {
        self.payload.is_none()
    }

    /// Returns what the task panicked with, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// Panics if the task was cancelled; ask [`is_panic`](Self::is_panic) first.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::IOLoop;
    ///
    /// let task = IOLoop::current().spawn(async { panic!("no luck") });
    /// let error = IOLoop::current().run_sync(task)?.unwrap_err();
    /// assert_eq!(error.into_panic().downcast_ref(), Some(&"no luck"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.payload {
            Some(payload) => payload.into_inner().unwrap_or_else(PoisonError::into_inner),
            None => panic!("`JoinError::into_panic` on a task that was cancelled"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            None => f.write_str("the task was cancelled"),
            Some(payload) => {
                let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
                write!(f, "the task panicked: {}", panic_message(&**payload))
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {}

/// What was said to `panic!`, if it was a string.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "(its payload is not a string)"
    }
}
