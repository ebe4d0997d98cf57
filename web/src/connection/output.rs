use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::Path;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use squall_runtime::{FilePart, log};

use super::stream::Stream;
use crate::chunk::{Chunk, Kind};

/// From this size on, a chunk that is owned is sent from where it lies; below it, copying is
/// cheaper than another entry in the vector of a `writev`.
const COPY_LIMIT: usize = 4 * 1024;

/// How many pieces one `writev` takes.
const MAX_SLICES: usize = 16;

/// An idle output keeps a buffer of at most this size.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Bytes on their way out: small pieces copied together, large ones kept as they are, and files,
/// which are read when it is their turn.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The copied pieces, one behind the other; those before `taken` have left.
    copied: Vec<u8>,
    taken: usize,
    /// What to send, in order.
    pieces: VecDeque<Piece>,
    len: u64,
    /// Pieces that were sent, for whoever may run the code of their owners.
    spent: Vec<Bytes>,
}

#[derive(Debug)]
enum Piece {
    /// The next so many bytes of `copied`.
    Copied(usize),
    Kept(Bytes),
    File(Box<FilePart>),
}

impl Output {
    pub(crate) fn len(&self) -> u64 {
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
        self.len += added as u64;
        match self.pieces.back_mut() {
            Some(Piece::Copied(len)) => *len += added,
            // A piece is never empty, for sending it would look as if the stream took nothing.
            _ if added == 0 => {}
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
        self.len += bytes.len() as u64;
        self.pieces.push_back(Piece::Kept(bytes));
    }

    pub(crate) fn push_file(&mut self, part: FilePart) {
        if part.left() > 0 {
            self.push_part(Box::new(part));
        }
    }

    fn push_part(&mut self, part: Box<FilePart>) {
        self.len += part.left();
        self.pieces.push_back(Piece::File(part));
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
                Piece::File(part) => self.push_part(part),
            }
        }
        other.clear();
    }

    /// The bytes, if they lie in one piece.
    pub(crate) fn one_slice(&self) -> Option<&[u8]> {
        if self.pieces.len() == 1 { self.slices().next() } else { None }
    }

    /// The bytes, piece by piece, up to a file.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut copied = self.taken;
        self.pieces.iter().map_while(move |piece| match piece {
            Piece::Copied(len) => {
                copied += len;
                Some(&self.copied[copied - len..copied])
            }
            Piece::Kept(bytes) => Some(bytes),
            Piece::File(_) => None,
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
                (Some(Piece::File(_)), _) => {
                    ready!(self.poll_sendfile(stream, task))?;
                    continue;
                }
                _ => self.poll_send_pieces(stream, task),
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.consume(sent),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends from as many pieces at once as the system takes, up to a file.
    fn poll_send_pieces(
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
        if let Some(Piece::File(_)) = self.pieces.get(count) {
            return stream.poll_send_more(task, &slices[..count]);
        }
        stream.poll_send(task, &slices[..count])
    }

    /// Sends some of the file in front.
    #[cold]
    fn poll_sendfile(
        &mut self,
        stream: &Stream,
        task: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(Piece::File(part)) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
        let had_failed = part.has_failed();
        match ready!(stream.poll_sendfile(task, part)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(sent) => self.len -= sent,
            Err(error) => {
                if part.has_failed() && !had_failed {
                    log_failure(part, &error);
                }
                return Poll::Ready(Err(error));
            }
        }
        if part.left() == 0 {
            self.pieces.pop_front();
        }
        if self.len == 0 {
            self.clear();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a file is being read, so that it is not the client who is slow.
    pub(crate) fn waits_for_file(&self) -> bool {
        matches!(self.pieces.front(), Some(Piece::File(part)) if part.waits_for_file())
    }

    /// Forgets `sent` bytes, of which none are a file's.
    fn consume(&mut self, mut sent: usize) {
        self.len -= sent as u64;
        while let Some(piece) = self.pieces.front_mut() {
            let length = match piece {
                Piece::Copied(len) => *len,
                Piece::Kept(bytes) => bytes.len(),
                Piece::File(_) => break,
            };
            let gone = sent.min(length);
            let is_whole = gone == length;
            sent -= gone;
            match piece {
                Piece::Copied(len) => {
                    *len -= gone;
                    self.taken += gone;
                }
                Piece::Kept(bytes) if !is_whole => bytes.advance(gone),
                Piece::Kept(_) | Piece::File(_) => {}
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

/// A file that became shorter while it was being sent, or whose disk fails: the client learns no
/// more than that the connection is cut.
fn log_failure(part: &FilePart, error: &io::Error) {
    let path = part.file().path().map(Path::display);
    let left = part.left();
    match path {
        Some(path) => log::error(
            log::APPLICATION,
            format_args!("sending {path} ends {left} bytes early: {error}"),
        ),
        None => log::error(
            log::APPLICATION,
            format_args!("sending an open file ends {left} bytes early: {error}"),
        ),
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
        assert_eq!(output.pieces.len(), 4, "none of them is empty");
        output.consume(4);
        assert_eq!((bytes_of(&output), output.pieces.len()), (vec![], 3));
    }
}
