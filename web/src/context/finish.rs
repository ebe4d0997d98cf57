//! From what a handler wrote to the bytes of a response.

use crate::connection::upgrade::Serve;
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::context::response::ResponseError;
use crate::error::{HTTPError, Result};
use crate::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use crate::http1::encode::{
    CHUNK_END, ConnectionHeader, LAST_CHUNK, ResponseFraming, ResponseHead, asks_to_close,
    chunk_start, encode_head, encode_trailers,
};
use crate::http1::etag::{ETag, if_none_match};
use crate::http1::field::is_reason_phrase;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");

impl Context {
    pub(super) fn is_head_sent(&self) -> bool {
        match self.exchange.response.progress {
            Progress::Open | Progress::Complete => false,
            Progress::Streaming { .. } | Progress::Finished | Progress::Broken => true,
        }
    }

    /// Checks that what was written is a response, after which the body cannot be changed.
    pub(crate) fn complete(&mut self) -> Result {
        if self.exchange.response.progress != Progress::Open {
            return Ok(());
        }
        let response = &self.exchange.response;
        let written = response.body.len() as u64;
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
        self.exchange.response.progress = Progress::Complete;
        Ok(())
    }

    /// Queues what has been written, the head before it if it has not left yet.
    pub(super) fn send_written(&mut self) -> Result {
        if self.exchange.response.progress == Progress::Complete {
            self.send_rest();
            return Ok(());
        }
        if self.exchange.response.progress == Progress::Open {
            let status = self.status();
            if is_bodiless(status) {
                self.complete()?;
                self.send_rest();
                return Ok(());
            }
            let declared = self.declared_length()?;
            let framing = ResponseFraming::of(self.exchange.head.version, status, declared);
            self.exchange.response.promised = declared;
            let chunked = framing == ResponseFraming::Chunked;
            self.send_head(framing, None);
            self.exchange.response.progress = Progress::Streaming { chunked };
        }
        self.send_piece()
    }

    /// Queues what has been written since the head left.
    fn send_piece(&mut self) -> Result {
        let response = &mut self.exchange.response;
        let Progress::Streaming { chunked } = response.progress else { return Ok(()) };
        let written = response.body.len() as u64;
        if written == 0 {
            return Ok(());
        }
        if let Some(promised) = &mut response.promised {
            let Some(left) = promised.checked_sub(written) else {
                let declared = *promised;
                response.progress = Progress::Broken;
                return Err(ResponseError::WrongLength { declared, written }.into());
            };
            *promised = left;
        }
        if self.exchange.head.method == Method::HEAD {
            response.body.clear();
            return Ok(());
        }
        self.connection.with(|buffers| {
            if chunked {
                buffers.output.append(|out| chunk_start(out, written as usize));
            }
            buffers.output.take(&mut response.body);
            if chunked {
                buffers.output.copy(CHUNK_END);
            }
        });
        Ok(())
    }

    /// Queues the end of the response, or all of it if nothing has left yet.
    pub(super) fn send_rest(&mut self) {
        match self.exchange.response.progress {
            Progress::Complete => self.send_whole(),
            Progress::Streaming { chunked } => {
                let sent = self.send_piece();
                if sent.is_err() || self.exchange.response.promised.is_some_and(|left| left > 0) {
                    self.exchange.response.progress = Progress::Broken;
                    return;
                }
                if chunked && self.exchange.head.method != Method::HEAD {
                    self.send_last_chunk();
                }
                self.exchange.response.progress = Progress::Finished;
            }
            Progress::Open | Progress::Finished | Progress::Broken => {}
        }
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
        let etag = self.automatic_etag();
        if let Some(etag) = &etag
            && self.client_has(etag)
        {
            self.become_not_modified();
        }
        let (status, version) = (self.status(), self.exchange.head.version);
        let body = &self.exchange.response.body;
        let headless_head = self.exchange.head.method == Method::HEAD && body.is_empty();
        let declared = if headless_head { self.declared_length().ok().flatten() } else { None };
        let length = declared.unwrap_or(body.len() as u64);
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
            Some(_) => ConnectionHeader::Upgrade,
            None => ConnectionHeader::of(self.exchange.head.version, response.keep_alive),
        };
        let reason = response.reason.as_deref();
        let head = ResponseHead {
            status: response.status,
            reason: reason.map(|reason| if is_reason_phrase(reason) { reason } else { "Unknown" }),
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

    fn keeps_alive(&self, framing: ResponseFraming) -> bool {
        self.exchange.head.keep_alive
            && framing != ResponseFraming::UntilClose
            && !self.connection.worker.is_draining()
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

    /// The tag of the body, where the framework makes one: for a whole 200 to GET or HEAD.
    fn automatic_etag(&self) -> Option<ETag> {
        let response = &self.exchange.response;
        let wanted = response.status == StatusCode::OK
            && matches!(*self.method(), Method::GET | Method::HEAD)
            && !response.body.is_empty()
            && response.header(&header::ETAG).is_none();
        wanted.then(|| match response.body.one_slice() {
            Some(body) => ETag::of(body),
            None => ETag::of_pieces(response.body.slices()),
        })
    }

    fn client_has(&self, etag: &ETag) -> bool {
        self.connection.with(|buffers| {
            let fields = self.exchange.head.fields(buffers.input.head(), "if-none-match");
            if_none_match(fields, etag.as_bytes())
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

    pub(super) fn begin_upgrade(&mut self, serve: Serve) -> Result {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        if !self.is_http11() || !self.connection.with(|buffers| buffers.body.is_done()) {
            Err(HTTPError::BAD_REQUEST.with_log_message("this request cannot be upgraded"))?;
        }
        self.set_status(StatusCode::SWITCHING_PROTOCOLS);
        self.exchange.response.body.clear();
        self.exchange.upgrade = Some(serve);
        self.complete()
    }
}

/// Whether responses of this status have no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
