//! Reading a body to its end: collecting it before the handler runs, or discarding it afterwards.
//!
//! A body that arrived with its head stays in the [`Input`] and is lent to the handler. Another
//! body of known length is received directly into the memory that the handler gets.

use std::future::poll_fn;
use std::io;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;

use super::memory::{BodyMemory, ROOM};
use super::{BodyFailure, DRAIN_LIMIT, RequestBody};
use crate::connection::receive::Input;
use crate::connection::{Buffers, Connection};
use crate::http1::body::BodyDecoder;
use crate::types::content::Content;

/// The memory of a body, until this many bytes of it were received. A client that announces many
/// bytes and sends few costs little memory.
const LITTLE: usize = 4 * 1024;

/// A body that is collected.
#[derive(Debug, Default)]
pub(super) enum Whole {
    #[default]
    None,
    /// It is in the [`Input`], behind the head.
    BesideHead,
    /// The received bytes of a body of `length` bytes.
    Begun {
        bytes: Vec<u8>,
        length: usize,
    },
    Collected(Bytes),
}

impl RequestBody {
    /// Returns the whole body, if it was collected or is empty.
    pub(crate) fn whole(&self, input: &Input) -> Option<Content> {
        match &self.whole {
            Whole::BesideHead => Some(input.body()),
            _ if self.is_none() => Some(Content::default()),
            Whole::Collected(bytes) => Some(bytes.clone().into()),
            Whole::None | Whole::Begun { .. } => None,
        }
    }

    /// Takes a collected body whose request has ended, to reuse its memory.
    pub(in crate::connection) fn take_collected(&mut self) -> Option<Bytes> {
        if self.is_untouched {
            return None;
        }
        match &mut self.whole {
            Whole::Collected(bytes) => Some(std::mem::take(bytes)),
            Whole::None | Whole::BesideHead | Whole::Begun { .. } => None,
        }
    }

    /// Leaves the body where it is, if all of it arrived with the head. Returns whether it did.
    fn stays_beside_head(&mut self, input: &mut Input) -> bool {
        let Some(length) = self.length_to_come() else { return false };
        let Ok(length) = usize::try_from(length) else { return false };
        let stays = self.check_size().is_ok() && input.keep_body(length);
        if stays {
            self.count_received(length);
            self.whole = Whole::BesideHead;
        }
        stays
    }

    /// The number of bytes to receive, if it is known and they are not decompressed.
    fn length_to_come(&self) -> Option<u64> {
        match self.decoder {
            BodyDecoder::Length(length) if self.inflating.is_none() && self.failure.is_none() => {
                Some(length)
            }
            _ => None,
        }
    }

    /// Counts received bytes of a body of known length.
    fn count_received(&mut self, count: usize) {
        let count = count as u64;
        self.received += count;
        if let BodyDecoder::Length(left) = &mut self.decoder {
            *left -= count;
        }
    }
}

impl Buffers {
    /// Begins to collect a body of known length, with the bytes that were received already.
    fn begin_body(&mut self, length: u64, memory: &BodyMemory) -> Result<(), BodyFailure> {
        let is_small = self.body.check_size().is_ok();
        let Some(length) = usize::try_from(length).ok().filter(|_| is_small) else {
            self.body.fail(BodyFailure::TooLarge);
            return Err(BodyFailure::TooLarge);
        };
        let unread = self.input.unread();
        let count = unread.len().min(length);
        let mut bytes = memory.take(room(count, length));
        bytes.extend_from_slice(&unread[..count]);
        self.input.consume(count);
        self.body.count_received(count);
        self.body.whole = Whole::Begun { bytes, length };
        Ok(())
    }

    /// Finishes the body if all of it was received. Otherwise makes room for more and returns
    /// `false`.
    fn finish_body_if_complete(&mut self, memory: &BodyMemory) -> bool {
        let Whole::Begun { bytes, length } = &mut self.body.whole else { return true };
        if bytes.len() < *length {
            if bytes.len() == bytes.capacity() {
                memory.enlarge(bytes, room(bytes.len(), *length));
            }
            return false;
        }
        self.input.put_back(&bytes[*length..]);
        bytes.truncate(*length);
        let bytes = std::mem::take(bytes);
        self.body.whole = Whole::Collected(Bytes::from(bytes));
        true
    }
}

