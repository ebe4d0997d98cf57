//! [`Error`] and [`HTTPError`]: errors that become responses.

use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use crate::file::FileError;
use crate::http::{HeaderName, HeaderValue, StatusCode};

pub(crate) mod panic;
pub(crate) mod undelivered;

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
            None => StatusCode::INTERNAL_SERVER_ERROR,
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

    fn raised(cause: Box<dyn StdError>, location: &'static Location<'static>) -> Self {
        Self(Box::new(Raised { cause, location, has_discarded: Cell::new(false) }))
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

/// An error with an HTTP status.
///
/// The response is the page of [`write_error`](crate::RequestHandler::write_error), with the
/// headers of the error.
///
/// # Examples
///
/// ```
/// use squall::{Context, HTTPError, Result};
///
/// async fn story(cx: &mut Context, id: u64) -> Result {
///     let story = (id == 7).then_some("once upon a time").ok_or(HTTPError::NOT_FOUND)?;
///     cx.write(story)
/// }
///
/// async fn vault(_: &mut Context) -> Result {
///     Err(HTTPError::UNAUTHORIZED
///         .with_header("WWW-Authenticate", "Basic realm=\"vault\"")
///         .with_log_message("the vault is closed"))?
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HTTPError {
    status: StatusCode,
    reason: Option<Cow<'static, str>>,
    log_message: Option<Cow<'static, str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[expect(missing_docs, reason = "the names are those of RFC 9110 §15.5 and §15.6")]
impl HTTPError {
    pub const BAD_REQUEST: Self = Self::new(StatusCode::BAD_REQUEST);
    pub const UNAUTHORIZED: Self = Self::new(StatusCode::UNAUTHORIZED);
    pub const FORBIDDEN: Self = Self::new(StatusCode::FORBIDDEN);
    pub const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND);
    pub const METHOD_NOT_ALLOWED: Self = Self::new(StatusCode::METHOD_NOT_ALLOWED);
    pub const REQUEST_TIMEOUT: Self = Self::new(StatusCode::REQUEST_TIMEOUT);
    pub const CONFLICT: Self = Self::new(StatusCode::CONFLICT);
    pub const GONE: Self = Self::new(StatusCode::GONE);
    pub const PRECONDITION_FAILED: Self = Self::new(StatusCode::PRECONDITION_FAILED);
    pub const PAYLOAD_TOO_LARGE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE);
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    pub const EXPECTATION_FAILED: Self = Self::new(StatusCode::EXPECTATION_FAILED);
    pub const UNPROCESSABLE_ENTITY: Self = Self::new(StatusCode::UNPROCESSABLE_ENTITY);
    pub const TOO_MANY_REQUESTS: Self = Self::new(StatusCode::TOO_MANY_REQUESTS);
    pub const INTERNAL_SERVER_ERROR: Self = Self::new(StatusCode::INTERNAL_SERVER_ERROR);
    pub const NOT_IMPLEMENTED: Self = Self::new(StatusCode::NOT_IMPLEMENTED);
    pub const BAD_GATEWAY: Self = Self::new(StatusCode::BAD_GATEWAY);
    pub const SERVICE_UNAVAILABLE: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE);
    pub const GATEWAY_TIMEOUT: Self = Self::new(StatusCode::GATEWAY_TIMEOUT);
}

impl HTTPError {
    /// Creates an error with `status`.
    pub const fn new(status: StatusCode) -> Self {
        Self { status, reason: None, log_message: None, headers: Vec::new() }
    }

    /// Sends `reason` in the status line and on the page, in place of the standard phrase.
    ///
    /// A reason with control characters becomes `Unknown`, so text from a client is safe here.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, HTTPError, Result, get, route};
    ///
    /// async fn brew() -> Result {
    ///     Err(HTTPError::CONFLICT.with_reason("Out of Coffee"))?
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(brew))])).get("/").send();
    /// assert!(response.text().contains("409: Out of Coffee"));
    /// ```
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds `message` to the log line. The client does not see it.
    #[must_use]
    pub fn with_log_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.log_message = Some(message.into());
        self
    }

    /// Adds the header `name: value` to the response.
    ///
    /// # Panics
    ///
    /// Panics if `name` or `value` is invalid in a header. For a value with text from a client,
    /// create a [`HeaderValue`] and handle its error.
    #[must_use]
    #[track_caller]
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: fmt::Debug>,
        V: TryInto<HeaderValue, Error: fmt::Debug>,
    {
        let (Ok(name), Ok(value)) = (name.try_into(), value.try_into()) else {
            panic!("not a valid header")
        };
        self.headers.push((name, value));
        self
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the reason phrase, if it was set.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the message for the log, if it was set.
    pub fn log_message(&self) -> Option<&str> {
        self.log_message.as_deref()
    }

    /// Returns the additional headers of the response.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

impl fmt::Display for HTTPError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason().or(self.status.canonical_reason()).unwrap_or("Unknown");
        write!(f, "HTTP {}: {reason}", self.status.as_u16())?;
        match self.log_message() {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl StdError for HTTPError {}

/// Returns a 400 with the cause for the log.
pub(crate) fn bad_request(cause: impl fmt::Display) -> Error {
    HTTPError::BAD_REQUEST.with_log_message(cause.to_string()).into()
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
