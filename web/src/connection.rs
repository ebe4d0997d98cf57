//! One connection: its stream, what was received and what is to be sent, and how long it may
//! wait for either.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use squall_runtime::Deadline;

use crate::http1::head::{Head, HeadError};

pub(crate) mod buffers;
pub(crate) mod close;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod relay;
pub(crate) mod request_body;
pub(crate) mod stream;
pub(crate) mod upgrade;
mod watch;
pub(crate) mod worker;

use buffers::{Buffers, Held};
use stream::Stream;
use worker::Worker;

/// What the task of a connection and the `Context` of its request share.
///
/// An idle connection is this and its task: the buffers are held from the first byte of a
/// request to the last of its response.
pub(crate) struct Connection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) stream: Stream,
    held: RefCell<Held>,
    /// The one timer of the connection; what it limits depends on `phase`.
    deadline: Deadline,
    phase: Cell<Phase>,
    flags: Cell<Flags>,
    /// Counts the requests, so that a `Body` that was kept does not read the next one's.
    request: Cell<u32>,
    /// Its place in the worker's list of connections.
    key: Cell<usize>,
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    New,
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// The handler.
    Handler,
    /// Room to send.
    Sending,
    /// The client's end of the connection.
    Closing,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    /// A handler waits in `flush`: it does the sending.
    flushing: bool,
    /// A handler waits for the body: it does the receiving.
    receiving: bool,
    /// A client that has sent all it will does not cancel the handler.
    half_close: bool,
    /// The client may still be sending when the connection ends.
    linger: bool,
}

impl Connection {
    pub(crate) fn new(worker: &Rc<Worker>, stream: Stream) -> Rc<Self> {
        let connection = Rc::new(Self {
            worker: Rc::clone(worker),
            stream,
            held: RefCell::default(),
            deadline: Deadline::new(),
            phase: Cell::new(Phase::New),
            flags: Cell::default(),
            request: Cell::new(0),
            key: Cell::new(usize::MAX),
        });
        connection.key.set(worker.remember(&connection));
        connection
    }

    /// Calls `work` with the buffers, leasing them first if none are held.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Buffers) -> R) -> R {
        work(self.held.borrow_mut().lease(&self.worker))
    }

    pub(crate) fn end_request(&self) {
        self.request.set(self.request.get().wrapping_add(1));
        self.change(|flags| {
            flags.flushing = false;
            flags.receiving = false;
        });
        self.with(Buffers::end_request);
    }

    /// Which of the connection's requests is being served.
    pub(crate) fn request(&self) -> u32 {
        self.request.get()
    }

    /// Whether no more requests are taken after the one that is being served.
    pub(crate) fn is_at_last_request(&self) -> bool {
        let most = self.worker.settings.max_requests;
        most.is_some_and(|most| self.request() >= most.saturating_sub(1))
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Begins to wait for something else, for as long as the settings allow.
    fn enter(&self, phase: Phase) {
        if self.phase.get() != phase {
            self.restart(phase);
        }
    }

    /// Begins to wait, or begins anew because there was progress.
    fn restart(&self, phase: Phase) {
        self.phase.set(phase);
        match self.patience(phase) {
            Some(patience) => self.deadline.set(self.worker.now() + patience),
            None => self.deadline.clear(),
        }
    }

    fn patience(&self, phase: Phase) -> Option<Duration> {
        let settings = &self.worker.settings;
        match phase {
            Phase::Idle if self.worker.is_draining() => Some(settings.drain_idle),
            Phase::Idle => settings.idle_connection_timeout,
            Phase::Head => settings.header_timeout,
            Phase::Body => self.with(|buffers| buffers.body.patience(settings)),
            Phase::Sending => settings.write_timeout,
            Phase::New | Phase::Handler => None,
            Phase::Closing => Some(close::LINGER),
        }
    }

    /// Lets an idle connection wait only `patience` longer for a last request.
    pub(crate) fn hurry(&self, patience: Duration) {
        if self.phase() == Phase::Idle {
            self.deadline.set(self.worker.now() + patience);
        }
    }

    fn poll_deadline(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.deadline.poll_expired(task)
    }

    /// Sends what is queued. The error is that of the connection, or a time-out.
    pub(crate) fn poll_output(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let mut held = self.held.borrow_mut();
        let Some(buffers) = held.leased() else { return Poll::Ready(Ok(())) };
        let queued = buffers.output.len();
        let sent = buffers.output.poll_send(&self.stream, task);
        if sent.is_pending() {
            match buffers.output.len() < queued {
                true => self.restart(Phase::Sending),
                false => self.enter(Phase::Sending),
            }
            ready!(self.poll_deadline(task));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        sent
    }

    /// Sends what is queued, for a handler that waits for it.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.set_flushing(true);
        let _stop = StopFlushing(self);
        std::future::poll_fn(|task| self.poll_output(task)).await
    }

    /// Receives once, behind what is unread.
    fn poll_fill(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        self.with(|buffers| {
            let count = ready!(self.stream.poll_recv(task, buffers.input.space()))?;
            buffers.input.received(count);
            Poll::Ready(Ok(count))
        })
    }
}

