//! [`Error`] and [`HTTPError`]: errors that become responses.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use crate::file::FileError;
use crate::http::StatusCode;

mod failure;
mod http_error;
pub(crate) mod panic;
pub(crate) mod undelivered;

pub use failure::{Failure, IntoError};
pub use http_error::HTTPError;

#[doc(hidden)]
pub use failure::KnownFailures;
pub(crate) use http_error::ErrorBody;

use undelivered::Undelivered;

/// The result of a handler: `Ok(())` once the response is written, or the error that becomes the
/// response.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Any error of a handler.
///
/// `?` converts every standard error into this type. An [`HTTPError`] and a [`FileError`] keep
/// their status. All other errors become a 500: their text and the line of the `?` go to the log,
/// and the client sees neither.
///
/// # Examples
///
/// ```
/// use squall::{Error, HTTPError, StatusCode};
///
/// let error = Error::from(HTTPError::NOT_FOUND);
/// assert_eq!(error.status(), StatusCode::NOT_FOUND);
/// let error = Error::from("x".parse::<u8>().unwrap_err());
/// assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
/// assert_eq!(error.location().file(), file!());
/// ```
pub struct Error(Box<Raised>);

/// Behind one pointer, so that a [`Result`] is one word.
struct Raised {
    cause: Box<dyn StdError>,
    location: &'static Location<'static>,
    /// The status that a [`Failure`] has given.
    status: Cell<Option<StatusCode>>,
    /// The response that the error replaces was discarded.
    has_discarded: Cell<bool>,
}

impl Error {
    /// Returns the status of the response. It is 499, which is never sent, if the client has
    /// disconnected or reads its response too slowly: see
    /// [`Context::status`](crate::Context::status).
    pub fn status(&self) -> StatusCode {
        match self.http() {
            Some(error) => error.status(),
            None if Undelivered::of(self).is_some() => client_closed_request(),
            None => self.0.status.get().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Returns the cause if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.cause.downcast_ref()
    }

    /// Returns where the cause became this error: the line of the `?`.
    ///
    /// For an error that the framework raises, such as a 405, the 503 of a time limit, or a panic,
    /// this is a line of the framework. The log then names the line of the panic, or of the route.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// Returns the cause, for functions that take a [standard error](std::error::Error). The place
    /// and the status are lost.
    ///
    /// To make a `squall::Error` of a type that is not a standard error, implement
    /// `From<YourType> for squall::Error`, or use [`or_500`](Or500::or_500).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{Error, HTTPError};
    ///
    /// fn report(error: Box<dyn std::error::Error>) -> String {
    ///     error.to_string()
    /// }
    ///
    /// let error = Error::from(HTTPError::NOT_FOUND);
    /// assert_eq!(report(error.into_std()), "HTTP 404: Not Found");
    /// ```
    #[must_use]
    pub fn into_std(self) -> Box<dyn StdError> {
        self.0.cause
    }

    /// Returns the location if it is in user code. The framework itself raises some errors, and
    /// `map_err(Into::into)` raises them in the standard library.
    pub(crate) fn location_of_user(&self) -> Option<&'static Location<'static>> {
        let framework = file!().trim_end_matches("error.rs");
        let is_other = |file: &str| file.starts_with(framework) || file.starts_with("/rustc/");
        Some(self.location()).filter(|location| !is_other(location.file()))
    }

    pub(crate) fn http(&self) -> Option<&HTTPError> {
        self.downcast_ref().or_else(|| self.downcast_ref().map(FileError::http))
    }

    /// Creates the error that `?` returns for `cause` at `location`.
    /// Returns whether the response that the error replaces must still be discarded. It is discarded
    /// once, so that middleware can set headers afterwards.
    pub(crate) fn discards(&self) -> bool {
        !self.0.has_discarded.replace(true)
    }

    pub(crate) fn set_status(&self, status: StatusCode) {
        self.0.status.set(Some(status));
    }

    fn raised(cause: Box<dyn StdError>, location: &'static Location<'static>) -> Self {
        Self(Box::new(Raised {
            cause,
            location,
            status: Cell::new(None),
            has_discarded: Cell::new(false),
        }))
    }

    pub(crate) fn at(location: &'static Location<'static>, cause: impl StandardError) -> Self {
        Self::raised(cause.into_boxed(), location)
    }
}

/// Returns the status of a request whose client disconnected before the response: 499, as in nginx.
pub(crate) fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

impl<E: StandardError> From<E> for Error {
    #[track_caller]
    fn from(cause: E) -> Self {
        Self::raised(cause.into_boxed(), Location::caller())
    }
}

/// An error that a handler can pass on with `?`: any type that implements [`std::error::Error`].
///
/// Implement that for an error of your own. This trait only improves the compiler's message for
/// other types. [`Or500`] converts those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a standard error",
    label = "no `std::error::Error`: `.or_500()?` makes a 500 of it; for another status, use an `HTTPError`"
)]
pub trait StandardError: 'static {
    /// Erases the type.
    fn into_boxed(self) -> Box<dyn StdError>;
}

#[diagnostic::do_not_recommend]
impl<E: StdError + 'static> StandardError for E {
    fn into_boxed(self) -> Box<dyn StdError> {
        Box::new(self)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.cause, f)
    }
}

/// Writes the cause and its sources, separated by colons.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.cause)?;
        let mut source = self.0.cause.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// Returns a 400 with the cause for the log.
pub(crate) fn bad_request(cause: impl fmt::Display) -> Error {
    HTTPError::BAD_REQUEST.with_log_message(cause.to_string()).into()
}

/// Returns a 400 with a message for the client: which part of the request is invalid, and why.
pub(crate) fn invalid(part: impl fmt::Display, reason: impl fmt::Display) -> Error {
    HTTPError::BAD_REQUEST.with_message(format!("{part}: {reason}")).into()
}

/// Turns other errors than standard ones into a 500: `anyhow::Error`, boxed errors, strings.
///
/// These do not implement [`std::error::Error`], so `?` alone cannot convert them.
///
/// # Examples
///
/// ```
/// use squall::{Context, Or500, Result};
///
/// fn load() -> Result<String, Box<dyn std::error::Error>> {
///     Ok(std::env::var("PATH")?)
/// }
///
/// async fn show(cx: &mut Context) -> Result {
///     cx.write(load().or_500()?)
/// }
/// ```
pub trait Or500<T> {
    /// Converts the error into one for `?`. It is logged, and the response is a 500.
    ///
    /// # Errors
    ///
    /// Returns the error in `self`.
    fn or_500(self) -> Result<T>;
}

impl<T, E: fmt::Display + fmt::Debug + 'static> Or500<T> for Result<T, E> {
    #[track_caller]
    fn or_500(self) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(Opaque(error).into()),
        }
    }
}

/// A printable value as a standard error.
#[derive(Debug)]
struct Opaque<E>(E);

impl<E: fmt::Display> fmt::Display for Opaque<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form makes `anyhow` print the chain of causes.
        write!(f, "{:#}", self.0)
    }
}

impl<E: fmt::Display + fmt::Debug> StdError for Opaque<E> {}
