use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};

use super::stream::Stream;
use crate::chunk::{Chunk, Kind};

/// From this size on, a chunk that is owned is sent from where it lies; below it, copying is
/// cheaper than another entry in the vector of a `writev`.
const COPY_LIMIT: usize = 4 * 1024;

/// How many pieces one `writev` takes.
const MAX_SLICES: usize = 16;

/// An idle output keeps a buffer of at most this size.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Bytes on their way out: small pieces copied together, large ones kept as they are.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The copied pieces, one behind the other; those before `taken` have left.
    copied: Vec<u8>,
    taken: usize,
    /// The large pieces, which stand between the copied ones.
    kept: VecDeque<Kept>,
    kept_len: usize,
    /// Pieces that were sent, for whoever may run the code of their owners.
    spent: Vec<Bytes>,
}

#[derive(Debug)]
struct Kept {
    /// Where in `copied` it stands.
    at: usize,
    bytes: Bytes,
}

impl Output {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.copied.len() - self.taken + self.kept_len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what `write` appends to the buffer it is given.
    #[inline]
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        write(&mut self.copied)
    }

    #[inline]
    pub(crate) fn push(&mut self, chunk: Chunk<'_>) {
        match chunk.0 {
            Kind::Borrowed(bytes) => self.copy(bytes),
            other => self.push_owned(other),
        }
    }

    #[inline(never)]
    fn push_owned(&mut self, chunk: Kind<'_>) {
        match chunk {
            Kind::Borrowed(bytes) => self.copy(bytes),
            Kind::Vec(bytes) if bytes.len() >= COPY_LIMIT => self.keep(Bytes::from(bytes)),
            Kind::Bytes(bytes) if bytes.len() >= COPY_LIMIT => self.keep(bytes),
            Kind::Vec(bytes) => self.copy(&bytes),
            Kind::Bytes(bytes) => self.copy(&bytes),
            Kind::Text(text) => self.copy(text.as_bytes()),
        }
    }

    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    #[inline(never)]
    fn keep(&mut self, bytes: Bytes) {
        self.kept_len += bytes.len();
        self.kept.push_back(Kept { at: self.copied.len(), bytes });
    }

    /// Moves all of `other` behind what is here.
    #[inline]
    pub(crate) fn take(&mut self, other: &mut Self) {
        if !other.kept.is_empty() {
            return self.take_pieces(other);
        }
        self.copy(&other.copied[other.taken..]);
        other.clear();
    }

    #[inline(never)]
    fn take_pieces(&mut self, other: &mut Self) {
        let mut copied = other.taken;
        while let Some(Kept { at, bytes }) = other.kept.pop_front() {
            self.copy(&other.copied[copied..at]);
            copied = at;
            self.keep(bytes);
        }
        other.kept_len = 0;
        self.copy(&other.copied[copied..]);
        other.clear();
    }

    /// The bytes, if they lie in one piece.
    #[inline]
    pub(crate) fn one_slice(&self) -> Option<&[u8]> {
        if self.kept.is_empty() { self.copied.get(self.taken..) } else { None }
    }

    /// The bytes, piece by piece; none of the pieces is empty.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.kept.iter().map(|kept| (kept.at, &*kept.bytes));
        let mut copied = self.taken;
        ends.chain([(self.copied.len(), [].as_slice())])
            .flat_map(move |(at, bytes)| {
                let before = &self.copied[copied..at];
                copied = at;
                [before, bytes]
            })
            .filter(|piece| !piece.is_empty())
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        self.taken = 0;
        if self.copied.capacity() > KEPT_CAPACITY || !self.kept.is_empty() {
            self.clear_much();
        }
    }

    #[cold]
    fn clear_much(&mut self) {
        self.copied.shrink_to(KEPT_CAPACITY);
        self.kept.clear();
        self.kept_len = 0;
    }

    /// Gives back the memory of the buffer, for a wait that may be long.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Sends until nothing is left.
    pub(crate) fn poll_send(
        &mut self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let sent = match self.one_slice() {
                Some(bytes) => stream.poll_send(task, &[IoSlice::new(bytes)]),
                None => self.poll_send_slices(stream, task),
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.consume(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn poll_send_slices(
        &self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(self.slices()) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        stream.poll_send(task, &slices[..count])
    }

    #[inline]
    fn consume(&mut self, sent: usize) {
        if !self.kept.is_empty() {
            return self.consume_pieces(sent);
        }
        self.taken += sent;
        if self.taken == self.copied.len() {
            self.clear();
        }
    }

    #[inline(never)]
    fn consume_pieces(&mut self, mut sent: usize) {
        while let Some(next) = self.kept.front_mut() {
            let copied = sent.min(next.at - self.taken);
            self.taken += copied;
            sent -= copied;
            if self.taken < next.at {
                return;
            }
            let kept = sent.min(next.bytes.len());
            self.kept_len -= kept;
            if kept < next.bytes.len() {
                next.bytes.advance(kept);
                return;
            }
            sent -= kept;
            self.spent.extend(self.kept.pop_front().map(|kept| kept.bytes));
        }
        self.consume(sent);
    }

    /// The owners of what was sent, if any, to be dropped where nothing is borrowed.
    #[inline]
    pub(crate) fn take_spent(&mut self) -> Option<Vec<Bytes>> {
        if self.spent.is_empty() { None } else { Some(std::mem::take(&mut self.spent)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(output: &Output) -> Vec<u8> {
        output.slices().flatten().copied().collect()
    }

    #[test]
    fn pieces_leave_in_order_whatever_is_sent_at_a_time() {
        let large = vec![b'L'; COPY_LIMIT + 3];
        for step in [1, 7, COPY_LIMIT, 2 * COPY_LIMIT] {
            let mut body = Output::default();
            body.push(Chunk::from("<"));
            body.push(Chunk::from(large.clone()));
            body.push(Chunk::from(">"));
            let mut output = Output::default();
            output.copy(b"head");
            output.take(&mut body);
            output.copy(b"next");
            let expected = [b"head<".as_slice(), &large, b">next"].concat();
            assert_eq!((bytes_of(&output), body.len()), (expected.clone(), 0));

            let mut sent = 0;
            while !output.is_empty() {
                assert_eq!(bytes_of(&output), expected[sent..]);
                let part = step.min(output.len());
                output.consume(part);
                sent += part;
            }
            assert_eq!(sent, expected.len());
        }
    }
}