/// The memory for a body of `length` bytes of which `received` were received.
///
/// It has one byte more than the body: a short read then proves that the socket is empty, which
/// saves another read.
fn room(received: usize, length: usize) -> usize {
    let room = if received < LITTLE { LITTLE } else { ROOM.max(2 * received) };
    room.min(length) + 1
}

impl Connection {
    /// Collects the whole body.
    pub(crate) async fn collect_body(&self) -> Result<(), BodyFailure> {
        if self.with(|buffers| buffers.body.stays_beside_head(&mut buffers.input)) {
            return Ok(());
        }
        match self.with(|buffers| buffers.body.length_to_come()) {
            Some(length) => {
                self.with(|buffers| buffers.begin_body(length, &self.server.body_memory))?;
                poll_fn(|task| self.poll_whole_body(task)).await
            }
            None => self.collect_decoded().await,
        }
    }

    async fn collect_decoded(&self) -> Result<(), BodyFailure> {
        let mut collected = Vec::new();
        self.read_body_to_end(|data| collected.extend_from_slice(data)).await?;
        self.with(|buffers| buffers.body.whole = Whole::Collected(Bytes::from(collected)));
        Ok(())
    }

    fn poll_whole_body(&self, task: &mut TaskContext<'_>) -> Poll<Result<(), BodyFailure>> {
        while !self.with(|buffers| buffers.finish_body_if_complete(&self.server.body_memory)) {
            let more = self.poll_more_body(task, |task| self.poll_fill_body(task));
            if more.is_pending() {
                return self.poll_output_meanwhile(task);
            }
            ready!(more)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Receives once, directly into the body.
    fn poll_fill_body(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        self.with(|buffers| {
            let Whole::Begun { bytes, length } = &mut buffers.body.whole else {
                return Poll::Ready(Ok(0));
            };
            let left = *length - bytes.len();
            let count = ready!(self.stream.poll_recv_behind(task, bytes))?;
            self.server.recorder.page.received(count);
            buffers.body.count_received(count.min(left));
            Poll::Ready(Ok(count))
        })
    }
}

impl Connection {
    /// Reads and discards the rest of a body that the handler did not read, if it is short.
    pub(crate) async fn drain_body(&self) -> Result<(), BodyFailure> {
        self.with(|buffers| {
            buffers.body.stop_inflating(&mut buffers.input);
            buffers.body.limit = buffers.body.received + DRAIN_LIMIT;
        });
        self.read_body_to_end(|_| ()).await
    }

    fn read_body_to_end(
        &self,
        mut sink: impl FnMut(&[u8]),
    ) -> impl Future<Output = Result<(), BodyFailure>> {
        poll_fn(move |task| {
            loop {
                match self.poll_body(task, usize::MAX, &mut sink) {
                    Poll::Ready(Ok(true)) => {}
                    Poll::Ready(end) => return Poll::Ready(end.map(|_| ())),
                    Poll::Pending => return self.poll_output_meanwhile(task),
                }
            }
        })
    }

    /// Sends while the task waits for more of the body. Fails if nothing more can be sent.
    fn poll_output_meanwhile(&self, task: &mut TaskContext<'_>) -> Poll<Result<(), BodyFailure>> {
        match self.poll_output(task) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(BodyFailure::Gone)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_received_bytes_and_not_the_announced_ones() {
        let length = 10 * ROOM;
        assert_eq!(room(0, length), LITTLE + 1);
        assert_eq!(room(0, 100), 101);
        assert_eq!(room(LITTLE + 1, length), ROOM + 1);
        assert_eq!(room(ROOM + 1, length), 2 * ROOM + 3);
        assert_eq!(room(length - 1, length), length + 1);
        let memory = BodyMemory::default();
        for received in [LITTLE + 1, ROOM + 1, 2 * ROOM + 3] {
            let mut bytes = vec![7; received];
            memory.enlarge(&mut bytes, room(received, length));
            assert!(bytes.capacity() > received && bytes == vec![7; received]);
        }
    }
}
