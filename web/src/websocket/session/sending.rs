//! Sending: at once if the peer keeps up, and otherwise from the queue.

use std::borrow::Cow;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;

use super::state::{Phase, Released, State};
use crate::websocket::codec::encoder::PayloadTooLong;
use crate::websocket::codec::prepared::Prepared;
use crate::websocket::message::Message;

impl State {
    /// Sends what is queued, as far as the peer takes it.
    pub(super) fn flush(&mut self, task: &mut TaskContext<'_>, released: &mut Released) {
        loop {
            if self.output.is_between_frames() {
                self.queue_control();
            }
            let Some(transport) = self.transport.as_deref_mut() else { return };
            if self.output.is_empty() {
                return;
            }
            // A control frame goes before the next message.
            let only_frame = self.ping_due || self.pong.is_some();
            let sent = self.output.poll_send(transport, only_frame, task, &mut released.bytes);
            match sent {
                Poll::Ready(Ok(_)) => self.keep_alive.heard = true,
                Poll::Ready(Err(error)) => return self.lose(error.kind(), released),
                Poll::Pending => return,
            }
            if self.has_room() {
                self.senders_first |= !self.waiting.is_empty();
                released.wakers.append(&mut self.waiting);
            }
        }
    }

    /// Whether another message may be queued.
    pub(super) fn has_room(&self) -> bool {
        self.output.queued() < self.options.max_send_buffer
    }

    /// Puts pongs and pings before what is queued.
    fn queue_control(&mut self) {
        if std::mem::take(&mut self.ping_due)
            && let Ok(frame) = self.encoder.ping(&[])
        {
            self.output.push_first(frame.to_vec().into());
        }
        if let Some(pong) = self.pong.take()
            && let Ok(frame) = self.encoder.pong(&pong)
        {
            self.output.push_first(frame.to_vec().into());
        }
    }

    /// Sends a message, and queues what the peer does not take at once. The message stays with the
    /// caller if nothing of it is queued.
    pub(super) fn send(
        &mut self,
        message: &mut Option<Message>,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        let Some(whole) = message else { return };
        self.count_sent(whole.len());
        let frame = self.encoder.message(whole.kind(), whole.as_bytes());
        let sent = self.send_at_once(frame.header(), frame.payload(), task, released);
        if sent == frame.len() || self.phase == Phase::Ended {
            return;
        }
        let header = Bytes::copy_from_slice(frame.header());
        let payload = match frame.into_payload() {
            Cow::Owned(payload) => payload.into(),
            Cow::Borrowed(_) => message.take().map(Message::into_bytes).unwrap_or_default(),
        };
        self.output.push_rest(&header, &payload, sent);
        self.flush(task, released);
    }

    /// Sends a frame whose memory other sessions may share.
    pub(super) fn send_prepared(
        &mut self,
        message: &Prepared,
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) {
        self.count_sent(message.payload().len());
        let frame = self.encoder.prepared(message);
        self.send_frame(&frame, task, released);
    }

    /// Sends a ping with a payload of the user.
    pub(super) fn send_ping(
        &mut self,
        payload: &[u8],
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) -> Result<(), PayloadTooLong> {
        let frame = self.encoder.ping(payload)?.to_vec();
        self.send_frame(&frame.into(), task, released);
        Ok(())
    }

    fn send_frame(&mut self, frame: &Bytes, task: &mut TaskContext<'_>, released: &mut Released) {
        let sent = self.send_at_once(frame, &[], task, released);
        if sent < frame.len() && self.phase != Phase::Ended {
            self.output.push_rest(frame, &Bytes::new(), sent);
            self.flush(task, released);
        }
    }

    /// Sends as much of a frame as the peer takes now. Nothing, if other bytes wait.
    fn send_at_once(
        &mut self,
        header: &[u8],
        payload: &[u8],
        task: &mut TaskContext<'_>,
        released: &mut Released,
    ) -> usize {
        let Some(transport) = self.transport.as_deref_mut() else { return 0 };
        if !self.output.is_empty() {
            return 0;
        }
        let slices = [IoSlice::new(header), IoSlice::new(payload)];
        match Pin::new(transport).poll_write_vectored(task, &slices) {
            Poll::Ready(Ok(sent)) => sent,
            Poll::Ready(Err(error)) => {
                self.lose(error.kind(), released);
                0
            }
            Poll::Pending => 0,
        }
    }

    fn count_sent(&mut self, bytes: usize) {
        self.keep_alive.active = true;
        if let Some(page) = self.page {
            page.message_sent(bytes);
        }
    }
}
