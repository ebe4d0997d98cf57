//! From what a handler wrote to the bytes of a response.

use crate::connection::Connection;
use crate::connection::upgrade::Serve;
use crate::context::Context;
use crate::context::exchange::{Exchange, Progress, Response};
use crate::context::response::ResponseError;
use crate::error::{Error, HTTPError, Result};
use crate::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use crate::http1::encode::{
    CHUNK_END, ConnectionHeader, LAST_CHUNK, ResponseFraming, ResponseHead, chunk_start,
    encode_head, encode_trailers,
};
use crate::http1::etag::{ETag, if_none_match};
use crate::http1::head::{Head, Version};
use crate::http1::header_list::Role;
use crate::http1::send_buffer::SendBuffer;

impl Context {
    /// Checks that what was written is a response, after which the body cannot be changed.
    #[track_caller]
    #[inline]
    pub(crate) fn complete(&mut self) -> Result {
        if self.exchange.response.progress == Progress::Open {
            self.check_whole()?;
            self.exchange.response.progress = Progress::Complete;
            self.exchange.response.is_changed = false;
        }
        Ok(())
    }

    /// Whether it is complete, and has not been changed since.
    #[inline]
    pub(super) fn is_checked(&self) -> bool {
        let response = &self.exchange.response;
        response.progress == Progress::Complete && !response.is_changed
    }

    /// Whether the handler has another protocol to go on with.
    fn upgrades(&self) -> bool {
        self.exchange.seldom().is_some_and(|seldom| seldom.upgrade.is_some())
    }

    /// Checks that what was written is a response, if nothing of it has left.
    #[inline]
    pub(crate) fn check_whole(&self) -> Result {
        let response = &self.exchange.response;
        let is_plain = response.status == StatusCode::OK;
        if self.is_head_sent() || is_plain && !response.headers.has(Role::ContentLength) {
            return Ok(());
        }
        self.check_status_and_length()
    }

    #[inline(never)]
    fn check_status_and_length(&self) -> Result {
        let response = &self.exchange.response;
        if response.status.is_informational() && !self.upgrades() {
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
            if self.exchange.response.is_changed {
                self.check_whole()?;
            }
            return self.send_rest();
        }
        if self.exchange.response.progress == Progress::Open {
            let status = self.status();
            if is_bodiless(status) {
                self.complete()?;
                return self.send_rest();
            }
            self.begin_streaming()?;
        }
        self.send_piece()
    }

    /// Queues the head of a response whose body follows in pieces.
    #[track_caller]
    fn begin_streaming(&mut self) -> Result {
        let declared = self.declared_length()?;
        let not_modified = self.client_has(None);
        if not_modified {
            self.become_not_modified();
        }
        // The handler goes on writing, and the client gets none of it.
        let without_body = not_modified || *self.method() == Method::HEAD;
        let (status, version) = (self.status(), self.exchange.head.version);
        let framing = ResponseFraming::of(version, status, declared);
        self.exchange.response.promised = declared.filter(|_| !without_body);
        self.send_head(framing, None, false);
        let response = &mut self.exchange.response;
        response.is_chunked = framing == ResponseFraming::Chunked;
        response.without_body = without_body;
        response.progress = Progress::Streaming;
        Ok(())
    }

