//! The body of a response, as a handler writes it.

use std::fmt::{self, Write as _};
use std::mem;

use serde::Serialize;

use crate::context::Context;
use crate::context::exchange::ErrorPage;
use crate::context::finish::is_bodiless;
use crate::context::response::{Progress, ResponseError};
use crate::error::{ErrorBody, Result};
use crate::http::{HeaderValue, header};
use crate::http1::header_list::HeaderRole;
use crate::http1::send_buffer::SendBuffer;
use crate::types::chunk::IntoChunk;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

impl Context {
    /// Appends `chunk` to the body of the response.
    ///
    /// Nothing is sent yet: see [`flush`](Self::flush). `Bytes`, `Vec<u8>` and `String` are moved,
    /// `&str` and `&[u8]` are copied. The `Content-Type` is `text/html; charset=UTF-8` unless the
    /// handler sets one.
    ///
    /// # Errors
    ///
    /// Returns [`ResponseError::Finished`] after [`finish`](Self::finish).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn hello(cx: &mut Context) -> Result {
    ///     cx.write("Hello, ")?;
    ///     cx.write(String::from("world"))
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(hello))]));
    /// assert_eq!(client.get("/").send().text(), "Hello, world");
    /// ```
    #[track_caller]
    pub fn write<'a>(&mut self, chunk: impl IntoChunk<'a>) -> Result {
        self.check_open()?;
        self.exchange.response.body.push(chunk.into_chunk());
        Ok(())
    }

    /// Appends `value` as JSON, and sets the `Content-Type` to `application/json; charset=UTF-8`.
    ///
    /// `</` is written as `<\/`, which means the same but cannot end a `<script>` element.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write), and if `value` cannot be written as JSON (a map with keys that
    /// are not strings). Then nothing is appended.
    ///
    /// # Examples
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

    /// Appends text that [`write!`] or [`writeln!`] formats. The text is formatted into the body
    /// itself, without a `String` in between.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write), and if a value reports that it cannot be formatted. Then
    /// nothing is appended.
    ///
    /// # Examples
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
    #[track_caller]
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> Result {
        self.check_open()?;
        self.exchange.response.body.append(|out| append_text(out, text))
    }

    /// Appends `chunk`, of this type unless the handler has set another one.
    #[track_caller]
    pub(crate) fn write_as<'a>(
        &mut self,
        content_type: HeaderValue,
        chunk: impl IntoChunk<'a>,
    ) -> Result {
        let chunk = chunk.into_chunk();
        if !chunk.as_bytes().is_empty() {
            self.set_default_content_type(content_type);
        }
        self.write(chunk)
    }

    /// Sets the `Content-Type`, unless the handler has set one or the head has been sent.
    pub(crate) fn set_default_content_type(&mut self, content_type: HeaderValue) {
        let response = &mut self.exchange.response;
        if !response.headers.has(HeaderRole::ContentType) {
            response.headers.set(header::CONTENT_TYPE, content_type);
            response.is_changed = true;
        }
    }

    /// Fails if nothing can be added to the body.
    #[track_caller]
    #[inline]
    fn check_open(&self) -> Result {
        match self.exchange.response.progress() {
            Progress::Open | Progress::Streaming => Ok(()),
            Progress::Complete | Progress::Finished | Progress::Broken => {
                Err(ResponseError::Finished.into())
            }
        }
    }

    /// Removes everything that was written, and resets the status and the headers. Takes an
    /// [upgrade](Self::upgrade) back. [`clear_body`](Self::clear_body) keeps the status and the
    /// headers.
    ///
    /// # Errors
    ///
    /// Returns [`ResponseError::HeadSent`] once the head has been flushed or the response has been
    /// sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn change_of_mind(cx: &mut Context) -> Result {
    ///     cx.write("half a page")?;
    ///     cx.clear()?;
    ///     cx.write("another page")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(change_of_mind))]));
    /// assert_eq!(client.get("/").send().text(), "another page");
    /// ```
    #[track_caller]
    pub fn clear(&mut self) -> Result {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        self.take_upgrade();
        self.exchange.clear_response();
        Ok(())
    }

    /// Removes the body, its trailers, and the headers that describe only that body:
    /// `Content-Length`, `Content-Encoding`, `Content-Range`, `ETag` and `Last-Modified`. Keeps the
    /// status and all other headers, also the `Content-Type`.
    ///
    /// Use it in middleware that writes its own page for an error. The headers of the error
    /// (`Allow`, `WWW-Authenticate`, `Retry-After`) stay; [`clear`](Self::clear) would remove them.
    ///
    /// # Errors
    ///
    /// Returns [`ResponseError::HeadSent`] once the head has been flushed or the response has been
    /// sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, get, route};
    /// let app = Application::new([route("/", get(async || "hello"))]).around(async |cx, next| {
    ///     if let Err(error) = next.run(cx).await {
    ///         cx.send_error(&error);
    ///     }
    ///     if cx.status().is_client_error() {
    ///         cx.clear_body()?;
    ///         cx.json(&[cx.status().as_u16()])?;
    ///     }
    ///     Ok(())
    /// });
    /// let response = TestClient::new(app).post("/").send();
    /// assert_eq!((response.status().as_u16(), response.text()), (405, "[405]".into()));
    /// assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    /// ```
    #[track_caller]
    pub fn clear_body(&mut self) -> Result {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        self.exchange.response.clear_body();
        Ok(())
    }

    /// Writes the standard page of the current status. The default
    /// [`write_error`](crate::RequestHandler::write_error) calls this.
    ///
    /// The page is a line of HTML:
    /// `<html><title>404: Not Found</title><body>404: Not Found</body></html>`. A
    /// [message](crate::HTTPError::with_message) of the error follows the status, and its
    /// [body](crate::HTTPError::with_body) replaces the page. Nothing is written if the status
    /// allows no body.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write).
    pub fn write_error_page(&mut self) -> Result {
        let status = self.status();
        if is_bodiless(status) {
            return Ok(());
        }
        let page = self.exchange.rare.as_mut().map(|rare| mem::take(&mut rare.error_page));
        let ErrorPage { message, body } = page.unwrap_or_default();
        if let Some(ErrorBody { content_type, bytes }) = body {
            self.set_header(header::CONTENT_TYPE, content_type)?;
            return self.write(bytes);
        }
        let reason = self.exchange.response.reason.as_deref().or(status.canonical_reason());
        let reason = escape_html(reason.unwrap_or("Unknown"));
        let code = status.as_u16();
        let message =
            message.map_or_else(String::new, |text| format!("<br>{}", escape_html(&text)));
        self.write(format!(
            "<html><title>{code}: {reason}</title><body>{code}: {reason}{message}</body></html>"
        ))
    }
}

