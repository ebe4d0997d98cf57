//! Conditional requests: the automatic `ETag`, and 304 in place of a response that the client has.

use crate::context::Context;
use crate::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use crate::http1::etag::{ETag, if_none_match};
use crate::http1::header_list::HeaderRole;

impl Context {
    /// Whether the client may keep the response and ask for it again by its tag or date.
    pub(super) fn is_cacheable(&self) -> bool {
        self.status() == StatusCode::OK && matches!(*self.method(), Method::GET | Method::HEAD)
    }

    /// Returns the automatic tag: for a whole 200 to `GET` or `HEAD`, unless the handler has set
    /// one.
    pub(super) fn automatic_etag(&self) -> Option<ETag> {
        let response = &self.exchange.response;
        let wanted = self.is_cacheable()
            && response.file.is_none()
            && !response.body.is_empty()
            && !response.headers.has(HeaderRole::ETag);
        wanted.then(|| match response.body.one_slice() {
            Some(body) => ETag::of(body),
            None => ETag::of_pieces(response.body.slices()),
        })
    }

    /// Whether the client has this response already. Compares the tag, which is the `automatic` one
    /// or the handler's, and for a file its date.
    ///
    /// `If-None-Match: *` matches a response without a tag as well.
    pub(super) fn client_has(&self, automatic: Option<ETag>) -> bool {
        if self.exchange.response.file.is_some() && self.has_unmodified() {
            return true;
        }
        if !self.exchange.head.if_none_match || !self.is_cacheable() {
            return false;
        }
        let automatic = automatic.map(ETag::text);
        let headers = &self.exchange.response.headers;
        let own = || headers.special(HeaderRole::ETag, &header::ETAG).map(HeaderValue::as_bytes);
        let etag = automatic.as_ref().map(<[u8; 18]>::as_slice).or_else(own);
        self.connection.with(|buffers| {
            let fields = self.exchange.head.fields(buffers.input.head(), "if-none-match");
            if_none_match(fields, etag)
        })
    }

    /// Turns the response into a 304, and removes the headers that it may not have
    /// (RFC 9110 §15.4.5).
    pub(super) fn become_not_modified(&mut self) {
        const CONTENT: [HeaderName; 5] = [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_RANGE,
        ];
        let response = &mut self.exchange.response;
        response.status = StatusCode::NOT_MODIFIED;
        response.reason = None;
        response.body.clear();
        CONTENT.iter().for_each(|name| response.headers.remove(name.as_str()));
    }
}
