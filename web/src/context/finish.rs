//! From what a handler wrote to the bytes of a response.

use crate::connection::upgrade::Serve;
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::context::response::ResponseError;
use crate::error::{Error, HTTPError, Result};
use crate::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use crate::http1::encode::{
    CHUNK_END, ConnectionHeader, LAST_CHUNK, ResponseFraming, ResponseHead, asks_to_close,
    chunk_start, encode_head, encode_trailers,
};
use crate::http1::etag::{ETag, if_none_match};
use crate::http1::head::Version;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");

impl Context {
    /// Checks that what was written is a response, after which the body cannot be changed.
    #[track_caller]
    pub(crate) fn complete(&mut self) -> Result {
        if self.exchange.response.progress == Progress::Open {
            self.check_whole()?;
            self.exchange.response.progress = Progress::Complete;
        }
        Ok(())
    }

    /// Checks that what was written is a response, if nothing of it has left.
    pub(super) fn check_whole(&self) -> Result {
        let response = &self.exchange.response;
        if self.is_head_sent() {
            return Ok(());
        }
        if response.status.is_informational() && self.exchange.upgrade.is_none() {
            return Err(ResponseError::NotFinal(response.status).into());
        }
        let written = response.body.len();
        if is_bodiless(response.status) && written > 0 {
            return Err(ResponseError::NoBodyAllowed(response.status).into());
        }
        let headless_head = *self.method() == Method::HEAD && written == 0;
        if let Some(declared) = self.declared_length()?
            && declared != written
            && !headless_head
            && !is_bodiless(response.status)
        {
            return Err(ResponseError::WrongLength { declared, written }.into());
        }
        Ok(())
    }

    /// Queues what has been written, the head before it if it has not left yet.
    #[track_caller]
    pub(super) fn send_written(&mut self) -> Result {
        if self.exchange.response.progress == Progress::Complete {
            return self.send_rest();
        }
        if self.exchange.response.progress == Progress::Open {
            let status = self.status();
            if is_bodiless(status) {
                self.complete()?;
                return self.send_rest();
            }
            let declared = self.declared_length()?;
            let framing = ResponseFraming::of(self.exchange.head.version, status, declared);
            // Of a response to HEAD there is nothing to be kept.
            let to_head = *self.method() == Method::HEAD;
            self.exchange.response.promised = declared.filter(|_| !to_head);
            let chunked = framing == ResponseFraming::Chunked;
            self.send_head(framing, None);
            self.exchange.response.progress = Progress::Streaming { chunked };
        }
        self.send_piece()
    }

    /// Queues what has been written since the head left.
    #[track_caller]
    fn send_piece(&mut self) -> Result {
        let response = &mut self.exchange.response;
        let Progress::Streaming { chunked } = response.progress else { return Ok(()) };
        let written = response.body.len();
        if written == 0 {
            return Ok(());
        }
        if let Some(promised) = response.promised {
            let Some(left) = promised.checked_sub(written) else {
                return Err(self.break_promise(promised, written));
            };
            response.promised = Some(left);
        }
        if self.exchange.head.method == Method::HEAD {
            response.body.clear();
            return Ok(());
        }
        self.connection.with(|buffers| {
            if chunked {
                buffers.output.append(|out| chunk_start(out, written));
            }
            buffers.output.take(&mut response.body);
            if chunked {
                buffers.output.copy(CHUNK_END);
            }
        });
        Ok(())
    }

    /// Queues the end of the response, or all of it if nothing has left yet.
    pub(super) fn send_rest(&mut self) -> Result {
        match self.exchange.response.progress {
            Progress::Complete => self.send_whole(),
            Progress::Streaming { chunked } => {
                self.send_piece()?;
                if let Some(left) = self.exchange.response.promised.filter(|left| *left > 0) {
                    return Err(self.break_promise(left, 0));
                }
                if chunked && self.exchange.head.method != Method::HEAD {
                    self.send_last_chunk();
                }
                self.exchange.response.progress = Progress::Finished;
            }
            Progress::Open | Progress::Finished | Progress::Broken => {}
        }
        Ok(())
    }

    /// The client was promised `left` bytes more than it has been sent, but `written` are all
    /// there is, or too many.
    fn break_promise(&mut self, left: u64, written: u64) -> Error {
        self.exchange.response.progress = Progress::Broken;
        let declared = self.declared_length().ok().flatten().unwrap_or(left);
        ResponseError::WrongLength { declared, written: declared - left + written }.into()
    }

    fn send_last_chunk(&self) {
        let trailers = &self.exchange.response.trailers;
        if trailers.is_empty() || !self.takes_trailers() {
            self.connection.with(|buffers| buffers.output.copy(LAST_CHUNK));
        } else {
            let encode = |out: &mut Vec<u8>| encode_trailers(out, trailers);
            self.connection.with(|buffers| buffers.output.append(encode));
        }
    }

