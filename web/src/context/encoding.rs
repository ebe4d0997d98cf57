//! The `Content-Encoding` of a request's body.

use crate::context::Context;
use crate::error::HTTPError;
use crate::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use crate::http1::head::Range;
use crate::http1::inflate::{ACCEPTED, ContentCoding, UnknownCoding};

/// The header that replaces `Content-Encoding` once the body is decompressed, as in Tornado.
const CONSUMED: &str = "x-consumed-content-encoding";

impl Context {
    /// Makes the body be decompressed if it has an encoding, and hides the `Content-Encoding`
    /// header: a handler that passes the body on must not pass on the header.
    pub(super) fn decompress_request(&mut self) {
        if self.connection.with(|buffers| buffers.body.is_none()) {
            return;
        }
        match self.content_coding() {
            Ok(None) => {}
            Ok(Some((coding, value))) => {
                self.connection.with(|buffers| {
                    let head = buffers.input.head();
                    let is_encoding = |name: Range| is_content_encoding(name.of(head));
                    self.exchange.head.fields.retain(|field| !is_encoding(field.name));
                    buffers.body.inflate(coding);
                });
                self.exchange.rare_mut().consumed_encoding = Some(value);
            }
            // The response is 404.
            Err(UnknownCoding) if self.exchange.policy().pattern.is_none() => {}
            Err(UnknownCoding) => self.refuse(unknown_coding()),
        }
    }

    /// Returns the encoding of the body, and the value that names it.
    fn content_coding(&self) -> Result<Option<(ContentCoding, Range)>, UnknownCoding> {
        self.connection.with(|buffers| {
            let head = buffers.input.head();
            let mut found = None;
            for field in &self.exchange.head.fields {
                if is_content_encoding(field.name.of(head)) {
                    let known = found.map(|(coding, _)| coding);
                    let coding = ContentCoding::take_in(known, field.value.of(head))?;
                    if coding != known {
                        found = coding.map(|coding| (coding, field.value));
                    }
                }
            }
            Ok(found)
        })
    }

    /// Whether the body is still compressed.
    pub(super) fn is_body_encoded(&self) -> bool {
        !matches!(self.content_coding(), Ok(None))
    }

    /// Returns the value of the header `name` if it is the one that replaces `Content-Encoding`.
    pub(super) fn consumed_encoding(&self, name: &str) -> Option<Range> {
        self.exchange
            .rare
            .as_ref()?
            .consumed_encoding
            .filter(|_| name.eq_ignore_ascii_case(CONSUMED))
    }

    pub(super) fn append_consumed_encoding(&self, head: &[u8], headers: &mut HeaderMap) {
        let value = self.consumed_encoding(CONSUMED);
        let value = value.and_then(|value| HeaderValue::from_bytes(value.of(head)).ok());
        if let Some(value) = value {
            // Fails if the map is full.
            let _ = headers.try_append(HeaderName::from_static(CONSUMED), value);
        }
    }
}

fn is_content_encoding(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-encoding")
}

/// Returns 415 with the encodings that the server accepts (RFC 9110 §15.5.16).
pub(super) fn unknown_coding() -> HTTPError {
    HTTPError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .with_header(header::ACCEPT_ENCODING, ACCEPTED)
}
