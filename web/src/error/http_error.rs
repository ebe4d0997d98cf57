//! [`HTTPError`]: an error with a status.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use crate::http::{HeaderName, HeaderValue, StatusCode};

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
    /// Boxed, because few errors have it.
    shown: Option<Box<Shown>>,
}

/// The parts that the client sees in place of the standard page, or on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Shown {
    message: Option<Cow<'static, str>>,
    body: Option<ErrorBody>,
}

/// A body in place of the standard page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ErrorBody {
    pub(crate) content_type: HeaderValue,
    pub(crate) bytes: Bytes,
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
        Self { status, reason: None, log_message: None, headers: Vec::new(), shown: None }
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

    /// Adds a message for the client. The standard page shows it below the status, and
    /// [`Problem`](crate::Problem) as `detail`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// async fn order(_: &mut Context) -> Result {
    ///     Err(HTTPError::CONFLICT.with_message("the <last> cake is gone"))?
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(order))])).get("/").send();
    /// assert!(response.text().contains("the &lt;last&gt; cake is gone"));
    /// ```
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.shown.get_or_insert_default().message = Some(message.into());
        self
    }

    /// Sends `body` in place of the standard page.
    ///
    /// # Panics
    ///
    /// Panics if `content_type` is not a valid header value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// async fn order(_: &mut Context) -> Result {
    ///     Err(HTTPError::CONFLICT.with_body("text/plain", "the last cake is gone"))?
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(order))])).get("/").send();
    /// assert_eq!((response.status().as_u16(), response.header("content-type")), (409, Some("text/plain")));
    /// assert_eq!(response.text(), "the last cake is gone");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let Ok(content_type) = HeaderValue::from_str(content_type) else {
            panic!("`HTTPError::with_body`: {content_type:?} is not a valid header value")
        };
        let body = ErrorBody { content_type, bytes: body.into() };
        self.shown.get_or_insert_default().body = Some(body);
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

    /// Returns the message for the client, if it was set.
    pub fn message(&self) -> Option<&str> {
        self.shown.as_ref()?.message.as_deref()
    }

    pub(crate) fn body(&self) -> Option<&ErrorBody> {
        self.shown.as_ref()?.body.as_ref()
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
        match self.log_message().or(self.message()) {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl StdError for HTTPError {}