    fn send_whole(&mut self) {
        if self.exchange.response.file.is_some() {
            self.date_file();
        }
        let etag = self.automatic_etag();
        if self.client_has(etag.as_ref()) {
            self.become_not_modified();
        }
        let (status, version) = (self.status(), self.exchange.head.version);
        let body = &self.exchange.response.body;
        let headless_head = self.exchange.head.method == Method::HEAD && body.is_empty();
        let declared = if headless_head { self.declared_length().ok().flatten() } else { None };
        let length = declared.unwrap_or(body.len());
        self.send_head(ResponseFraming::of(version, status, Some(length)), etag.as_ref());
        let body = &mut self.exchange.response.body;
        if self.exchange.head.method == Method::HEAD {
            body.clear();
        }
        self.connection.with(|buffers| buffers.output.take(body));
        self.exchange.response.progress = Progress::Finished;
    }

    fn send_head(&mut self, framing: ResponseFraming, etag: Option<&ETag>) {
        let has_body = !matches!(framing, ResponseFraming::None | ResponseFraming::Length(0));
        let response = &mut self.exchange.response;
        if has_body && response.header(&header::CONTENT_TYPE).is_none() {
            response.headers.insert(0, (header::CONTENT_TYPE, HTML));
        }
        self.exchange.response.keep_alive = self.keeps_alive(framing);
        let response = &self.exchange.response;
        let connection = match self.exchange.upgrade {
            Some(_) if response.status == StatusCode::SWITCHING_PROTOCOLS => {
                ConnectionHeader::Upgrade
            }
            _ => ConnectionHeader::of(self.exchange.head.version, response.keep_alive),
        };
        let head = ResponseHead {
            status: response.status,
            reason: response.reason.as_deref(),
            headers: &response.headers,
            framing,
            connection,
            date: &self.connection.worker.date(),
            etag,
            server: true,
        };
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_head(out, &head));
        });
    }

    /// Whether the end of the connection is that of the body, once the head has left.
    pub(super) fn ends_with_connection(&self) -> bool {
        let response = &self.exchange.response;
        self.exchange.head.version == Version::Http10 && response.promised.is_none()
    }

    fn keeps_alive(&self, framing: ResponseFraming) -> bool {
        self.exchange.head.keep_alive
            && framing != ResponseFraming::UntilClose
            && !self.connection.worker.is_draining()
            && !self.connection.is_at_last_request()
            && !asks_to_close(&self.exchange.response.headers)
            && self.connection.with(|buffers| buffers.body.can_be_drained())
    }

    /// The `Content-Length` that the handler has set.
    fn declared_length(&self) -> Result<Option<u64>> {
        let Some(value) = self.exchange.response.header(&header::CONTENT_LENGTH) else {
            return Ok(None);
        };
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length = digits.and_then(|digits| digits.parse().ok());
        length.map(Some).ok_or_else(|| ResponseError::InvalidLength.into())
    }

    /// Whether the response is what a client may keep and ask for again by its tag.
    pub(super) fn may_be_had(&self) -> bool {
        self.status() == StatusCode::OK && matches!(*self.method(), Method::GET | Method::HEAD)
    }

    /// The tag of the body, where the framework makes one: for a whole 200 to GET or HEAD.
    fn automatic_etag(&self) -> Option<ETag> {
        let response = &self.exchange.response;
        let wanted = self.may_be_had()
            && response.file.is_none()
            && !response.body.is_empty()
            && response.header(&header::ETAG).is_none();
        wanted.then(|| match response.body.one_slice() {
            Some(body) => ETag::of(body),
            None => ETag::of_pieces(response.body.slices()),
        })
    }

    /// Whether the client has what would be sent: under the tag of the framework, or else that
    /// of the handler; or if it is a file, by its age.
    fn client_has(&self, automatic: Option<&ETag>) -> bool {
        if self.exchange.response.file.is_some() && self.has_unmodified() {
            return true;
        }
        let etag = match automatic {
            Some(etag) => Some(etag.as_bytes().as_slice()),
            None if self.may_be_had() => {
                self.exchange.response.header(&header::ETAG).map(HeaderValue::as_bytes)
            }
            None => None,
        };
        let Some(etag) = etag else { return false };
        self.connection.with(|buffers| {
            let fields = self.exchange.head.fields(buffers.input.head(), "if-none-match");
            if_none_match(fields, etag)
        })
    }

    /// Keeps of the response what a 304 may say (RFC 9110 §15.4.5).
    fn become_not_modified(&mut self) {
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
        CONTENT.iter().for_each(|name| response.remove_header(name));
    }

    #[track_caller]
    pub(super) fn begin_upgrade(&mut self, serve: Serve) -> Result {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        if !self.exchange.head.upgrade || !self.connection.with(|buffers| buffers.body.is_none()) {
            Err(HTTPError::BAD_REQUEST.with_log_message("this request cannot be upgraded"))?;
        }
        if self.exchange.response.header(&header::UPGRADE).is_none() {
            return Err(ResponseError::NoProtocol.into());
        }
        self.set_status(StatusCode::SWITCHING_PROTOCOLS);
        self.exchange.response.body.clear();
        self.exchange.upgrade = Some(serve);
        self.complete()
    }
}

/// Whether responses of this status have no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}
