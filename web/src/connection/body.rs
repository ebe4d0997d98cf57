//! The body of the current request: its framing, its limits, and how much of it was received.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::Buffers;
use super::receive::Input;
use super::settings::Settings;
use crate::error::HTTPError;
use crate::http::StatusCode;
use crate::http1::body::{BodyDecoder, BodyError, BodyStep};
use crate::http1::encode::CONTINUE;
use crate::http1::head::{Expect, Framing, Head};

mod buffered;
mod inflating;
pub(super) mod memory;
mod reading;

use buffered::Whole;
use inflating::Inflating;

/// An unread body of at most this many bytes is read and discarded, to keep the connection.
const DRAIN_LIMIT: u64 = 64 * 1024;

/// The state of the current request's body.
#[derive(Debug)]
pub(crate) struct RequestBody {
    decoder: BodyDecoder,
    framing: Framing,
    /// The most bytes that may be received.
    limit: u64,
    received: u64,
    /// Decompresses the body, if it is compressed and the route asks for that.
    inflating: Option<Box<Inflating>>,
    /// How long the server has waited for the body, without the current wait.
    waited: Duration,
    waiting_since: Option<Instant>,
    /// Woken when the request ends.
    waiter: Option<Waker>,
    /// The client waits for `100 Continue` before it sends the body. After another response it may
    /// leave the body out.
    awaits_continue: bool,
    /// The whole body, if it is collected.
    whole: Whole,
    /// Why the body cannot be read to its end. No request can follow then.
    failure: Option<BodyFailure>,
    /// The fields are those of an empty body.
    is_untouched: bool,
}

/// Why a body cannot be read to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyFailure {
    Malformed(BodyError),
    TooLarge,
    TimedOut,
    /// The graceful shutdown has reached its limit.
    ServerEnds,
    /// The client disconnected before the end of the body.
    Gone,
    /// The response was complete before the body was read.
    Over,
}

impl BodyFailure {
    pub(crate) fn error(self) -> HTTPError {
        match self {
            Self::Malformed(error) => {
                HTTPError::new(error.status()).with_log_message(error.to_string())
            }
            Self::TooLarge => HTTPError::PAYLOAD_TOO_LARGE,
            Self::TimedOut => {
                HTTPError::REQUEST_TIMEOUT.with_log_message("the body arrived too slowly")
            }
            // No message for the log: it has a line about each request that the shutdown cuts.
            Self::ServerEnds => HTTPError::SERVICE_UNAVAILABLE,
            Self::Over => HTTPError::INTERNAL_SERVER_ERROR
                .with_log_message("the body was read after the response was complete"),
            Self::Gone => HTTPError::new(StatusCode::BAD_REQUEST)
                .with_log_message("the client disconnected before the body was complete"),
        }
    }
}

/// The result of reading once from the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Some of the body was passed to the sink.
    Data,
    /// More bytes must be received first.
    Starved,
    /// The task must yield first.
    Yield,
    /// The body is complete.
    End,
}

impl Default for RequestBody {
    fn default() -> Self {
        Self {
            decoder: BodyDecoder::new(Framing::None),
            framing: Framing::None,
            limit: 0,
            received: 0,
            inflating: None,
            waited: Duration::ZERO,
            waiting_since: None,
            waiter: None,
            awaits_continue: false,
            whole: Whole::None,
            failure: None,
            is_untouched: true,
        }
    }
}

impl RequestBody {
    /// Begins the body of a request.
    pub(crate) fn begin(&mut self, head: &Head) {
        let is_empty = head.framing.is_empty();
        if !(is_empty && self.is_untouched) {
            self.reset(head);
            self.is_untouched = is_empty;
        }
    }

    fn reset(&mut self, head: &Head) {
        self.framing = head.framing;
        self.decoder = BodyDecoder::new(head.framing);
        self.received = 0;
        self.waited = Duration::ZERO;
        self.waiting_since = None;
        self.failure = None;
        self.awaits_continue = head.expect != Expect::None && !self.decoder.is_done();
        self.whole = Whole::None;
    }

    /// Drops the collected body of the request that was served.
    pub(crate) fn clear(&mut self) {
        if !self.is_untouched {
            self.whole = Whole::None;
            self.inflating = None;
        }
    }

    pub(crate) fn take_waiter(&mut self) -> Option<Waker> {
        self.waiter.take()
    }

