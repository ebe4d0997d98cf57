//! What a session holds, and what it does with it. Everything here runs while the state is
//! borrowed, so it calls no code of the user: what it lets go of, it puts into [`Released`].

use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::Bytes;
use squall_runtime::{Deadline, Moment};

use super::error::WebSocketError;
use super::keep_alive::KeepAlive;
use super::output::Output;
use super::transport::Stream;
use super::unread::{ReadError, Unread};
use crate::connection::settings::websocket::WebSocketOptions;
use crate::scoreboard::Page;
use crate::websocket::codec::Role;
use crate::websocket::codec::close::CloseFrame;
use crate::websocket::codec::decoder::{Decoder, Event, Limits};
use crate::websocket::codec::deflate::params::Deflate;
use crate::websocket::codec::encoder::Encoder;
use crate::websocket::message::Message;

/// How much a session may read before other tasks get their turn: in KiB, where each frame counts
/// as one more.
const MAX_WORK: usize = 256;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Open,
    /// Our close frame is on its way, that of the peer is awaited.
    CloseSent,
    /// Both sides have closed. What is queued is sent, and then the connection ends.
    CloseReceived,
    /// The peer broke the protocol. Our close frame is on its way, and nothing is read any more.
    Failing,
    /// Everything is sent. The peer is given time to end the connection, so that it receives our
    /// close frame: a reset could overtake the frame.
    Lingering,
    Ended,
}

/// What a receiver gets.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
}

/// The newest ping and pong that came while the handler was busy.
#[derive(Debug, Default)]
pub(super) struct ControlInbox {
    ping: Option<Bytes>,
    pong: Option<Bytes>,
}

/// What was let go of while the state was borrowed.
#[derive(Default)]
pub(super) struct Released {
    pub(super) bytes: Vec<Bytes>,
    pub(super) wakers: Vec<Waker>,
    pub(super) replaced: Option<Waker>,
    pub(super) transport: Option<Stream>,
}

impl Released {
    /// Wakes and drops, which may run code of the user.
    pub(super) fn settle(self) {
        self.wakers.into_iter().for_each(Waker::wake);
    }
}

/// What a session begins with.
pub(crate) struct Start {
    pub(crate) role: Role,
    pub(crate) options: Rc<WebSocketOptions>,
    /// What was agreed on in the handshake.
    pub(crate) deflate: Option<Deflate>,
    /// Where messages are counted.
    pub(crate) page: Option<Page>,
    /// Bytes that were received together with the handshake.
    pub(crate) early: Vec<u8>,
    /// Whether pings and pongs are [`Incoming`], too.
    pub(crate) wants_control: bool,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) role: Role,
    wants_control: bool,
    /// Whether the receiver waits: then whatever comes goes to it at once.
    pub(super) receiver_waits: bool,
    /// Whether the handler was told that the connection is over.
    pub(super) saw_end: bool,
    /// Whether senders that waited were woken, and have not run since.
    pub(super) senders_first: bool,
    /// Whether there may be something to do that nothing wakes for.
    pub(super) needs_poll: bool,
    pub(super) keep_alive: KeepAlive,
    pub(super) failure: Option<WebSocketError>,
    pub(super) options: Rc<WebSocketOptions>,
    pub(super) page: Option<Page>,
    pub(super) transport: Option<Stream>,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) unread: Unread,
    pub(super) output: Output,
    /// The answer to the newest ping, until it can be queued.
    pub(super) pong: Option<Box<[u8]>>,
    /// Whether a ping is to be queued.
    pub(super) ping_due: bool,
    pub(super) inbox: Option<Message>,
    pub(super) control: Option<Box<ControlInbox>>,
    pub(super) peer_close: Option<Box<CloseFrame>>,
    pub(super) due: Option<Moment>,
    pub(super) deadline: Deadline,
    work: usize,
    /// The receiver, if it is in another task than the driver.
    pub(super) receiver: Option<Waker>,
    /// Those who wait for room to send, or for the end.
    pub(super) waiting: Vec<Waker>,
}

impl State {
    pub(super) fn new(transport: Stream, start: Start) -> Self {
        let Start { role, options, deflate, page, early, wants_control } = start;
        let max_message_size = options.max_message_size;
        let max_frame_size = options.max_frame_size.unwrap_or(usize::MAX);
        let limits = Limits { max_frame_size, max_message_size };
        Self {
            phase: Phase::Open,
            role,
            wants_control,
            receiver_waits: false,
            saw_end: false,
            senders_first: false,
            needs_poll: false,
            keep_alive: KeepAlive::default(),
            failure: None,
            due: KeepAlive::first_wait(&options).map(Moment::after),
            options,
            page,
            transport: Some(transport),
            decoder: Decoder::new(role, limits, deflate.as_ref()),
            encoder: Encoder::new(role, deflate.as_ref()),
            unread: Unread::new(early),
            output: Output::default(),
            pong: None,
            ping_due: false,
            inbox: None,
            control: None,
            peer_close: None,
            deadline: Deadline::new(),
            work: 0,
            receiver: None,
            waiting: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.decoder.memory() + self.encoder.memory() + self.output.queued()
    }

    /// Wakes the task when there may be room to send, and at the end.
    pub(super) fn wait(&mut self, task: &TaskContext<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(task.waker())) {
            self.waiting.push(task.waker().clone());
        }
    }

