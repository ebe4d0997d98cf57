//! [`Problem`]: errors for programs (RFC 9457).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::{HeaderValue, StatusCode, header};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The details of an error as JSON, `application/problem+json` (RFC 9457).
///
/// Members that are absent are left out. [`Context::problem`] writes the problem of an error in one
/// call; build your own to add members.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, HTTPError, Problem, Result, get, route};
///
/// async fn pay() -> Result {
///     Err(HTTPError::FORBIDDEN.with_message("the balance is 30, but that costs 50"))?
/// }
///
/// let app = Application::new([route("/", get(pay))]).on_error(|cx, error| {
///     let problem = Problem::of(cx.status(), error);
///     let instance = cx.path().to_string();
///     cx.write_problem(&problem.kind("https://example.com/credit").instance(instance).with("balance", 30))
/// });
/// assert_eq!(
///     TestClient::new(app).get("/").send().json::<serde_json::Value>(),
///     serde_json::json!({
///         "type": "https://example.com/credit",
///         "title": "Forbidden",
///         "status": 403,
///         "detail": "the balance is 30, but that costs 50",
///         "instance": "/",
///         "balance": 30,
///     }),
/// );
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'static, str>>,
    title: Cow<'static, str>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Cow<'static, str>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Problem {
    /// Describes `error`: the standard phrase of `status` as the title, and as the detail the
    /// [message](crate::HTTPError::with_message) of the error, if it has one. Other texts of an
    /// error are not for the client.
    #[must_use]
    pub fn of(status: StatusCode, error: &Error) -> Self {
        let detail = error.http().and_then(|error| error.message());
        Self {
            kind: None,
            title: status.canonical_reason().unwrap_or("Unknown").into(),
            status: status.as_u16(),
            detail: detail.map(|detail| detail.to_owned().into()),
            instance: None,
            others: Map::new(),
        }
    }

    /// Sets `type`: a URI that identifies this kind of problem.
    #[must_use]
    pub fn kind(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.kind = Some(uri.into());
        self
    }

    /// Sets `title`: a short description of this kind of problem.
    #[must_use]
    pub fn title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets `detail`: a description of this occurrence of the problem.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets `instance`: a URI that identifies this occurrence of the problem.
    #[must_use]
    pub fn instance(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.instance = Some(uri.into());
        self
    }

    /// Adds a member of your own.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.others.insert(name.into(), value.into());
        self
    }
}

impl Context {
    /// Writes `error` as `application/problem+json` (RFC 9457): see [`Problem`].
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write).
    pub fn problem(&mut self, error: &Error) -> Result {
        self.write_problem(&Problem::of(self.status(), error))
    }

    /// Writes `problem` as `application/problem+json`.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write).
    pub fn write_problem(&mut self, problem: &Problem) -> Result {
        self.json(problem)?;
        self.set_header(header::CONTENT_TYPE, PROBLEM)
    }
}