    /// How long the next bytes may take: at most the longest pause, and less if the body is below
    /// the minimum rate on average.
    pub(crate) fn patience(&self, settings: &Settings) -> Option<Duration> {
        let pause = settings.body_timeout?;
        let Some(seconds) = self.received.checked_div(settings.min_body_rate) else {
            return Some(pause);
        };
        let in_all = Duration::from_secs(seconds).saturating_add(pause);
        Some(in_all.saturating_sub(self.waited).min(pause))
    }

    /// Sets the most bytes that may be received. A larger body is rejected with 413.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Whether the head announces a body that is too large.
    pub(crate) fn is_announced_too_large(&self) -> bool {
        matches!(self.framing, Framing::Length(length) if length > self.limit)
    }

    /// Notes that the response has begun. It is too late for `100 Continue`.
    pub(crate) fn answer_begins(&mut self) {
        self.awaits_continue = false;
    }

    pub(crate) fn fail(&mut self, failure: BodyFailure) {
        self.failure = Some(failure);
        self.is_untouched = false;
    }

    /// Whether the request has no body at all.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Whether the body has been read to its end, so the next request follows.
    pub(crate) fn is_done(&self) -> bool {
        self.failure.is_none() && self.decoder.is_done() && self.inflating.is_none()
    }

    /// Whether the connection can be kept although the body was not read: the rest is short, and
    /// the client does send it.
    pub(crate) fn can_be_drained(&self) -> bool {
        self.is_done()
            || !self.awaits_continue
                && self.failure.is_none()
                && match self.framing {
                    Framing::Length(length) => length - self.received <= DRAIN_LIMIT,
                    Framing::None | Framing::Chunked => true,
                }
    }

    /// Moves at most `limit` bytes of the body from `input` to `sink`.
    ///
    /// Bytes that were received together are passed on in one step, across chunks.
    pub(crate) fn read(
        &mut self,
        input: &mut Input,
        limit: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Step, BodyFailure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.inflating.is_some() {
            return self.read_inflated(input, limit, sink);
        }
        let mut first = None;
        let end = self.received.saturating_add(limit as u64);
        loop {
            let left = usize::try_from(end - self.received).unwrap_or(usize::MAX);
            match self.read_chunk(input, left, sink) {
                Ok(Step::Data) if self.received == end => return Ok(Step::Data),
                Ok(Step::Data) => first = Some(Step::Data),
                Ok(step) => return Ok(first.unwrap_or(step)),
                Err(failure) => {
                    self.failure = Some(failure);
                    // The good bytes before the error come first.
                    return first.ok_or(failure);
                }
            }
        }
    }

    /// Checks the limit. Announced bytes count, so a large body is rejected before it is received.
    fn check_size(&self) -> Result<(), BodyFailure> {
        match self.received.saturating_add(self.decoder.announced()) > self.limit {
            true => Err(BodyFailure::TooLarge),
            false => Ok(()),
        }
    }

    fn read_chunk(
        &mut self,
        input: &mut Input,
        limit: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Step, BodyFailure> {
        loop {
            let unread = input.unread();
            let front = &unread[..unread.len().min(limit)];
            match self.decoder.decode(front).map_err(BodyFailure::Malformed)? {
                BodyStep::Data { skip, len } => {
                    self.received += len as u64;
                    self.check_size()?;
                    sink(&input.unread()[skip..skip + len]);
                    input.consume(skip + len);
                    return Ok(Step::Data);
                }
                BodyStep::Skip(0) => {
                    self.check_size()?;
                    return Ok(Step::Starved);
                }
                BodyStep::Skip(skip) => input.consume(skip),
                BodyStep::Done { skip } => {
                    input.consume(skip);
                    return Ok(Step::End);
                }
            }
        }
    }
}

impl Buffers {
    /// Makes room to receive `size` bytes at once, or the rest of the body if that is shorter.
    pub(crate) fn make_room_for_body(&mut self, size: usize) {
        let left = match self.body.decoder {
            BodyDecoder::Length(left) => usize::try_from(left).unwrap_or(usize::MAX),
            BodyDecoder::Chunked(_) => usize::MAX,
        };
        self.input.enlarge(size.min(left));
    }

    /// Queues `100 Continue` if the client waits for it. Returns whether it does.
    fn queue_continue(&mut self) -> bool {
        let continues = std::mem::take(&mut self.body.awaits_continue);
        if continues {
            self.output.copy(CONTINUE);
        }
        continues
    }
}
