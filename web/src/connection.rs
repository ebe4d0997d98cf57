//! One connection: its stream, what was received and what is to be sent, and how long it may
//! wait for either.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use squall_runtime::{Deadline, IOLoop, Moment};

use crate::http1::head::{Head, HeadError};
use crate::types::shield;

pub(crate) mod buffers;
pub(crate) mod close;
mod collecting;
pub(crate) mod draining;
mod flags;
pub(crate) mod flush;
mod inflating;
pub(crate) mod input;
pub(crate) mod output;
mod pace;
mod patience;
pub(crate) mod relay;
pub(crate) mod request_body;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod upgrade;
pub(crate) mod watch;
pub(crate) mod worker;

use buffers::{Buffers, Held};
use flags::Flags;
use patience::Phase;
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
    /// The one timer of the connection, for the earlier of the two limits.
    deadline: Deadline,
    /// When the timer goes off, if the task of the connection waits for it as for the limit of a
    /// head. The limit itself may be later by now.
    goes_off: Cell<Option<Moment>>,
    receive_until: Cell<Option<Moment>>,
    send_until: Cell<Option<Moment>>,
    phase: Cell<Phase>,
    flags: Cell<Flags>,
    /// Counts the requests, so that a `Body` that was kept does not read the next one's.
    request: Cell<u32>,
    /// Its place in the worker's list of connections.
    key: Cell<u32>,
    /// Set while the handler is polled for the last time.
    cancellation: Cell<Option<watch::Cancellation>>,
}

impl Connection {
    pub(crate) fn new(worker: &Rc<Worker>, stream: Stream) -> Rc<Self> {
        let connection = Rc::new(Self {
            worker: Rc::clone(worker),
            stream,
            held: RefCell::default(),
            deadline: Deadline::new(),
            goes_off: Cell::new(None),
            receive_until: Cell::new(None),
            send_until: Cell::new(None),
            phase: Cell::new(Phase::New),
            flags: Cell::default(),
            request: Cell::new(0),
            key: Cell::new(u32::MAX),
            cancellation: Cell::new(None),
        });
        connection.key.set(worker.remember(&connection));
        connection
    }

