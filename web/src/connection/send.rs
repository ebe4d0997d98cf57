//! Bytes and files on their way to the client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use squall_runtime::{FilePart, IOLoop};

use super::stream::Stream;
use super::{Connection, Flags};
use crate::http1::send_buffer::SendBuffer;
use crate::types::chunk::{Chunk, ChunkKind};
use crate::types::content::Content;

mod files;
pub(crate) mod flush;

/// An owned chunk of at least this size is sent from where it is. Copying a smaller one is cheaper
/// than another entry in the vector of a `writev`.
const COPY_LIMIT: usize = 4 * 1024;

/// A shared body of such a size is copied once, behind the head, rather than twice.
const LENT: RangeInclusive<usize> = 256..=COPY_LIMIT;

/// The most pieces of one `writev`.
const MAX_SLICES: usize = 16;

/// An idle output keeps a buffer of at most this size.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Queued bytes: small pieces copied together, large pieces kept as they are, and files, which are
/// read when it is their turn.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The copied pieces, one behind the other. The bytes before `taken` have been sent.
    copied: SendBuffer,
    taken: usize,
    /// The shared beginning of a body under construction, not copied yet. It precedes `copied`.
    lent: Option<Content>,
    /// The large pieces between the copied ones.
    large: VecDeque<Large>,
    /// The number of bytes in `large` and `lent`.
    large_len: u64,
    /// Large pieces that were sent. Dropping them may run code of their owners.
    spent: Vec<Bytes>,
}

#[derive(Debug)]
struct Large {
    /// Its place in `copied`.
    at: usize,
    piece: Piece,
}

/// A piece that is not copied. It is never empty: sending nothing looks like a closed stream.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    File(Box<FilePart>),
}

