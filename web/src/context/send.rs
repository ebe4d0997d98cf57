//! Queues the bytes of a response: whole, or in pieces after a [`flush`](Context::flush).

use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::context::finish::{is_bodiless, keeps_alive};
use crate::context::response::{Progress, ResponseError};
use crate::error::undelivered::Undelivered;
use crate::error::{Error, Result};
use crate::http::{Method, StatusCode, header};
use crate::http1::encode::{
    CHUNK_END, ConnectionHeader, LAST_CHUNK, ResponseFraming, ResponseHead, chunk_start,
    encode_head, encode_trailers,
};
use crate::http1::etag::ETag;
use crate::http1::field::has_token;
use crate::http1::head::Version;
use crate::http1::header_list::HeaderRole;
use crate::http1::send_buffer::SendBuffer;

impl Context {
    /// Sends everything written so far, and waits until the kernel has taken all of it. A client
    /// that reads slowly therefore slows down the handler, and does not fill the memory.
    ///
    /// The first flush sends the head, so status and headers are final. Unless a `Content-Length`
    /// was set, the body continues in chunks; a client of HTTP/1.0 gets it until the connection is
    /// closed.
    ///
    /// # Errors
    ///
    /// - if the client has disconnected, or does not read for longer than the server's
    ///   [`write_timeout`](crate::HTTPServer::write_timeout);
    /// - [`ResponseError`], like [`finish`](Self::finish), if the response cannot be sent as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route, sleep};
    /// # use std::time::Duration;
    /// async fn count(cx: &mut Context) -> Result {
    ///     for n in 1..=3 {
    ///         cx.write(format!("{n}\n"))?;
    ///         cx.flush().await?;
    ///         sleep(Duration::from_secs(1)).await;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(count))]));
    /// assert_eq!(client.get("/").send().text(), "1\n2\n3\n");
    /// ```
    pub async fn flush(&mut self) -> Result {
        self.send_written()?;
        let flushed: Result = self.connection.flush().await.map_err(Error::from);
        if let Some(why) = flushed.as_ref().err().and_then(Undelivered::of) {
            self.mark_disconnected(why.departure());
        }
        flushed
    }

    /// Queues everything written so far, after the head if that has not been sent.
    #[track_caller]
    fn send_written(&mut self) -> Result {
        match self.exchange.response.progress() {
            Progress::Complete => {
                if self.exchange.response.is_changed {
                    self.check_response()?;
                }
                self.send_rest()
            }
            Progress::Open if is_bodiless(self.status()) => {
                self.complete()?;
                self.send_rest()
            }
            Progress::Open => {
                self.begin_streaming()?;
                self.send_piece()
            }
            Progress::Streaming => self.send_piece(),
            Progress::Finished | Progress::Broken => Ok(()),
        }
    }

    /// Queues the rest of the response, which is all of it if the head has not been sent.
    pub(super) fn send_rest(&mut self) -> Result {
        match self.exchange.response.progress() {
            Progress::Complete => {
                self.send_whole();
                Ok(())
            }
            Progress::Streaming => self.send_last_piece(),
            Progress::Open | Progress::Finished | Progress::Broken => Ok(()),
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
        self.exchange.response.set_finished();
    }

    /// Queues the head, and after it the body if `is_whole`.
    fn send_head(&mut self, framing: ResponseFraming, etag: Option<ETag>, is_whole: bool) {
        let is_upgrade = self.is_upgrade();
        let Exchange { head: request, response, awaits_body, .. } = &mut *self.exchange;
        response.keep_alive = keeps_alive(&self.connection, request, response, framing)
            && (!*awaits_body || self.connection.can_be_drained());
        let switches = is_upgrade && response.status == StatusCode::SWITCHING_PROTOCOLS;
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
            date: self.connection.server.date_line(),
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

    /// Queues the head of a response whose body follows in pieces.
    #[track_caller]
    fn begin_streaming(&mut self) -> Result {
        let declared = self.declared_length()?;
        let not_modified = self.client_has(None);
        if not_modified {
            self.become_not_modified();
        }
        // The handler goes on writing, but the client gets none of it.
        let without_body = not_modified || *self.method() == Method::HEAD;
        let (status, version) = (self.status(), self.exchange.head.version);
        let framing = ResponseFraming::of(version, status, declared);
        self.send_head(framing, None, false);
        let response = &mut self.exchange.response;
        response.promised = declared.filter(|_| !without_body);
        response.is_chunked = framing == ResponseFraming::Chunked;
        response.without_body = without_body;
        response.set_streaming();
        Ok(())
    }

    /// Queues the part of the body that was written since the last piece.
    #[track_caller]
    fn send_piece(&mut self) -> Result {
        let response = &mut self.exchange.response;
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
        let chunked = response.is_chunked;
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

    fn send_last_piece(&mut self) -> Result {
        self.send_piece()?;
        if let Some(left) = self.exchange.response.promised.filter(|left| *left > 0) {
            return Err(self.break_promise(left, 0));
        }
        let response = &self.exchange.response;
        if response.is_chunked && !response.without_body {
            self.send_last_chunk();
        }
        self.exchange.response.set_finished();
        Ok(())
    }

    fn send_last_chunk(&self) {
        let trailers = &self.exchange.response.trailers;
        self.connection.with(|buffers| {
            let mut te = self.exchange.head.fields(buffers.input.head(), "te");
            if !trailers.is_empty() && te.any(|field| has_token(field, "trailers")) {
                buffers.output.append(|out: &mut SendBuffer| encode_trailers(out, trailers));
            } else {
                buffers.output.copy(LAST_CHUNK);
            }
        });
    }

    /// The handler has declared `left` bytes more than were sent before, but has written `written`.
    fn break_promise(&mut self, left: u64, written: u64) -> Error {
        self.exchange.response.set_broken();
        let declared = self.declared_length().ok().flatten().unwrap_or(left);
        ResponseError::WrongLength { declared, written: declared - left + written }.into()
    }

    /// Whether the end of the connection marks the end of the body, once the head has been sent.
    pub(super) fn ends_with_connection(&self) -> bool {
        let response = &self.exchange.response;
        self.exchange.head.version == Version::Http10 && response.promised.is_none()
    }

    /// Returns the `Content-Length` that the handler has set.
    pub(super) fn declared_length(&self) -> Result<Option<u64>> {
        let Some(value) = self
            .exchange
            .response
            .headers
            .special(HeaderRole::ContentLength, &header::CONTENT_LENGTH)
        else {
            return Ok(None);
        };
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length = digits.and_then(|digits| digits.parse().ok());
        length.map(Some).ok_or_else(|| ResponseError::InvalidLength.into())
    }
}