    /// Calls `work` with the buffers, leasing them first if none are held.
    #[inline(always)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Buffers) -> R) -> R {
        work(self.held.borrow_mut().lease(&self.worker))
    }

    #[inline(always)]
    pub(crate) fn end_request(&self) {
        self.request.set(self.request.get().wrapping_add(1));
        self.set(Flags::FLUSHING | Flags::RECEIVING, false);
        let waiter = self.held.borrow_mut().leased().and_then(|buffers| {
            if let Some(body) = buffers.body.take_collected() {
                self.worker.spare.give(body);
            }
            buffers.end_request();
            buffers.body.take_waiter()
        });
        if let Some(waiter) = waiter {
            wake(waiter);
        }
    }

    /// Ends the connection although somebody still holds it: a `Body` that was kept.
    pub(crate) fn retire(&self) {
        if self.has(Flags::HANDED_OVER) {
            return;
        }
        self.end_request();
        // It fails if the client was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.let_go_of_worker();
    }

    fn let_go_of_worker(&self) {
        if let Held::Buffers(buffers) = self.held.take() {
            self.worker.release_buffers(buffers);
        }
        self.worker.forget(self.key.replace(u32::MAX));
    }

    /// What futures without a reference to the connection know it by.
    #[inline]
    pub(crate) fn id(&self) -> shield::Id {
        std::ptr::from_ref(self).addr()
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

    /// As [`poll_output`](Self::poll_output), as short as it can be where the client keeps up.
    #[inline(always)]
    pub(crate) fn poll_output_at_once(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        IOLoop::lap();
        let mut held = self.held.borrow_mut();
        if let Some(buffers) = held.leased()
            && buffers.sending.is_even()
            && let Some(sent) = buffers.output.poll_send_once(&self.stream, task)
        {
            match sent {
                Poll::Ready(Ok(sent)) => self.worker.recorder.page.sent(sent as u64),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            if buffers.output.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        drop(held);
        self.poll_output(task)
    }

    /// Sends what is queued. The error is that of the connection, or a time-out.
    pub(crate) fn poll_output(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        // Who has received a response finds it in the counts.
        IOLoop::lap();
        let mut held = self.held.borrow_mut();
        let Some(buffers) = held.leased() else { return Poll::Ready(Ok(())) };
        let queued = buffers.output.len();
        let sent = buffers.output.poll_send(&self.stream, task);
        let progress = queued - buffers.output.len();
        self.worker.recorder.page.sent(progress);
        let spent = buffers.output.take_spent();
        let is_even = buffers.sending.is_even();
        drop(held);
        // What owned the bytes may be the user's, and runs code of its own.
        spent.into_iter().flatten().for_each(|bytes| self.worker.spare.give(bytes));
        if sent.is_ready() {
            if !is_even {
                self.end_sending(progress);
            }
            return sent;
        }
        self.save_memory();
        ready!(self.poll_send_limit(task, progress));
        self.set(Flags::TOO_SLOW, true);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Receives once, behind what is unread.
    fn poll_fill(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        self.poll_fill_at_once(task)
    }

    #[inline(always)]
    fn poll_fill_at_once(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let mut held = self.held.borrow_mut();
        let buffers = held.lease_at_once(&self.worker);
        let count = ready!(self.stream.poll_recv(task, buffers.input.space()))?;
        self.worker.recorder.page.received(count);
        buffers.input.received(count);
        Poll::Ready(Ok(count))
    }
}

#[cold]
fn wake(waiter: Waker) {
    waiter.wake();
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.let_go_of_worker();
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

/// What waits in the buffers of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// Whether bytes have been received that are not read yet.
    pub(crate) received: bool,
    /// How many bytes are to be sent.
    pub(crate) queued: u64,
}

impl Connection {
    pub(crate) fn backlog(&self) -> Backlog {
        match &*self.held.borrow() {
            Held::Nothing => Backlog { received: false, queued: 0 },
            Held::Stash(_) => Backlog { received: true, queued: 0 },
            Held::Buffers(buffers) => {
                Backlog { received: !buffers.input.is_empty(), queued: buffers.output.len() }
            }
        }
    }

    /// Reads the head of the next request, if it is complete, and calls `look` with it, its
    /// bytes and what follows them: its request has begun then.
    pub(crate) fn read_head(
        &self,
        head: &mut Head,
        look: impl FnOnce(&Head, &[u8]),
    ) -> Result<bool, HeadError> {
        self.with(|buffers| {
            if !buffers.input.read_head(head, &self.worker.settings.head, look)? {
                return Ok(false);
            }
            buffers.body.begin(head);
            self.enter(Phase::Handler);
            Ok(true)
        })
    }

    /// Whether what was received is more than blank lines, which may come before a head.
    pub(crate) fn has_begun(&self) -> bool {
        let mut held = self.held.borrow_mut();
        let unread = held.leased().map(|buffers| buffers.input.unread()).unwrap_or_default();
        unread.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Receives some of a head, which has `begun` or not.
    #[inline(always)]
    pub(crate) fn poll_head(&self, task: &mut TaskContext<'_>, begun: bool) -> Poll<HeadProgress> {
        self.begin_to_wait(if begun { Phase::Head } else { Phase::Idle });
        // Buffers are leased only for what there is to receive.
        let filled = match self.stream.poll_recv_ready(task) {
            Poll::Ready(()) => self.poll_fill_at_once(task),
            Poll::Pending => Poll::Pending,
        };
        match filled {
            Poll::Ready(Ok(count)) if count > 0 => Poll::Ready(HeadProgress::Received),
            Poll::Ready(_) => Poll::Ready(HeadProgress::Ended),
            Poll::Pending if self.poll_head_limit(task).is_pending() => {
                self.held.borrow_mut().rest(&self.worker);
                Poll::Pending
            }
            Poll::Pending if begun => Poll::Ready(HeadProgress::TooSlow),
            Poll::Pending if self.looks_once_more() => {
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(HeadProgress::Ended),
        }
    }

    /// At the end of the server many are closed at the same time, and a request may come to each
    /// until its turn: the system is asked once more.
    fn looks_once_more(&self) -> bool {
        let looks = self.worker.is_draining() && !self.has(Flags::LOOKED);
        self.set(Flags::LOOKED, true);
        looks
    }

    /// Whether what is to be sent is a file that is being read: its client has all the time until
    /// it is there.
    fn waits_for_file(&self) -> bool {
        let mut held = self.held.borrow_mut();
        held.leased().is_some_and(|buffers| buffers.output.waits_for_file())
    }

    /// Takes memory off a connection that may wait for long: for its handler, more of a body, or
    /// room to send.
    fn save_memory(&self) {
        if let Some(buffers) = self.held.borrow_mut().leased()
            && self.worker.is_short_of_buffers()
        {
            buffers.output.release();
            buffers.input.shrink_to_head();
        }
    }

    /// Forgets the request and its time-outs, for a protocol that is not HTTP.
    pub(crate) fn let_go(&self) {
        self.end_request();
        self.enter(Phase::New);
        self.held.borrow_mut().rest(&self.worker);
    }

    /// Takes all bytes that were received but not read. The request stays.
    fn take_early(&self) -> Vec<u8> {
        let mut held = self.held.borrow_mut();
        let Some(buffers) = held.leased() else { return Vec::new() };
        let early = buffers.input.unread().to_vec();
        buffers.input.consume(early.len());
        early
    }

    /// Moves bytes that were received but not read into `buffer`.
    fn take_unread(&self, buffer: &mut [u8]) -> usize {
        let mut held = self.held.borrow_mut();
        if matches!(*held, Held::Nothing) {
            return 0;
        }
        let input = &mut held.lease(&self.worker).input;
        let count = input.unread().len().min(buffer.len());
        if count == 0 {
            // The request may be needed longer than what was behind it.
            return 0;
        }
        buffer[..count].copy_from_slice(&input.unread()[..count]);
        input.consume(count);
        held.rest(&self.worker);
        count
    }
}

#[cfg(test)]
mod tests;