/// Leaves the sending to the connection, when no handler waits for it any more.
struct StopFlushing<'a>(&'a Connection);

impl Drop for StopFlushing<'_> {
    fn drop(&mut self) {
        self.0.set_flushing(false);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Held::Buffers(buffers) = self.held.take() {
            self.worker.release_buffers(buffers);
        }
        self.worker.forget(self.key.get());
    }
}

/// The flags, by their meaning.
impl Connection {
    fn change(&self, change: impl FnOnce(&mut Flags)) {
        let mut flags = self.flags.get();
        change(&mut flags);
        self.flags.set(flags);
    }

    fn set_flushing(&self, flushing: bool) {
        self.change(|flags| flags.flushing = flushing);
    }

    fn is_flushing(&self) -> bool {
        self.flags.get().flushing
    }

    pub(crate) fn set_receiving(&self, receiving: bool) {
        self.change(|flags| flags.receiving = receiving);
    }

    fn is_receiving(&self) -> bool {
        self.flags.get().receiving
    }

    pub(crate) fn set_half_close(&self, half_close: bool) {
        self.change(|flags| flags.half_close = half_close);
    }

    fn allows_half_close(&self) -> bool {
        self.flags.get().half_close
    }

    /// Notes that the client may not have sent all it is about to send.
    pub(crate) fn set_linger(&self) {
        self.change(|flags| flags.linger = true);
    }

    fn must_linger(&self) -> bool {
        self.flags.get().linger || self.has_input()
    }
}

/// What came of waiting for a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeadProgress {
    Received,
    /// The client has ended the connection, or was idle for too long.
    Ended,
    TooSlow,
}

impl Connection {
    /// How many bytes wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.with(|buffers| buffers.output.len())
    }

    pub(crate) fn has_input(&self) -> bool {
        self.with(|buffers| !buffers.input.is_empty())
    }

    /// Reads the head of the next request, if it is complete: its request has begun then.
    pub(crate) fn read_head(&self, head: &mut Head) -> Result<bool, HeadError> {
        self.with(|buffers| {
            if !buffers.input.read_head(head, &self.worker.settings.head)? {
                return Ok(false);
            }
            buffers.body.begin(head);
            self.restart(Phase::Handler);
            Ok(true)
        })
    }

    /// Receives some of a head.
    pub(crate) fn poll_head(&self, task: &mut TaskContext<'_>) -> Poll<HeadProgress> {
        let begun = self.has_input();
        self.enter(if begun { Phase::Head } else { Phase::Idle });
        match self.poll_fill(task) {
            Poll::Ready(Ok(count)) if count > 0 => Poll::Ready(HeadProgress::Received),
            Poll::Ready(_) => Poll::Ready(HeadProgress::Ended),
            Poll::Pending if self.poll_deadline(task).is_pending() => {
                self.held.borrow_mut().rest(&self.worker);
                Poll::Pending
            }
            Poll::Pending if begun => Poll::Ready(HeadProgress::TooSlow),
            Poll::Pending => Poll::Ready(HeadProgress::Ended),
        }
    }

    /// Takes memory off a connection whose handler may wait for long.
    fn save_memory(&self) {
        if let Some(buffers) = self.held.borrow_mut().leased()
            && self.worker.is_short_of_buffers()
        {
            buffers.output.release();
            buffers.input.shrink_to_head();
        }
    }

    /// Forgets the request and its time-outs, for a protocol that is not HTTP.
    fn let_go(&self) {
        self.end_request();
        self.restart(Phase::New);
        self.held.borrow_mut().rest(&self.worker);
    }

    /// Moves bytes that were received but not read into `buffer`.
    fn take_unread(&self, buffer: &mut [u8]) -> usize {
        let mut held = self.held.borrow_mut();
        if matches!(*held, Held::Nothing) {
            return 0;
        }
        let input = &mut held.lease(&self.worker).input;
        let count = input.unread().len().min(buffer.len());
        buffer[..count].copy_from_slice(&input.unread()[..count]);
        input.consume(count);
        held.rest(&self.worker);
        count
    }
}

#[cfg(test)]
mod tests;
