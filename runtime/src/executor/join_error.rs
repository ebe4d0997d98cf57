//! The error of a task that has no output.

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
    /// The payload of the panic, or `None` if the task was cancelled. A payload is not `Sync`, but
    /// an error should be, so there is a mutex. It is never contended.
    payload: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    pub(crate) const CANCELLED: Self = Self { payload: None };

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self { payload: Some(Mutex::new(payload)) }
    }

    /// Returns whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.payload.is_some()
    }

    /// Returns whether the task was cancelled, or dropped with its loop.
    pub fn is_cancelled(&self) -> bool {
        self.payload.is_none()
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// Panics if the task was cancelled. Check [`is_panic`](Self::is_panic) first.
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

/// Returns the message of a panic, if it is a string.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "(its payload is not a string)"
    }
}
