//! The response that most requests get: nothing about it needs a second look.

use std::cell::Cell;

use squall_runtime::log;

use crate::connection::output::Output;
use crate::context::Context;
use crate::context::exchange::{Exchange, Progress};
use crate::context::finish::keeps_alive;
use crate::http::{Method, StatusCode};
use crate::http1::date::DateLine;
use crate::http1::encode::{ResponseFraming, encode_untagged, encode_usual};
use crate::http1::etag::ETag;
use crate::http1::head::Version;
use crate::http1::header_list::HeaderList;
use crate::http1::send_buffer::SendBuffer;

impl Context {
    /// Queues a response that is complete, if it is a usual one: the connection is kept then.
    #[inline(always)]
    pub(super) fn send_usual(&mut self) -> bool {
        self.is_usual()
            && (self.send_at_once(Output::small_slice, encode_usual) || self.send_lent())
    }

    #[inline(never)]
    fn send_lent(&mut self) -> bool {
        self.send_at_once(Output::lent_slice, encode_untagged)
    }

    /// Queues it if `whole` finds all of the body in one piece.
    #[inline(always)]
    fn send_at_once(
        &mut self,
        whole: impl FnOnce(&Output) -> Option<&[u8]>,
        encode: impl FnOnce(&mut SendBuffer, &HeaderList, &Cell<DateLine>, Option<ETag>, &[u8]),
    ) -> bool {
        let may_be_had = self.may_be_had();
        let response = &mut self.exchange.response;
        let Some(body) = whole(&response.body) else { return false };
        let etag = may_be_had.then(|| ETag::of(body));
        let date = self.connection.worker.date_line();
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode(out, &response.headers, date, etag, body));
        });
        response.body.clear();
        response.keep_alive = true;
        response.progress = Progress::Finished;
        if log::is_access_enabled() {
            self.log_access();
        }
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
