//! The response that most requests get: nothing about it needs a second look.

use squall_runtime::log;

use crate::context::Context;
use crate::context::exchange::{Exchange, Progress};
use crate::context::finish::keeps_alive;
use crate::http::{Method, StatusCode};
use crate::http1::encode::{ResponseFraming, encode_untagged, encode_usual};
use crate::http1::etag::ETag;
use crate::http1::head::Version;

impl Context {
    /// Queues a response that is complete, if it is a usual one: the connection is kept then.
    #[inline(always)]
    pub(super) fn send_usual(&mut self) -> bool {
        if !self.is_usual() {
            return false;
        }
        let may_be_had = self.may_be_had();
        let response = &mut self.exchange.response;
        let Some(body) = response.body.small_slice() else { return self.send_lent() };
        let etag = may_be_had.then(|| ETag::of(body));
        let date = self.connection.worker.date_line();
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_usual(out, &response.headers, date, etag, body));
        });
        response.body.clear();
        response.keep_alive = true;
        response.progress = Progress::Finished;
        if log::is_access_enabled() {
            self.log_access();
        }
        true
    }

    /// As [`send_usual`](Self::send_usual), if the body is one that was lent.
    #[inline(never)]
    fn send_lent(&mut self) -> bool {
        let may_be_had = self.may_be_had();
        let response = &mut self.exchange.response;
        let Some(body) = response.body.take_lent() else { return false };
        let etag = may_be_had.then(|| ETag::of(&body));
        let date = self.connection.worker.date_line();
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_untagged(out, &response.headers, date, etag, &body));
        });
        response.keep_alive = true;
        response.progress = Progress::Finished;
        self.log_access();
        true
    }

    #[inline(always)]
    fn is_usual(&self) -> bool {
        let Exchange { head: request, response, awaits_body, .. } = &*self.exchange;
        self.is_checked()
            && response.status == StatusCode::OK
            && response.headers.is_usual()
            && response.reason.is_none()
            && response.file.is_none()
            && request.version == Version::Http11
            && request.method != Method::HEAD
            && !request.if_none_match
            && !*awaits_body
            && keeps_alive(&self.connection, request, response, ResponseFraming::Length(0))
    }
}
