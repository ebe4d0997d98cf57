//! What is asked of a context about the response.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::context::Context;
use crate::context::appended::{append_json, append_text};
use crate::context::exchange::Progress;
use crate::error::{Result, client_closed_request};
use crate::http::{HeaderName, HeaderValue, StatusCode, header};
use crate::http1::field::is_reason_phrase;
use crate::types::chunk::IntoChunk;

impl Context {
    /// Appends `chunk` to the body of the response.
    ///
    /// Nothing is sent yet: see [`flush`](Self::flush). `Bytes`, `Vec<u8>` and `String` are
    /// moved, `&str` and `&[u8]` copied. The `Content-Type` is `text/html; charset=UTF-8`
    /// unless one is set.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Finished`] after [`finish`](Self::finish).
    #[track_caller]
    pub fn write<'a>(&mut self, chunk: impl IntoChunk<'a>) -> Result {
        self.check_open()?;
        self.exchange.response.body.push(chunk.into_chunk());
        Ok(())
    }

    /// Appends `value` as JSON, and sets the `Content-Type` to
    /// `application/json; charset=UTF-8`.
    ///
    /// `</` is written as `<\/`, which means the same and cannot end a `<script>`.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn list(cx: &mut Context) -> Result {
    ///     cx.json(&["a", "</script>"])
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(list))])).get("/").send();
    /// assert_eq!(response.text(), r#"["a","<\/script>"]"#);
    /// ```
    ///
    /// # Errors
    ///
    /// If `value` has no form in JSON (a map whose keys are no strings), and as
    /// [`write`](Self::write).
    #[track_caller]
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let body = &mut self.exchange.response.body;
        let before = body.copied_len();
        body.append(|out| append_json(out, value))?;
        let set = self.set_header(header::CONTENT_TYPE, JSON).and_then(|()| self.check_open());
        if set.is_err() {
            self.exchange.response.body.append(|out| out.truncate(before));
        }
        set
    }

    /// Appends text as [`write!`] and [`writeln!`] format it, which takes no memory but that of the body.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn sum(cx: &mut Context, a: u32, b: u32) -> Result {
    ///     write!(cx, "{a} + {b} = {}", a + b)
    /// }
    ///
    /// let app = Application::new([route("/{a}/{b}", get(sum))]);
    /// assert_eq!(TestClient::new(app).get("/1/2").send().text(), "1 + 2 = 3");
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and if a value says that it cannot be formatted.
    #[track_caller]
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> Result {
        self.check_open()?;
        self.exchange.response.body.append(|out| append_text(out, text))
    }

    /// Whether the body can still be added to.
    #[track_caller]
    #[inline]
    fn check_open(&self) -> Result {
        match self.exchange.response.progress {
            Progress::Open | Progress::Streaming => Ok(()),
            Progress::Complete | Progress::Finished | Progress::Broken => {
                Err(ResponseError::Finished.into())
            }
        }
    }

    /// Sets the status of the response; it is 200 otherwise.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, StatusCode, post, route};
    /// async fn create(cx: &mut Context) -> Result {
    ///     cx.set_status(StatusCode::CREATED);
    ///     cx.set_header("Location", "/stories/7")?;
    ///     cx.write("stored")
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", post(create))])).post("/").send();
    /// assert_eq!((response.status(), response.header("location")), (StatusCode::CREATED, Some("/stories/7")));
    /// ```
    ///
    /// Without effect once the head has been [flushed](Self::flush), with one exception: another
    /// status after a flushed 101 takes the [upgrade](Self::upgrade) back, and the connection ends.
    pub fn set_status(&mut self, status: StatusCode) {
        if self.is_head_sent() {
            return self.keep_status(status);
        }
        self.exchange.response.status = status;
        self.exchange.response.reason = None;
        self.exchange.response.is_changed = true;
    }

    /// Sets the status, and the phrase that stands behind it on the status line.
    ///
    /// A phrase that may not stand there (a control character in it) becomes `Unknown`. Without
    /// effect where [`set_status`](Self::set_status) has none.
    pub fn set_status_with_reason(&mut self, status: StatusCode, reason: impl Into<String>) {
        self.set_status(status);
        if !self.is_head_sent() {
            self.set_reason(reason.into());
        }
    }

    /// Leaves the status at the one that the client was sent. A handler that wants another one
    /// after it has sent a 101 does not want the new protocol.
    #[cold]
    fn keep_status(&mut self, wanted: StatusCode) {
        if wanted != self.status() {
            self.take_upgrade();
        }
    }

    /// What cannot stand on a status line does not get onto the page of an error either.
    pub(super) fn set_reason(&mut self, reason: String) {
        let reason = if is_reason_phrase(&reason) { reason } else { "Unknown".to_owned() };
        self.exchange.response.reason = Some(reason);
    }

    /// The status of the response as it is at the moment.
    ///
    /// It is 499 if the client did not wait for the response: it has disconnected before the response
    /// was finished, or takes it too slowly. Middleware after [`next`](crate::Next::run) and
    /// [`on_finish`](crate::RequestHandler::on_finish) see it, the access log and the
    /// [metrics](crate::observe::metrics) have it as well, and it cannot be changed. It is never sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall::{Context, Next, Result, log};
    ///
    /// async fn watch(cx: &mut Context, next: Next<'_>) -> Result {
    ///     let result = next.run(cx).await;
    ///     if cx.status().as_u16() == 499 {
    ///         log::info(log::APPLICATION, format_args!("{} was not waited for", cx.path()));
    ///     }
    ///     result
    /// }
    /// ```
    pub fn status(&self) -> StatusCode {
        match self.is_disconnected() {
            true => client_closed_request(),
            false => self.exchange.response.status,
        }
    }

    /// Sets the header `name` to `value`, in place of what it was.
    ///
    /// `Date`, `Server` and `ETag` replace those of the server, and the tag is what
    /// `If-None-Match` is compared with; of `Connection` only `close` counts;
    /// `Content-Length` is a promise that is kept or the connection is closed;
    /// `Transfer-Encoding` is the server's to decide, and ignored.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn page(cx: &mut Context) -> Result {
    ///     cx.set_header("Content-Type", "text/plain")?;
    ///     cx.set_header("X-Count", 7)?;
    ///     cx.add_header("Link", "</style.css>; rel=preload")?;
    ///     cx.add_header("Link", "</code.js>; rel=preload")?;
    ///     cx.clear_header("x-count");
    ///     assert_eq!(cx.response_header("content-type").unwrap(), "text/plain");
    ///     cx.write("two links")
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(page))])).get("/").send();
    /// assert_eq!(response.headers().get_all("link").iter().count(), 2);
    /// assert_eq!(response.header("x-count"), None);
    /// ```
    ///
    /// # Errors
    ///
    /// If `name` or `value` may not stand in a header (a line end in a value, say), and
    /// [`ResponseError::HeadSent`] once the head has been flushed.
    #[track_caller]
    pub fn set_header<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = self.checked(name, value)?;
        self.exchange.response.headers.set(name, value);
        self.exchange.response.is_changed = true;
        Ok(())
    }

    /// Adds a header beside those of the same name.
    ///
    /// # Errors
    ///
    /// As [`set_header`](Self::set_header).
    #[track_caller]
    pub fn add_header<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = self.checked(name, value)?;
        self.exchange.response.headers.add(name, value);
        self.exchange.response.is_changed = true;
        Ok(())
    }

    /// Takes back all headers called `name`. Without effect once the head has been flushed.
    pub fn clear_header(&mut self, name: &str) {
        self.exchange.response.headers.remove(name);
        self.exchange.response.is_changed = true;
    }

    /// The first header of the response called `name`, if it has been set.
    pub fn response_header(&self, name: &str) -> Option<&HeaderValue> {
        self.exchange.response.headers.first_called(name)
    }

    #[track_caller]
    fn checked<N, V>(&self, name: N, value: V) -> Result<(HeaderName, HeaderValue)>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        Ok((name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// What a handler may not do to its response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The response is complete: nothing can be added to it.
    Finished,
    /// The head has been sent: status and headers can no longer be changed.
    HeadSent,
    /// The protocol to switch to is not named: the `Upgrade` header is to be set first.
    NoProtocol,
    /// This header may not stand behind a body (RFC 9110 §6.5.1): it says how the message is
    /// framed or read, which the client must know before.
    NoTrailer,
    /// This status does not send the client elsewhere.
    NotRedirect(StatusCode),
    /// This status is not one of an informational response.
    NotInformational(StatusCode),
    /// A response of this status comes before another one, and cannot be the last.
    NotFinal(StatusCode),
    /// A response of this status has no body (RFC 9110 §6.4.1).
    NoBodyAllowed(StatusCode),
    /// The `Content-Length` that was set is not a number.
    InvalidLength,
    /// The `Content-Length` that was set is not the length of the body.
    WrongLength {
        /// What was set.
        declared: u64,
        /// What was written.
        written: u64,
    },
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => write!(f, "the response is finished"),
            Self::HeadSent => write!(f, "the head of the response has been sent"),
            Self::NoProtocol => write!(f, "the Upgrade header is not set"),
            Self::NoTrailer => write!(f, "this header cannot be a trailer"),
            Self::NotRedirect(status) => {
                write!(f, "{} is not the status of a redirect", status.as_u16())
            }
            Self::NotInformational(status) => {
                write!(f, "{} is not the status of an informational response", status.as_u16())
            }
            Self::NotFinal(status) => {
                write!(f, "{} is not the status of a final response", status.as_u16())
            }
            Self::NoBodyAllowed(status) => {
                write!(f, "a response of status {} has no body", status.as_u16())
            }
            Self::InvalidLength => write!(f, "the Content-Length of the response is no number"),
            Self::WrongLength { declared, written } => {
                write!(f, "the response has {written} bytes and a Content-Length of {declared}")
            }
        }
    }
}

impl StdError for ResponseError {}

impl Context {
    /// Writes the standard page of the status as it stands, for
    /// [`write_error`](crate::RequestHandler::write_error).
    ///
    /// A small HTML page: `<html><title>404: Not Found</title><body>404: Not Found</body></html>`.
    /// Nothing is written where the status allows no body.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_error_page(&mut self) -> Result {
        let status = self.status();
        if super::finish::is_bodiless(status) {
            return Ok(());
        }
        let reason = self.exchange.response.reason.as_deref().or(status.canonical_reason());
        let reason = escape_html(reason.unwrap_or("Unknown"));
        let code = status.as_u16();
        let page =
            format!("<html><title>{code}: {reason}</title><body>{code}: {reason}</body></html>");
        self.write(page)
    }
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