    /// Queues what has been written since the head left.
    #[track_caller]
    fn send_piece(&mut self) -> Result {
        let response = &mut self.exchange.response;
        if response.progress != Progress::Streaming {
            return Ok(());
        }
        let chunked = response.is_chunked;
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
        if response.without_body {
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
            Progress::Streaming => {
                self.send_piece()?;
                if let Some(left) = self.exchange.response.promised.filter(|left| *left > 0) {
                    return Err(self.break_promise(left, 0));
                }
                let response = &self.exchange.response;
                if response.is_chunked && !response.without_body {
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
            let encode = |out: &mut SendBuffer| encode_trailers(out, trailers);
            self.connection.with(|buffers| buffers.output.append(encode));
        }
    }

    fn send_whole(&mut self) {
        if self.exchange.response.file.is_some() {
            self.date_file();
        }
        let etag = self.automatic_etag();
        if self.client_has(etag) {
            self.become_not_modified();
        }
        let (status, version) = (self.status(), self.exchange.head.version);
        let to_head = self.exchange.head.method == Method::HEAD;
        let mut length = self.exchange.response.body.len();
        if to_head {
            if length == 0 {
                length = self.declared_length().ok().flatten().unwrap_or(0);
            }
            self.exchange.response.body.clear();
        }
        let framing = ResponseFraming::of(version, status, Some(length));
        self.send_head(framing, etag, true);
        self.exchange.response.progress = Progress::Finished;
    }

    /// Queues the head, and behind it, if it `is_whole`, the body.
    fn send_head(&mut self, framing: ResponseFraming, etag: Option<ETag>, is_whole: bool) {
        let upgrades = self.upgrades();
        let Exchange { head: request, response, awaits_body, .. } = &mut *self.exchange;
        response.keep_alive = keeps_alive(&self.connection, request, response, framing)
            && (!*awaits_body || self.connection.can_be_drained());
        let switches = upgrades && response.status == StatusCode::SWITCHING_PROTOCOLS;
        let connection = match switches {
            true => ConnectionHeader::Upgrade,
            false => ConnectionHeader::of(request.version, response.keep_alive),
        };
        let head = ResponseHead {
            status: response.status,
            reason: response.reason.as_deref(),
            headers: &response.headers,
            framing,
            connection,
            date: self.connection.worker.date_line(),
            etag,
            server: true,
        };
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_head(out, &head));
            if is_whole {
                buffers.output.take(&mut response.body);
            }
        });
    }

    /// Whether the end of the connection is that of the body, once the head has left.
    pub(super) fn ends_with_connection(&self) -> bool {
        let response = &self.exchange.response;
        self.exchange.head.version == Version::Http10 && response.promised.is_none()
    }

    /// The `Content-Length` that the handler has set.
    fn declared_length(&self) -> Result<Option<u64>> {
        let Some(value) =
            self.exchange.response.headers.special(Role::ContentLength, &header::CONTENT_LENGTH)
        else {
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
            && !response.headers.has(Role::ETag);
        wanted.then(|| match response.body.one_slice() {
            Some(body) => ETag::of(body),
            None => ETag::of_pieces(response.body.slices()),
        })
    }

    /// Whether the client has the response already, so that a 304 takes its place: by its tag, which
    /// is the `automatic` one or the handler's, or if it is a file, by its date.
    ///
    /// `If-None-Match: *` matches a response without a tag as well.
    fn client_has(&self, automatic: Option<ETag>) -> bool {
        if self.exchange.response.file.is_some() && self.has_unmodified() {
            return true;
        }
        if !self.exchange.head.if_none_match || !self.may_be_had() {
            return false;
        }
        let automatic = automatic.map(ETag::text);
        let headers = &self.exchange.response.headers;
        let own = || headers.special(Role::ETag, &header::ETAG).map(HeaderValue::as_bytes);
        let etag = automatic.as_ref().map(<[u8; 18]>::as_slice).or_else(own);
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
        CONTENT.iter().for_each(|name| response.headers.remove(name.as_str()));
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
        if self.exchange.response.headers.first(&header::UPGRADE).is_none() {
            return Err(ResponseError::NoProtocol.into());
        }
        self.set_status(StatusCode::SWITCHING_PROTOCOLS);
        self.exchange.response.body.clear();
        self.exchange.make_seldom().upgrade = Some(serve);
        self.complete()
    }
}

/// Whether the connection stays open after `response`, as far as the request's body allows it.
#[inline(always)]
pub(super) fn keeps_alive(
    connection: &Connection,
    request: &Head,
    response: &Response,
    framing: ResponseFraming,
) -> bool {
    request.keep_alive
        && framing != ResponseFraming::UntilClose
        && !connection.worker.is_draining()
        && !connection.is_at_last_request()
        && !response.headers.asks_to_close()
        && !leaves_http(request, response)
}

/// Whether the client takes the connection for one of another protocol after `response`. No
/// request may be read from it then, even if nobody speaks that protocol: the handler has failed
/// after its 101, or nobody opens tunnels (RFC 9110 §9.3.6).
#[inline(always)]
fn leaves_http(request: &Head, response: &Response) -> bool {
    response.status == StatusCode::SWITCHING_PROTOCOLS
        || request.method == Method::CONNECT && response.status.is_success()
}

/// Whether responses of this status have no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}
