//! The frames that a slow peer has not taken yet.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};

use super::transport::Transport;

/// How many pieces one write takes.
const MAX_SLICES: usize = 16;

/// Bytes that wait to be sent, in their order. Boxed, because most sessions have none.
#[derive(Debug, Default)]
pub(super) struct Output(Option<Box<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// The bytes of all pieces together.
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// Whether the first byte is the first of a frame: a control frame may go before it.
    begins_frame: bool,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many bytes wait.
    pub(super) fn queued(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Whether the next byte is the first of a frame.
    pub(super) fn is_between_frames(&self) -> bool {
        self.0
            .as_ref()
            .and_then(|queue| queue.pieces.front())
            .is_none_or(|piece| piece.begins_frame)
    }

    /// Appends a whole frame.
    pub(super) fn push_frame(&mut self, bytes: Bytes) {
        self.push(bytes, true);
    }

    /// Appends the rest of a frame of which `sent` bytes were sent already.
    pub(super) fn push_rest(&mut self, header: &Bytes, payload: &Bytes, sent: usize) {
        let header_sent = sent.min(header.len());
        if header_sent < header.len() {
            self.push(header.slice(header_sent..), sent == 0);
        }
        if sent - header_sent < payload.len() {
            self.push(payload.slice(sent - header_sent..), false);
        }
    }

    /// Puts a control frame before everything else. The next byte must be the first of a frame.
    pub(super) fn push_first(&mut self, frame: Bytes) {
        let queue = self.0.get_or_insert_default();
        queue.bytes += frame.len();
        queue.pieces.push_front(Piece { bytes: frame, begins_frame: true });
    }

    fn push(&mut self, bytes: Bytes, begins_frame: bool) {
        let queue = self.0.get_or_insert_default();
        queue.bytes += bytes.len();
        queue.pieces.push_back(Piece { bytes, begins_frame });
    }

    /// Sends some of it, or only the rest of the current frame. Puts what owned the bytes into
    /// `spent`: the caller must drop that where nothing is borrowed, because it may run code of the
    /// user.
    pub(super) fn poll_send(
        &mut self,
        transport: &mut dyn Transport,
        only_current_frame: bool,
        task: &mut TaskContext<'_>,
        spent: &mut Vec<Bytes>,
    ) -> Poll<io::Result<usize>> {
        let Some(queue) = &self.0 else { return Poll::Ready(Ok(0)) };
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&queue.pieces) {
            if only_current_frame && count > 0 && piece.begins_frame {
                break;
            }
            *slice = IoSlice::new(&piece.bytes);
            count += 1;
        }
        let sent = ready!(Pin::new(transport).poll_write_vectored(task, &slices[..count]))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.take(sent, spent);
        Poll::Ready(Ok(sent))
    }

    /// Drops everything.
    pub(super) fn clear(&mut self, spent: &mut Vec<Bytes>) {
        let pieces = self.0.take().unwrap_or_default().pieces;
        spent.extend(pieces.into_iter().map(|piece| piece.bytes));
    }

    fn take(&mut self, mut count: usize, spent: &mut Vec<Bytes>) {
        let Some(queue) = &mut self.0 else { return };
        queue.bytes -= count;
        while count > 0
            && let Some(front) = queue.pieces.front_mut()
        {
            if count < front.bytes.len() {
                front.bytes.advance(count);
                front.begins_frame = false;
                return;
            }
            count -= front.bytes.len();
            spent.extend(queue.pieces.pop_front().map(|piece| piece.bytes));
        }
        if queue.pieces.is_empty() {
            self.0 = None;
        }
    }
}
