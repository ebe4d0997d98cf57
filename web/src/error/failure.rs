//! [`Failure`]: the status of an error type of the user.

use std::any::TypeId;
use std::collections::HashMap;
use std::error::Error as StdError;

use crate::error::{Error, HTTPError};
use crate::file::FileError;
use crate::http::StatusCode;

/// An error type with a status, which functions can return: `Result<Json<Note>, NoteError>`.
///
/// Implement it for your own error types. The log gets the error with its sources; the client gets
/// the page of the status. [`Application::on_error_of`](crate::Application::on_error_of) writes
/// another response.
///
/// The status also counts if `?` turns the error into a [`squall::Error`](crate::Error), provided
/// that some function of the application returns `Result<_, E>` with this type. Otherwise the
/// application does not know the type, and the status is 500.
///
/// A function that returns a failure itself does not keep the place of its `?`, because the standard
/// `From` does not know it. The log then names the route.
///
/// # Examples
///
/// ```
/// use std::fmt;
///
/// use squall::testing::TestClient;
/// use squall::{Application, Failure, StatusCode, get, route};
///
/// #[derive(Debug)]
/// enum NoteError {
///     Missing,
///     Locked,
/// }
///
/// impl fmt::Display for NoteError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Self::Missing => "no such note",
///             Self::Locked => "the note is locked",
///         })
///     }
/// }
///
/// impl std::error::Error for NoteError {}
///
/// impl Failure for NoteError {
///     fn status(&self) -> StatusCode {
///         match self {
///             Self::Missing => StatusCode::NOT_FOUND,
///             Self::Locked => StatusCode::LOCKED,
///         }
///     }
/// }
///
/// async fn show(id: u64) -> Result<String, NoteError> {
///     match id {
///         1 => Ok("the first note".to_owned()),
///         2 => Err(NoteError::Locked),
///         _ => Err(NoteError::Missing),
///     }
/// }
///
/// let client = TestClient::new(Application::new([route("/{id}", get(show))]));
/// assert_eq!(client.get("/1").send().text(), "the first note");
/// assert_eq!(client.get("/2").send().status(), 423);
/// assert_eq!(client.get("/3").send().status(), 404);
/// ```
pub trait Failure: StdError + 'static {
    /// Returns the status of the response. The default is 500.
    fn status(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

/// An error that a function can return: [`squall::Error`](crate::Error), or any [`Failure`].
///
/// The trait is sealed: implement [`Failure`].
#[diagnostic::on_unimplemented(
    message = "a function that answers requests cannot fail with `{Self}`",
    label = "`{Self}` has no status",
    note = "return `squall::Result<_>`: `?` turns every standard error into its error",
    note = "or give the type a status: `impl squall::Failure for {Self}`"
)]
pub trait IntoError: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn into_error(self) -> Error;

    #[doc(hidden)]
    fn know(known: &mut KnownFailures) {
        let _ = known;
    }
}

impl IntoError for Error {
    fn into_error(self) -> Error {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<E: Failure> IntoError for E {
    #[track_caller]
    fn into_error(self) -> Error {
        let status = Failure::status(&self);
        let error = Error::from(self);
        error.set_status(status);
        error
    }

    fn know(known: &mut KnownFailures) {
        known.add::<E>();
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "it seals the trait")]
    pub trait Sealed {}

    impl Sealed for crate::error::Error {}

    #[diagnostic::do_not_recommend]
    impl<E: super::Failure> Sealed for E {}
}

/// The failures that functions of an application return. So `?` into an [`Error`], which forgets
/// the type, does not lose the status.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct KnownFailures(HashMap<TypeId, StatusOf>);

type StatusOf = fn(&Error) -> Option<StatusCode>;

impl KnownFailures {
    pub(crate) fn add<E: Failure>(&mut self) {
        self.0.insert(TypeId::of::<E>(), |error| error.downcast_ref::<E>().map(Failure::status));
    }

    /// Gives `error` the status of the failure that it is.
    pub(crate) fn apply(&self, error: &Error) {
        if let Some(status) = self.0.values().find_map(|status_of| status_of(error)) {
            error.set_status(status);
        }
    }
}

macro_rules! failures_with_500 {
    ($($error:ty)*) => { $(impl Failure for $error {})* };
}

failures_with_500! {
    std::convert::Infallible
    std::fmt::Error
    std::io::Error
    std::num::ParseFloatError
    std::num::ParseIntError
    std::str::Utf8Error
    std::string::FromUtf8Error
    serde_json::Error
    squall_runtime::JoinError
    squall_runtime::ThreadPoolError
    squall_runtime::TimedOut
}

impl Failure for FileError {
    fn status(&self) -> StatusCode {
        Self::status(self)
    }
}

impl Failure for HTTPError {
    fn status(&self) -> StatusCode {
        Self::status(self)
    }
}