    /// Does everything that needs no handler. Is ready when the connection is over.
    pub(super) fn poll_io(
        &mut self,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) -> Poll<()> {
        self.work = 0;
        self.needs_poll = false;
        self.flush(task, released);
        loop {
            let phase = self.phase;
            match phase {
                Phase::Open => self.read_ahead(task, released),
                Phase::CloseSent => self.await_close(task, released),
                Phase::CloseReceived | Phase::Failing => self.finish_sending(task, released),
                Phase::Lingering => self.await_end(task, released),
                Phase::Ended => return Poll::Ready(()),
            }
            if self.phase != phase {
                continue;
            }
            match self.poll_tick(task, released) {
                Poll::Ready(()) => {}
                Poll::Pending if self.phase == phase => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }

    /// Reads while it is open, up to the next message: that waits for the receiver.
    ///
    /// Reads nothing while senders wait: a close frame of the peer must not overtake their
    /// messages.
    fn read_ahead(&mut self, task: &mut TaskContext<'_>, released: &mut Released) {
        if std::mem::take(&mut self.senders_first) {
            task.waker().wake_by_ref();
            return;
        }
        if !self.has_room() {
            return;
        }
        while self.inbox.is_none() && !(self.receiver_waits && self.control.is_some()) {
            match self.poll_incoming(task, released) {
                Poll::Pending | Poll::Ready(None) => return,
                Poll::Ready(Some(Incoming::Message(message))) => self.inbox = Some(message),
                Poll::Ready(Some(Incoming::Ping(payload))) => {
                    self.control.get_or_insert_default().ping = Some(payload);
                }
                Poll::Ready(Some(Incoming::Pong(payload))) => {
                    self.control.get_or_insert_default().pong = Some(payload);
                }
            }
            released.wakers.extend(self.receiver.take());
        }
    }

    /// Takes what was read ahead.
    pub(super) fn take_incoming(&mut self) -> Option<Incoming> {
        if let Some(control) = &mut self.control {
            if let Some(payload) = control.ping.take() {
                return Some(Incoming::Ping(payload));
            }
            let pong = control.pong.take();
            self.control = None;
            if let Some(payload) = pong {
                return Some(Incoming::Pong(payload));
            }
        }
        self.inbox.take().map(Incoming::Message)
    }

    /// Receives the next message, and answers pings and close frames on the way. `None`: the
    /// connection is not open any more.
    pub(super) fn poll_incoming(
        &mut self,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) -> Poll<Option<Incoming>> {
        while self.phase == Phase::Open {
            match ready!(self.poll_event(task)) {
                Ok(Event::Message(message)) => {
                    self.keep_alive.active = true;
                    if let Some(page) = self.page {
                        page.message_received(message.len());
                    }
                    return Poll::Ready(Some(Incoming::Message(message)));
                }
                Ok(Event::Ping(payload)) => {
                    self.pong = Some(Box::from(&payload[..]));
                    self.flush(task, released);
                    if self.wants_control {
                        return Poll::Ready(Some(Incoming::Ping(payload)));
                    }
                }
                Ok(Event::Pong(payload)) if self.wants_control => {
                    return Poll::Ready(Some(Incoming::Pong(payload)));
                }
                Ok(Event::Pong(_)) => {}
                Ok(Event::Close(frame)) => self.close_received(frame, task, released),
                Err(ReadError::Ended(kind)) => self.lose(kind, released),
                Err(ReadError::Faulty(error)) => self.fail(error, task, released),
            }
        }
        Poll::Ready(None)
    }

    /// Reads and decodes up to the next event.
    pub(super) fn poll_event(
        &mut self,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<Event, ReadError>> {
        if self.work >= MAX_WORK {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(transport) = self.transport.as_deref_mut() else {
            return Poll::Ready(Err(ReadError::Ended(io::ErrorKind::NotConnected)));
        };
        let heard = &mut self.keep_alive.heard;
        let (event, used) =
            ready!(self.unread.poll_event(transport, &mut self.decoder, heard, task))?;
        self.work += 1 + used / 1024;
        Poll::Ready(Ok(event))
    }
}
