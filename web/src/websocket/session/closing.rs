//! The end of a session: the closing handshake, faults, time-outs.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use squall_runtime::Moment;

use super::error::{ProtocolError, WebSocketError};
use super::keep_alive::Tick;
use super::state::{Phase, Released, State};
use super::transport::with_read_buffer;
use super::unread::ReadError;
use crate::websocket::codec::Role;
use crate::websocket::codec::close::{CloseCode, CloseFrame};
use crate::websocket::codec::decoder::Event;
use crate::websocket::codec::error::DecodeError;

impl State {
    /// Begins the closing handshake, unless either side has begun it. Messages that the handler has
    /// not received are dropped.
    pub(super) fn begin_close(
        &mut self,
        frame: Option<&CloseFrame>,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        if self.phase == Phase::Open {
            self.inbox = None;
            self.send_close(Phase::CloseSent, frame, task, released);
        }
    }

    /// The peer closes the connection. It is sent the same code back, without a reason.
    pub(super) fn close_received(
        &mut self,
        frame: Option<CloseFrame>,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        let answer = frame.as_ref().and_then(|frame| CloseFrame::new(frame.code(), "").ok());
        self.peer_close = frame.map(Box::new);
        self.send_close(Phase::CloseReceived, answer.as_ref(), task, released);
    }

    /// The peer broke the protocol.
    pub(super) fn fail(
        &mut self,
        error: DecodeError,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        self.failure = Some(WebSocketError::Protocol(ProtocolError(error)));
        let frame = CloseFrame::new(error.close_code(), error.reason()).ok();
        self.send_close(Phase::Failing, frame.as_ref(), task, released);
    }

    fn send_close(
        &mut self,
        phase: Phase,
        frame: Option<&CloseFrame>,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        self.pong = None;
        self.ping_due = false;
        self.due = Some(Moment::after(self.options.close_timeout));
        self.enter(phase, released);
        let frame = self.encoder.close(frame).to_vec();
        self.output.push_frame(frame.into());
        self.flush(task, released);
    }

    /// The connection broke, or ended without a close frame.
    pub(super) fn lose(&mut self, kind: io::ErrorKind, released: &mut Released) {
        if self.phase == Phase::Open {
            self.failure = Some(WebSocketError::ConnectionLost(kind));
        }
        self.end(released);
    }

    /// Ends the connection at once, and returns its memory.
    pub(super) fn end(&mut self, released: &mut Released) {
        self.enter(Phase::Ended, released);
        released.transport = self.transport.take();
        self.output.clear(&mut released.bytes);
        self.unread = Default::default();
        self.due = None;
    }

    fn enter(&mut self, phase: Phase, released: &mut Released) {
        self.phase = phase;
        self.needs_poll = true;
        released.wakers.append(&mut self.waiting);
        released.wakers.extend(self.receiver.take());
    }

    /// Waits for the close frame of the peer. What comes before it is dropped.
    pub(super) fn await_close(&mut self, task: &mut TaskContext<'_>, released: &mut Released) {
        while self.phase == Phase::CloseSent {
            match self.poll_event(task) {
                Poll::Pending => return,
                Poll::Ready(Ok(Event::Close(frame))) => {
                    self.peer_close = frame.map(Box::new);
                    self.enter(Phase::CloseReceived, released);
                }
                Poll::Ready(Ok(Event::Message(_) | Event::Ping(_) | Event::Pong(_))) => {}
                Poll::Ready(Err(ReadError::Ended(kind))) => self.lose(kind, released),
                Poll::Ready(Err(ReadError::Faulty(_))) => self.enter(Phase::Failing, released),
            }
        }
    }

    /// Sends what is left. Then a server ends the connection (RFC 6455 §7.1.1), and a client waits
    /// for this.
    pub(super) fn finish_sending(&mut self, task: &mut TaskContext<'_>, released: &mut Released) {
        self.flush(task, released);
        if !self.output.is_empty() || self.phase == Phase::Ended {
            return;
        }
        if self.phase == Phase::CloseReceived && self.role == Role::Server {
            return self.end(released);
        }
        if self.phase == Phase::Failing
            && let Some(transport) = self.transport.as_deref_mut()
        {
            match Pin::new(transport).poll_close(task) {
                Poll::Pending => return,
                Poll::Ready(Err(_)) => return self.end(released),
                Poll::Ready(Ok(())) => {}
            }
        }
        self.enter(Phase::Lingering, released);
    }

    /// Waits for the peer to end the connection. What it sends is dropped.
    pub(super) fn await_end(&mut self, task: &mut TaskContext<'_>, released: &mut Released) {
        while let Some(transport) = self.transport.as_deref_mut() {
            match with_read_buffer(|buffer| Pin::new(transport).poll_read(task, buffer)) {
                Poll::Pending => return,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => self.end(released),
            }
        }
    }

    /// Is ready, after it did something, if the time for it has come.
    pub(super) fn poll_tick(
        &mut self,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        if self.deadline.poll_until(task, due).is_pending() {
            return Poll::Pending;
        }
        if self.phase != Phase::Open {
            // The peer had its time.
            self.end(released);
            return Poll::Ready(());
        }
        if !std::mem::take(&mut self.keep_alive.active) {
            self.decoder.shrink();
            self.encoder.shrink();
        }
        // A session whose handler is busy does not read.
        let is_alive = self.inbox.is_some() && self.output.is_empty();
        match self.keep_alive.tick(&self.options, is_alive) {
            Tick::Wait(delay) => self.due = Some(Moment::after(delay)),
            Tick::Ping(delay) => {
                self.due = Some(Moment::after(delay));
                self.ping_due = true;
                self.flush(task, released);
                self.keep_alive.heard = false;
            }
            Tick::TimedOut => {
                self.failure = Some(WebSocketError::PingTimeout);
                let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "ping timed out").ok();
                self.begin_close(frame.as_ref(), task, released);
            }
        }
        Poll::Ready(())
    }
}
