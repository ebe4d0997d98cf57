use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use squall_runtime::FilePart;

use super::stream::Stream;
use crate::http1::send_buffer::SendBuffer;
use crate::types::chunk::{Chunk, ChunkKind};
use crate::types::content::Content;

mod files;

/// From this size on, a chunk that is owned is sent from where it lies; below it, copying is
/// cheaper than another entry in the vector of a `writev`.
const COPY_LIMIT: usize = 4 * 1024;

/// What is lent is copied once, behind the head, rather than twice, if it has such a size.
const LENT: RangeInclusive<usize> = 256..=COPY_LIMIT;

/// How many pieces one `writev` takes.
const MAX_SLICES: usize = 16;

/// An idle output keeps a buffer of at most this size.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Bytes on their way out: small pieces copied together, large ones kept as they are, and files,
/// which are read when it is their turn.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The copied pieces, one behind the other; those before `taken` have left.
    copied: SendBuffer,
    taken: usize,
    /// In a body that is being written, what stands before all else and is not copied yet.
    lent: Option<Content>,
    /// The large pieces, which stand between the copied ones.
    large: VecDeque<Large>,
    /// Bytes in all of them, and in what is lent. None of them is empty.
    large_len: u64,
    /// Pieces that were sent, for whoever may run the code of their owners.
    spent: Vec<Bytes>,
}

#[derive(Debug)]
struct Large {
    /// Where in `copied` it stands.
    at: usize,
    piece: Piece,
}

/// A piece that is not copied. It is never empty, for sending it would look as if the stream took
/// nothing.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    File(Box<FilePart>),
}