impl Output {
    /// The number of bytes to send.
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        (self.copied.len() - self.taken) as u64 + self.large_len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `write` to append to the copied pieces.
    #[inline]
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut SendBuffer) -> R) -> R {
        write(&mut self.copied)
    }

    /// The number of bytes before those of the next [`append`](Self::append).
    pub(crate) fn copied_len(&self) -> usize {
        self.copied.len()
    }

    /// Appends `chunk`: copies a small one, keeps a large one.
    #[inline(always)]
    pub(crate) fn push(&mut self, chunk: Chunk<'_>) {
        match chunk.0 {
            ChunkKind::Borrowed(bytes) => self.copy(bytes),
            ChunkKind::Text(text) => self.copy(text.as_bytes()),
            ChunkKind::Vec(bytes) if bytes.len() < COPY_LIMIT => self.copy(&bytes),
            ChunkKind::Vec(bytes) => self.keep(Bytes::from(bytes)),
            ChunkKind::Bytes(bytes) => self.push_bytes(bytes),
            ChunkKind::Content(content) if !content.is_shared() => self.push_bytes(content.into()),
            ChunkKind::Content(content) if self.is_empty() && LENT.contains(&content.len()) => {
                self.large_len = content.len() as u64;
                self.lent = Some(content);
            }
            ChunkKind::Content(content) => self.copy(&content),
        }
    }

    fn push_bytes(&mut self, bytes: Bytes) {
        match bytes.len() < COPY_LIMIT {
            true => self.copy(&bytes),
            false => self.keep(bytes),
        }
    }

    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend(bytes);
    }

    fn keep(&mut self, bytes: Bytes) {
        self.large_len += bytes.len() as u64;
        self.push_large(Piece::Bytes(bytes));
    }

    fn push_large(&mut self, piece: Piece) {
        self.large.push_back(Large { at: self.copied.len(), piece });
    }

    /// Moves the content of `other` to the end of this output.
    pub(crate) fn take(&mut self, other: &mut Self) {
        if let Some(lent) = other.lent.take() {
            other.large_len -= lent.len() as u64;
            self.copy(&lent);
        }
        let is_kept = other.copied.capacity() <= KEPT_CAPACITY;
        if !is_kept && other.large_len == 0 && other.taken == 0 && other.copied.len() >= COPY_LIMIT
        {
            // `other` would free this memory, so it can be sent from where it is.
            return self.keep(std::mem::take(&mut other.copied).into());
        }
        let mut copied = other.taken;
        while let Some(Large { at, piece }) = other.large.pop_front() {
            self.copy(&other.copied.as_slice()[copied..at]);
            copied = at;
            self.push_large(piece);
        }
        self.large_len += std::mem::take(&mut other.large_len);
        self.copy(&other.copied.as_slice()[copied..]);
        other.clear();
    }

    /// Returns the whole output, if it is not empty and small enough that copying is cheaper than
    /// another entry of a `writev`.
    pub(crate) fn small_slice(&self) -> Option<&[u8]> {
        self.one_slice().filter(|bytes| (1..=COPY_LIMIT).contains(&bytes.len()))
    }

    /// Takes the shared beginning, if it is the whole output.
    pub(crate) fn take_lent(&mut self) -> Option<Content> {
        if self.lent.as_ref()?.len() as u64 != self.len() {
            return None;
        }
        self.large_len = 0;
        self.lent.take()
    }

    /// Returns the bytes, if they are in one piece.
    #[inline]
    pub(crate) fn one_slice(&self) -> Option<&[u8]> {
        if self.large_len == 0 { self.copied.as_slice().get(self.taken..) } else { None }
    }

    /// Returns the bytes before the first file, piece by piece. No piece is empty.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut copied = self.taken;
        let mut large = self.large.iter();
        let mut after = None;
        let behind = std::iter::from_fn(move || {
            if let Some(bytes) = after.take() {
                return bytes;
            }
            let (at, bytes) = match large.next() {
                Some(Large { at, piece: Piece::Bytes(bytes) }) => (*at, Some(&**bytes)),
                Some(Large { at, piece: Piece::File(_) }) => (*at, None),
                None => (self.copied.len(), None),
            };
            after = Some(bytes);
            let before = &self.copied.as_slice()[copied..at];
            copied = at;
            Some(before)
        });
        self.lent.as_deref().into_iter().chain(behind).filter(|piece| !piece.is_empty())
    }

    /// Removes everything. Keeps the buffer, unless it is large.
    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        self.taken = 0;
        if self.copied.capacity() > KEPT_CAPACITY {
            self.copied.release();
        }
        if self.large_len > 0 {
            self.lent = None;
            self.large.clear();
            self.large_len = 0;
        }
    }

    /// Frees the memory of an empty output, for a wait that may be long.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Sends until the output is empty.
    pub(crate) fn poll_send(
        &mut self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let sent = match self.one_slice() {
                Some(bytes) => stream.poll_send(task, &[IoSlice::new(bytes)]),
                None if self.is_at_file() => {
                    ready!(self.poll_sendfile(stream, task))?;
                    continue;
                }
                None => self.poll_send_pieces(stream, task),
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.consume(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends as many pieces at once as the kernel takes, up to a file.
    fn poll_send_pieces(
        &self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let (mut count, mut bytes) = (0, 0);
        for (slot, piece) in slices.iter_mut().zip(self.slices()) {
            *slot = IoSlice::new(piece);
            count += 1;
            bytes += piece.len() as u64;
        }
        let file_follows = count < MAX_SLICES && bytes < self.len();
        match file_follows {
            true => stream.poll_send_more(task, &slices[..count]),
            false => stream.poll_send(task, &slices[..count]),
        }
    }

    /// Removes `sent` bytes, none of them a file's.
    #[inline]
    fn consume(&mut self, mut sent: usize) {
        while let Some(next) = self.large.front_mut() {
            let copied = sent.min(next.at - self.taken);
            self.taken += copied;
            sent -= copied;
            let Piece::Bytes(bytes) = &mut next.piece else { return };
            if self.taken < next.at {
                return;
            }
            let kept = sent.min(bytes.len());
            self.large_len -= kept as u64;
            sent -= kept;
            if kept < bytes.len() {
                bytes.advance(kept);
                return;
            }
            if let Some(Large { piece: Piece::Bytes(bytes), .. }) = self.large.pop_front() {
                self.spent.push(bytes);
            }
        }
        self.taken += sent;
        if self.taken == self.copied.len() {
            self.clear();
        }
    }

    /// Takes the large pieces that were sent. The caller drops them while nothing is borrowed.
    fn take_spent(&mut self) -> Option<Vec<Bytes>> {
        if self.spent.is_empty() { None } else { Some(std::mem::take(&mut self.spent)) }
    }
}

impl Connection {
    /// Fast path of [`poll_output`](Self::poll_output): same result; skip on a first reading.
    ///
    /// Sends once, if the output is in one piece and the client keeps up. The output must not be
    /// empty.
    #[inline(always)]
    pub(crate) fn poll_output_fast(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        IOLoop::lap();
        let mut held = self.held.borrow_mut();
        if let Some(buffers) = held.leased()
            && buffers.sending.is_even()
            && let Some(bytes) = buffers.output.one_slice()
            && let Poll::Ready(sent) = self.stream.poll_send(task, &[IoSlice::new(bytes)])
        {
            let sent = sent?;
            self.server.recorder.page.sent(sent as u64);
            buffers.output.consume(sent);
            if buffers.output.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        drop(held);
        self.poll_output(task)
    }

    /// Sends the queued bytes. Fails with the error of the connection, or with a time-out.
    pub(crate) fn poll_output(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        // The request is counted before its client receives the response.
        IOLoop::lap();
        let mut held = self.held.borrow_mut();
        let Some(buffers) = held.leased() else { return Poll::Ready(Ok(())) };
        let queued = buffers.output.len();
        let sent = buffers.output.poll_send(&self.stream, task);
        let progress = queued - buffers.output.len();
        self.server.recorder.page.sent(progress);
        let spent = buffers.output.take_spent();
        let is_even = buffers.sending.is_even();
        drop(held);
        // The owner of the bytes may be user code, and dropping it runs that code.
        spent.into_iter().flatten().for_each(|bytes| self.server.body_memory.give(bytes));
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

    /// Whether the next bytes are those of a file that is still being read. The client is not slow
    /// then.
    pub(super) fn waits_for_file(&self) -> bool {
        let mut held = self.held.borrow_mut();
        held.leased().is_some_and(|buffers| buffers.output.waits_for_file())
    }
}

#[cfg(test)]
mod tests;
