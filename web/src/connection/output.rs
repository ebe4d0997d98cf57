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
    /// What to send, in order.
    pieces: VecDeque<Piece>,
    len: usize,
    /// Pieces that were sent, for whoever may run the code of their owners.
    spent: Vec<Bytes>,
}

#[derive(Debug)]
enum Piece {
    /// The next so many bytes of `copied`.
    Copied(usize),
    Kept(Bytes),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Copied(len) => *len,
            Self::Kept(bytes) => bytes.len(),
        }
    }
}

impl Output {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends what `write` appends to the buffer it is given.
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.copied.len();
        let result = write(&mut self.copied);
        let added = self.copied.len() - before;
        self.len += added;
        match self.pieces.back_mut() {
            Some(Piece::Copied(len)) => *len += added,
            _ => self.pieces.push_back(Piece::Copied(added)),
        }
        result
    }

    pub(crate) fn push(&mut self, chunk: Chunk<'_>) {
        match chunk.0 {
            Kind::Vec(bytes) if bytes.len() >= COPY_LIMIT => self.keep(Bytes::from(bytes)),
            Kind::Bytes(bytes) if bytes.len() >= COPY_LIMIT => self.keep(bytes),
            Kind::Vec(bytes) => self.copy(&bytes),
            Kind::Bytes(bytes) => self.copy(&bytes),
            Kind::Borrowed(bytes) => self.copy(bytes),
            Kind::Text(text) => self.copy(text.as_bytes()),
        }
    }

    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.append(|buffer| buffer.extend_from_slice(bytes));
    }

    fn keep(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.pieces.push_back(Piece::Kept(bytes));
    }

    /// Moves all of `other` behind what is here.
    pub(crate) fn take(&mut self, other: &mut Self) {
        let mut copied = other.taken;
        for piece in other.pieces.drain(..) {
            match piece {
                Piece::Copied(len) => {
                    self.copy(&other.copied[copied..copied + len]);
                    copied += len;
                }
                Piece::Kept(bytes) => self.keep(bytes),
            }
        }
        other.clear();
    }

    /// The bytes, if they lie in one piece.
    pub(crate) fn one_slice(&self) -> Option<&[u8]> {
        if self.pieces.len() == 1 { self.slices().next() } else { None }
    }

    /// The bytes, piece by piece.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut copied = self.taken;
        self.pieces.iter().map(move |piece| match piece {
            Piece::Copied(len) => {
                copied += len;
                &self.copied[copied - len..copied]
            }
            Piece::Kept(bytes) => bytes,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        self.copied.shrink_to(KEPT_CAPACITY);
        self.taken = 0;
        self.pieces.clear();
        self.len = 0;
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
        while self.len > 0 {
            let sent = match (self.pieces.front(), self.pieces.len()) {
                (Some(Piece::Copied(_)), 1) => {
                    stream.poll_send(task, &[IoSlice::new(&self.copied[self.taken..])])
                }
                _ => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    let mut count = 0;
                    for (slot, piece) in slices.iter_mut().zip(self.slices()) {
                        *slot = IoSlice::new(piece);
                        count += 1;
                    }
                    stream.poll_send(task, &slices[..count])
                }
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.consume(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn consume(&mut self, mut sent: usize) {
        self.len -= sent;
        while let Some(piece) = self.pieces.front_mut() {
            let gone = sent.min(piece.len());
            let is_whole = gone == piece.len();
            sent -= gone;
            match piece {
                Piece::Copied(len) => {
                    *len -= gone;
                    self.taken += gone;
                }
                Piece::Kept(bytes) if !is_whole => bytes.advance(gone),
                Piece::Kept(_) => {}
            }
            if !is_whole {
                break;
            }
            if let Some(Piece::Kept(bytes)) = self.pieces.pop_front() {
                self.spent.push(bytes);
            }
        }
        if self.len == 0 {
            self.clear();
        }
    }

    /// The owners of what was sent, to be dropped where nothing is borrowed.
    pub(crate) fn take_spent(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.spent)
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