impl Output {
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        (self.copied.len() - self.taken) as u64 + self.large_len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what `write` appends to the buffer it is given.
    #[inline]
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut SendBuffer) -> R) -> R {
        write(&mut self.copied)
    }

    /// How many bytes [`append`](Self::append) would write behind.
    #[inline]
    pub(crate) fn copied_len(&self) -> usize {
        self.copied.len()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, chunk: Chunk<'_>) {
        match chunk.0 {
            ChunkKind::Borrowed(bytes) => {
                self.copy(bytes);
                // There is nothing to be dropped, which the compiler does not see.
                std::mem::forget(chunk);
            }
            ChunkKind::Content(content) => self.push_content(content),
            other => self.push_owned(other),
        }
    }

    #[inline(never)]
    fn push_owned(&mut self, chunk: ChunkKind<'_>) {
        match chunk {
            ChunkKind::Borrowed(bytes) => self.copy(bytes),
            ChunkKind::Vec(bytes) if bytes.len() >= COPY_LIMIT => self.keep(Bytes::from(bytes)),
            ChunkKind::Bytes(bytes) if bytes.len() >= COPY_LIMIT => self.keep(bytes),
            ChunkKind::Vec(bytes) => self.copy(&bytes),
            ChunkKind::Bytes(bytes) => self.copy(&bytes),
            ChunkKind::Content(content) => self.push_content(content),
            ChunkKind::Text(text) => self.copy(text.as_bytes()),
        }
    }

    #[inline(never)]
    fn push_content(&mut self, content: Content) {
        if !content.is_shared() {
            self.push_owned(ChunkKind::Bytes(content.into()));
        } else if self.is_empty() && LENT.contains(&content.len()) {
            self.large_len = content.len() as u64;
            std::mem::forget(self.lent.replace(content));
        } else {
            self.copy(&content);
        }
    }

    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend(bytes);
    }

    #[inline(never)]
    fn keep(&mut self, bytes: Bytes) {
        self.large_len += bytes.len() as u64;
        self.push_large(Piece::Bytes(bytes));
    }

    fn push_large(&mut self, piece: Piece) {
        self.large.push_back(Large { at: self.copied.len(), piece });
    }

    /// Moves all of `other` behind what is here.
    #[inline]
    pub(crate) fn take(&mut self, other: &mut Self) {
        if other.large_len > 0 || other.copied.capacity() > KEPT_CAPACITY {
            return self.take_pieces(other);
        }
        self.copy(&other.copied.as_slice()[other.taken..]);
        other.clear();
    }

    #[inline(never)]
    fn take_pieces(&mut self, other: &mut Self) {
        if let Some(lent) = other.lent.take() {
            other.large_len -= lent.len() as u64;
            self.copy(&lent);
        }
        if other.large.is_empty() && other.taken == 0 && other.copied.len() >= COPY_LIMIT {
            // It would not be kept: it can as well be sent from where it is.
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

    /// All of it, if it is so little that it is better copied, and some.
    #[inline]
    pub(crate) fn small_slice(&self) -> Option<&[u8]> {
        self.one_slice().filter(|bytes| (1..=COPY_LIMIT).contains(&bytes.len()))
    }

    /// Takes all of it out, if that is lent.
    #[inline]
    pub(crate) fn take_lent(&mut self) -> Option<Content> {
        if self.lent.as_ref()?.len() as u64 != self.len() {
            return None;
        }
        self.large_len = 0;
        self.lent.take()
    }

    /// The bytes, if they lie in one piece.
    #[inline(always)]
    pub(crate) fn one_slice(&self) -> Option<&[u8]> {
        if self.large_len == 0 { self.copied.as_slice().get(self.taken..) } else { None }
    }

    /// The bytes, piece by piece, up to a file; none of the pieces is empty.
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

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        self.taken = 0;
        if self.copied.capacity() > KEPT_CAPACITY || self.large_len > 0 {
            self.clear_much();
        }
    }

    #[inline(never)]
    fn clear_much(&mut self) {
        if self.copied.capacity() > KEPT_CAPACITY {
            self.copied.release();
        }
        self.lent = None;
        if !self.large.is_empty() {
            self.large.clear();
        }
        self.large_len = 0;
    }

    /// Gives back the memory of the buffer, for a wait that may be long.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Sends some of it, if it is one piece of memory.
    #[inline(always)]
    pub(crate) fn poll_send_once(
        &mut self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        let bytes = self.one_slice()?;
        let sent = stream.poll_send(task, &[IoSlice::new(bytes)]);
        if let Poll::Ready(Ok(sent)) = sent {
            self.consume(sent);
        }
        Some(sent)
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

    /// Sends from as many pieces at once as the system takes, up to a file.
    #[inline(never)]
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

    /// Forgets `sent` bytes, of which none are a file's.
    #[inline(always)]
    fn consume(&mut self, sent: usize) {
        if !self.large.is_empty() {
            return self.consume_pieces(sent);
        }
        self.taken += sent;
        if self.taken == self.copied.len() {
            self.clear();
        }
    }

    #[inline(never)]
    fn consume_pieces(&mut self, mut sent: usize) {
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
    use squall_runtime::{IOLoop, RegularFile};

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
                let part = step.min(output.len() as usize);
                output.consume(part);
                sent += part;
            }
            assert_eq!(sent, expected.len());
        }
    }

    #[test]
    fn memory_that_is_not_kept_is_sent_from_where_it_is() {
        let mut body = Output::default();
        body.append(|out| out.extend(&[b'x'; 2 * KEPT_CAPACITY]));
        let place = body.copied.as_slice().as_ptr();
        let mut output = Output::default();
        output.copy(b"head");
        output.take(&mut body);
        assert_eq!(output.slices().nth(1).map(<[u8]>::as_ptr), Some(place));
        assert_eq!((output.len(), body.len()), (4 + 2 * KEPT_CAPACITY as u64, 0));
        body.copy(b"next");
        output.take(&mut body);
        assert!(bytes_of(&output).ends_with(b"xnext"));
    }

    #[test]
    fn a_file_stands_in_its_place_and_counts() {
        let file = IOLoop::current().run_sync(RegularFile::open("Cargo.toml")).unwrap().unwrap();
        let part = |length| FilePart::new(file.clone(), 0, length);
        let mut body = Output::default();
        body.push(Chunk::from(""));
        body.push_file(part(0));
        body.push_file(part(10));
        body.push(Chunk::from("between"));
        body.push_file(part(u64::MAX / 2));
        let mut output = Output::default();
        output.copy(b"head");
        output.take(&mut body);
        assert_eq!(output.len(), 4 + 10 + 7 + u64::MAX / 2);
        assert_eq!(bytes_of(&output), b"head", "up to the file");
        assert_eq!(output.large.len(), 2, "none of them is empty");
        output.consume(4);
        assert_eq!((bytes_of(&output), output.large.len()), (vec![], 2));
    }
}
