use std::io;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::buffers::Buffers;
use crate::connection::collecting::Whole;
use crate::connection::inflating::Inflating;
use crate::connection::input::Input;
use crate::connection::patience::Phase;
use crate::connection::settings::Settings;
use crate::error::HTTPError;
use crate::http::StatusCode;
use crate::http1::body::{BodyDecoder, BodyError, BodyStep};
use crate::http1::encode::CONTINUE;
use crate::http1::head::{Expect, Framing, Head};

/// An unread body of at most so many bytes is read away, to keep the connection.
pub(super) const DRAIN_LIMIT: u64 = 64 * 1024;

/// The body of the current request, as far as it has come.
#[derive(Debug)]
pub(crate) struct RequestBody {
    pub(super) decoder: BodyDecoder,
    framing: Framing,
    /// The most bytes that may come, as a setting has it.
    pub(super) limit: u64,
    pub(super) received: u64,
    /// It is compressed, and is not to be given out so.
    pub(super) inflating: Option<Box<Inflating>>,
    /// How long it was waited for so far, and since when it is waited for now.
    waited: Duration,
    waiting_since: Option<Instant>,
    /// Who is to know when the request is over.
    waiter: Option<Waker>,
    /// The client waits for `100 Continue`, or another sign, before it sends the body: without
    /// one it may leave the body out.
    awaits_continue: bool,
    /// All of it, if it is collected.
    pub(super) whole: Whole,
    /// It could not be read to its end, and nothing can follow it.
    pub(super) failure: Option<BodyFailure>,
    /// Nothing has been noted here since there was no body.
    pub(super) is_untouched: bool,
}

/// Why a body cannot be read to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyFailure {
    Malformed(BodyError),
    TooLarge,
    TimedOut,
    /// The server ends, and waits no longer.
    ServerEnds,
    /// The connection ended before the body did.
    Gone,
    /// The request was answered before its body was read.
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
                HTTPError::REQUEST_TIMEOUT.with_log_message("the body came too slowly")
            }
            Self::ServerEnds => HTTPError::SERVICE_UNAVAILABLE
                .with_log_message("the server ends before the body was complete"),
            Self::Over => HTTPError::INTERNAL_SERVER_ERROR
                .with_log_message("a body was read after its request was answered"),
            Self::Gone => HTTPError::new(StatusCode::BAD_REQUEST)
                .with_log_message("the client left before its body was complete"),
        }
    }
}