/// Appends `value` as JSON. Appends nothing if it fails.
fn append_json<T: Serialize + ?Sized>(out: &mut SendBuffer, value: &T) -> Result {
    let mut appended = Appended { start: out.len(), out, is_kept: false };
    serde_json::to_writer(&mut *appended.out, value)?;
    escape_closing_tags(appended.out, appended.start);
    appended.is_kept = true;
    Ok(())
}

/// Appends `text`. Appends nothing if a value cannot be formatted.
fn append_text(out: &mut SendBuffer, text: fmt::Arguments<'_>) -> Result {
    let mut appended = Appended { start: out.len(), out, is_kept: false };
    appended.write_fmt(text)?;
    appended.is_kept = true;
    Ok(())
}

/// Bytes that are removed again on drop, also when a value panics, unless they are kept.
struct Appended<'a> {
    out: &'a mut SendBuffer,
    start: usize,
    is_kept: bool,
}

impl fmt::Write for Appended<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.extend_short(text.as_bytes());
        Ok(())
    }
}

impl Drop for Appended<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.out.truncate(self.start);
        }
    }
}

/// Replaces `</` with `<\/` from `start` on.
fn escape_closing_tags(json: &mut SendBuffer, start: usize) {
    let written = &json.as_slice()[start..];
    // A search for one byte is cheap, and nearly always enough.
    if memchr::memchr(b'<', written).is_none() || memchr::memmem::find(written, b"</").is_none() {
        return;
    }
    let plain = written.to_vec();
    json.truncate(start);
    for byte in plain {
        if byte == b'/' && json.as_slice()[start..].last() == Some(&b'<') {
            json.extend(b"\\");
        }
        json.extend(&[byte]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(bytes: &[u8]) -> SendBuffer {
        let mut buffer = SendBuffer::default();
        buffer.extend(bytes);
        buffer
    }

    #[test]
    fn a_value_that_is_not_json_appends_nothing() {
        let mut out = beginning(b"before");
        let half = ([1, 2], std::collections::HashMap::from([((1, 2), 3)]));
        assert!(append_json(&mut out, &half).is_err());
        assert_eq!(out.as_slice(), b"before");
    }

    #[test]
    fn a_value_that_cannot_be_formatted_appends_nothing() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let mut out = beginning(b"before");
        assert!(append_text(&mut out, format_args!("half {Broken}")).is_err());
        assert_eq!(out.as_slice(), b"before");
        append_text(&mut out, format_args!(", {}", 1)).unwrap();
        assert_eq!(out.as_slice(), b"before, 1");
    }

    #[test]
    fn closing_tags_are_escaped_only_in_the_appended_json() {
        let mut out = beginning(b"</");
        append_json(&mut out, &["</a", "<b>", "/"]).unwrap();
        assert_eq!(str::from_utf8(out.as_slice()).unwrap(), r#"</["<\/a","<b>","/"]"#);
        let mut out = beginning(b"<");
        append_json(&mut out, &["</"]).unwrap();
        assert_eq!(str::from_utf8(out.as_slice()).unwrap(), r#"<["<\/"]"#);
    }
}