/// What one look at the input found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Some of the body, given to the sink.
    Data,
    /// Nothing yet: more must be received first.
    Starved,
    /// It is the turn of others.
    Yield,
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
    #[inline]
    pub(crate) fn begin(&mut self, head: &Head) {
        let is_empty = head.framing.is_empty();
        if !(is_empty && self.is_untouched) {
            self.reset(head);
            self.is_untouched = is_empty;
        }
    }

    #[inline(never)]
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

    #[inline]
    pub(crate) fn clear(&mut self) {
        if !self.is_untouched {
            self.whole = Whole::None;
            self.inflating = None;
        }
    }

    pub(crate) fn take_waiter(&mut self) -> Option<Waker> {
        self.waiter.take()
    }

    /// How long the next bytes may take: not longer than a pause may be, and not so long that
    /// all of them came too slowly on average.
    pub(crate) fn patience(&self, settings: &Settings) -> Option<Duration> {
        let pause = settings.body_timeout?;
        let Some(seconds) = self.received.checked_div(settings.min_body_rate) else {
            return Some(pause);
        };
        let in_all = Duration::from_secs(seconds).saturating_add(pause);
        Some(in_all.saturating_sub(self.waited).min(pause))
    }

    /// The most bytes that may come; more is answered with 413.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Whether the head alone tells that the body is too large.
    pub(crate) fn is_announced_too_large(&self) -> bool {
        matches!(self.framing, Framing::Length(length) if length > self.limit)
    }

    /// Notes that the response begins: it is too late for `100 Continue`.
    pub(crate) fn answer_begins(&mut self) {
        self.awaits_continue = false;
    }

    pub(crate) fn fail(&mut self, failure: BodyFailure) {
        self.failure = Some(failure);
        self.is_untouched = false;
    }

    /// Whether the request has none, not even one that was read.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Whether it has been read to its end, so that what follows is the next request.
    pub(crate) fn is_done(&self) -> bool {
        self.failure.is_none() && self.decoder.is_done() && self.inflating.is_none()
    }

    /// Whether the connection can be kept although the body was not read: the rest is short,
    /// and the client does send it.
    pub(crate) fn can_be_drained(&self) -> bool {
        self.is_done()
            || !self.awaits_continue
                && self.failure.is_none()
                && match self.framing {
                    Framing::Length(length) => length - self.received <= DRAIN_LIMIT,
                    Framing::None | Framing::Chunked => true,
                }
    }

    /// Takes what there is of the body out of `input`, `limit` bytes at most: what came together is
    /// given out together, however many chunks it is in.
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
                    // What is wrong behind good data is told when that has been taken.
                    return first.ok_or(failure);
                }
            }
        }
    }

    /// What is announced counts: it is refused before it comes.
    pub(super) fn check_size(&self) -> Result<(), BodyFailure> {
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

impl Connection {
    /// Reads some of the body into `sink`, `limit` bytes at most; `false` at its end.
    ///
    /// Sends nothing but `100 Continue` itself: whoever waits sees to the output.
    pub(crate) fn poll_body(
        &self,
        task: &mut TaskContext<'_>,
        limit: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyFailure>> {
        loop {
            match self.with(|buffers| buffers.body.read(&mut buffers.input, limit, sink))? {
                Step::Data => return Poll::Ready(Ok(true)),
                Step::End => return Poll::Ready(Ok(false)),
                Step::Yield => {
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Starved => {}
            }
            ready!(self.poll_more_body(task, |task| self.poll_fill(task)))?;
        }
    }

    /// Has `fill` receive some of the body, for as long as that may take.
    pub(super) fn poll_more_body(
        &self,
        task: &mut TaskContext<'_>,
        fill: impl FnOnce(&mut TaskContext<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<Result<(), BodyFailure>> {
        if self.with(Buffers::queue_continue) && !self.is_flushing() {
            // Whoever reads may be another task than the connection's, which would not know
            // of it. An error shows in what is received.
            let _ = self.poll_output(task);
        }
        match fill(task) {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.end_wait_for_body();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => Poll::Ready(Err(BodyFailure::Gone)),
            Poll::Pending => {
                self.begin_wait_for_body();
                self.save_memory();
                self.poll_receive_limit(task).map(|()| {
                    Err(match self.worker.is_aborting() {
                        true => BodyFailure::ServerEnds,
                        false => BodyFailure::TimedOut,
                    })
                })
            }
        }
    }

    fn begin_wait_for_body(&self) {
        if self.phase() == Phase::Body {
            return;
        }
        let now = self.worker.now();
        let patience = self.with(|buffers| {
            buffers.body.waiting_since = Some(now);
            buffers.body.patience(&self.worker.settings)
        });
        let patience = if self.worker.is_aborting() { Some(Duration::ZERO) } else { patience };
        self.restart(Phase::Body, patience);
    }

    /// Has who waits for the body wait no longer.
    pub(super) fn cut_wait_for_body(&self) -> bool {
        let waits = self.phase() == Phase::Body;
        if waits {
            self.restart(Phase::Body, Some(Duration::ZERO));
        }
        waits
    }

    /// Ends the wait, whether something came or nobody wants it any more.
    pub(super) fn end_wait_for_body(&self) {
        if self.phase() != Phase::Body {
            return;
        }
        let now = self.worker.now();
        self.with(|buffers| {
            if let Some(since) = buffers.body.waiting_since.take() {
                buffers.body.waited += now.saturating_duration_since(since);
            }
        });
        self.enter(Phase::Handler);
    }

    /// Whether the body of the request has been read to its end.
    #[inline(never)]
    pub(crate) fn is_body_done(&self) -> bool {
        self.with(|buffers| buffers.body.is_done())
    }

    /// Whether the connection can be kept although the body may not have been read.
    #[inline(never)]
    pub(crate) fn can_be_drained(&self) -> bool {
        self.with(|buffers| buffers.body.can_be_drained())
    }

    /// Has `waker` woken when the request ends without its body having been read.
    pub(crate) fn await_end_of_request(&self, waker: &Waker) {
        let known = |buffers: &mut Buffers| {
            buffers.body.waiter.as_ref().is_some_and(|known| known.will_wake(waker))
        };
        if !self.with(known) {
            let waker = waker.clone();
            let old = self.with(|buffers| buffers.body.waiter.replace(waker));
            drop(old);
        }
    }
}

impl Buffers {
    /// Makes room for `size` bytes to be received at once, or for all that is left of the body.
    pub(crate) fn make_room_for_body(&mut self, size: usize) {
        let left = match self.body.decoder {
            BodyDecoder::Length(left) => usize::try_from(left).unwrap_or(usize::MAX),
            BodyDecoder::Chunked(_) => usize::MAX,
        };
        self.input.enlarge(size.min(left));
    }

    /// Says `100 Continue` to a client that waits for it; whether it does.
    fn queue_continue(&mut self) -> bool {
        let continues = std::mem::take(&mut self.body.awaits_continue);
        if continues {
            self.output.copy(CONTINUE);
        }
        continues
    }
}
