//! Received bytes, and the heads that are read from them.

use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use super::{Connection, Flags, Held, Phase};
use crate::http1::head::{Head, HeadError, HeadLimits, PartialHead, Range};
use crate::types::content::Content;
use crate::types::text::Text;

/// The size of a new buffer. A browser's head fits into it. A busy worker holds one for each
/// connection with a request in progress.
const BUFFER_SIZE: usize = 8 * 1024;

/// Bytes that were received and not consumed, and the head of the current request.
///
/// Both are in one reference-counted buffer, because a [`Text`] may outlive its request. A buffer
/// that is still shared when room is needed is replaced, and lives on with the texts.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: Rc<[u8]>,
    /// The unread bytes are `buffer[start..end]`.
    start: usize,
    end: usize,
    partial: PartialHead,
    head: HeadPlace,
    head_length: usize,
    /// The number of bytes behind the head that are its body.
    body_length: usize,
}

/// Where the head of the current request is.
#[derive(Debug)]
enum HeadPlace {
    /// No request is being served.
    None,
    /// At this offset of the buffer.
    InBuffer(usize),
    /// At this offset of an older buffer.
    Moved(Rc<[u8]>, usize),
}

impl Default for Input {
    fn default() -> Self {
        Self {
            buffer: Rc::from([]),
            start: 0,
            end: 0,
            partial: PartialHead::default(),
            head: HeadPlace::None,
            head_length: 0,
            body_length: 0,
        }
    }
}

impl Input {
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Returns room for the next bytes, at least one byte.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let has_room = match Rc::get_mut(&mut self.buffer) {
            // Nothing in it is needed any more.
            Some(_) if self.start == self.end && !matches!(self.head, HeadPlace::InBuffer(_)) => {
                self.start = 0;
                self.end = 0;
                !self.buffer.is_empty()
            }
            Some(buffer) => self.end < buffer.len(),
            None => false,
        };
        if !has_room {
            self.relocate();
        }
        let end = self.end;
        Rc::get_mut(&mut self.buffer).and_then(|buffer| buffer.get_mut(end..)).unwrap_or_default()
    }

    /// Gives [`space`](Self::space) room for at least `size` bytes, if nothing is unread.
    pub(crate) fn enlarge(&mut self, size: usize) {
        if self.is_empty() && self.buffer.len() < size {
            self.replace(Rc::from(vec![0; size]), 0);
        }
    }

    /// Adds `count` bytes that were received into [`space`](Self::space).
    pub(crate) fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// Appends `bytes`, which were received elsewhere.
    pub(crate) fn put_back(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.received(now.len());
            bytes = later;
        }
    }

    /// Moves the unread bytes into a new buffer with room for as many again.
    #[cold]
    fn relocate(&mut self) {
        let unread = self.unread();
        let mut bytes = vec![0; BUFFER_SIZE.max(2 * unread.len())];
        bytes[..unread.len()].copy_from_slice(unread);
        let count = unread.len();
        self.replace(Rc::from(bytes), count);
    }

    /// Replaces the buffer. The first `count` bytes of the new one are unread. The head stays in
    /// the old one.
    fn replace(&mut self, buffer: Rc<[u8]>, count: usize) {
        let old = std::mem::replace(&mut self.buffer, buffer);
        if let HeadPlace::InBuffer(at) = self.head {
            self.head = HeadPlace::Moved(old, at);
        }
        self.start = 0;
        self.end = count;
    }

    /// Reads the next head, if it is complete, and makes it the current one. Calls `look` with the
    /// head and the bytes from its beginning.
    ///
    /// Checks continue where the last ones stopped. They cost the same however the bytes arrive.
    pub(crate) fn read_head(
        &mut self,
        head: &mut Head,
        limits: &HeadLimits,
        look: impl FnOnce(&Head, &[u8]),
    ) -> Result<bool, HeadError> {
        let unread = &self.buffer[self.start..self.end];
        let Some(place) = head.read(&mut self.partial, unread, limits)? else { return Ok(false) };
        look(head, unread.get(place.start..).unwrap_or_default());
        self.head = HeadPlace::InBuffer(self.start + place.start);
        self.head_length = place.len();
        self.start += place.end;
        Ok(true)
    }

    /// Forgets the head of the request that was served.
    pub(crate) fn end_request(&mut self) {
        self.head = HeadPlace::None;
        self.head_length = 0;
        self.body_length = 0;
    }

    /// Forgets everything, for the next connection.
    pub(crate) fn reset(&mut self) {
        self.end_request();
        self.partial = PartialHead::default();
        self.start = 0;
        self.end = 0;
        if self.buffer.len() > BUFFER_SIZE {
            self.buffer = Rc::from([]);
        }
    }

    /// Returns the head of the current request.
    pub(crate) fn head(&self) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at..at + self.head_length).unwrap_or_default()
    }

    /// Returns a part of the head of the current request.
    pub(crate) fn part(&self, range: Range) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at + range.start as usize..at + range.end as usize).unwrap_or_default()
    }

    /// Keeps `length` bytes behind the head as the body until the request ends, and counts them as
    /// read.
    ///
    /// Returns `false` if they were not all received, are not directly behind the head, or are too
    /// many to be [shared](Content).
    pub(crate) fn keep_body(&mut self, length: usize) -> bool {
        let HeadPlace::InBuffer(at) = self.head else { return false };
        let is_here = at + self.head_length == self.start
            && length <= self.end - self.start
            && self.start + length <= u32::MAX as usize;
        if is_here {
            self.start += length;
            self.body_length = length;
        }
        is_here
    }

    /// Returns the body that was [kept](Self::keep_body).
    pub(crate) fn body(&self) -> Content {
        let (buffer, at) = self.head_place();
        let start = at + self.head_length;
        Content::shared(buffer, start, start + self.body_length)
    }

    /// Returns the head of the current request, and its body if that was kept.
    fn request(&self) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at..at + self.head_length + self.body_length).unwrap_or_default()
    }

    /// Returns a part of the head as text.
    pub(crate) fn text(&self, range: Range) -> Text {
        let (buffer, range) = self.share(range);
        Text::shared(buffer, range.start, range.end)
    }

    /// Returns the buffer that holds a part of the head, and the place of that part.
    pub(crate) fn share(&self, range: Range) -> (Rc<[u8]>, std::ops::Range<usize>) {
        let (buffer, at) = self.head_place();
        (Rc::clone(buffer), at + range.start as usize..at + range.end as usize)
    }

    fn head_place(&self) -> (&Rc<[u8]>, usize) {
        match &self.head {
            HeadPlace::None => (&self.buffer, 0),
            HeadPlace::InBuffer(at) => (&self.buffer, *at),
            HeadPlace::Moved(buffer, at) => (buffer, *at),
        }
    }

    /// Keeps only a copy of the head and of a kept body, for a wait that may be long. A buffer has
    /// thousands of bytes, a head has hundreds.
    pub(crate) fn shrink_to_head(&mut self) {
        if !self.is_empty() || self.buffer.is_empty() {
            return;
        }
        if let HeadPlace::InBuffer(_) = self.head {
            self.head = HeadPlace::Moved(Rc::from(self.request()), 0);
        }
        self.buffer = Rc::from([]);
        self.start = 0;
        self.end = 0;
    }
}

/// The result of waiting for a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeadProgress {
    /// More bytes were received.
    Received,
    /// The client closed the connection, or was idle for too long.
    Ended,
    /// The head was not complete in time.
    TooSlow,
}

/// The bytes that wait in the buffers of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// Whether received bytes have not been read yet.
    pub(crate) received: bool,
    /// The number of bytes to send.
    pub(crate) queued: u64,
}

impl Connection {
    pub(crate) fn backlog(&self) -> Backlog {
        match &*self.held.borrow() {
            Held::Nothing => Backlog { received: false, queued: 0 },
            Held::Stash(_) => Backlog { received: true, queued: 0 },
            Held::Buffers(buffers) => {
                Backlog { received: !buffers.input.is_empty(), queued: buffers.output.len() }
            }
        }
    }

    /// Reads the head of the next request, if it is complete, and begins that request. Calls `look`
    /// with the head and the bytes from its beginning.
    pub(crate) fn read_head(
        &self,
        head: &mut Head,
        look: impl FnOnce(&Head, &[u8]),
    ) -> Result<bool, HeadError> {
        let mut held = self.held.borrow_mut();
        let buffers = held.lease(&self.server);
        if !buffers.input.read_head(head, &self.server.settings.head, look)? {
            return Ok(false);
        }
        buffers.body.begin(head);
        self.enter(Phase::Handler);
        Ok(true)
    }

    /// Whether the client sent more than the blank lines that may precede a head.
    pub(crate) fn has_begun(&self) -> bool {
        let mut held = self.held.borrow_mut();
        let unread = held.leased().map(|buffers| buffers.input.unread()).unwrap_or_default();
        unread.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Receives more of a head. The limit depends on whether the head has `begun`.
    #[inline(always)]
    pub(crate) fn poll_head(&self, task: &mut TaskContext<'_>, begun: bool) -> Poll<HeadProgress> {
        self.enter_unarmed(if begun { Phase::Head } else { Phase::Idle });
        // Buffers are leased only when there is something to receive.
        let filled = match self.stream.poll_recv_ready(task) {
            Poll::Ready(()) => self.poll_fill(task),
            Poll::Pending => Poll::Pending,
        };
        match filled {
            Poll::Ready(Ok(count)) if count > 0 => Poll::Ready(HeadProgress::Received),
            Poll::Ready(_) => Poll::Ready(HeadProgress::Ended),
            Poll::Pending if self.poll_head_limit(task).is_pending() => {
                self.held.borrow_mut().release(&self.server);
                Poll::Pending
            }
            Poll::Pending if begun => Poll::Ready(HeadProgress::TooSlow),
            Poll::Pending if self.checks_again() => {
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(HeadProgress::Ended),
        }
    }

    /// Whether to check the socket once more before an idle connection is closed.
    ///
    /// A graceful shutdown closes many connections at the same time, and a request may arrive on
    /// each of them before its turn.
    fn checks_again(&self) -> bool {
        let again = self.server.is_draining() && !self.has(Flags::CHECKED_AGAIN);
        self.set(Flags::CHECKED_AGAIN, true);
        again
    }

    /// Receives once, behind the unread bytes.
    #[inline(always)]
    pub(super) fn poll_fill(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let mut held = self.held.borrow_mut();
        let buffers = held.lease(&self.server);
        let count = ready!(self.stream.poll_recv(task, buffers.input.space()))?;
        self.server.recorder.page.received(count);
        buffers.input.received(count);
        Poll::Ready(Ok(count))
    }

    /// Takes all received bytes that were not read. The request stays.
    pub(super) fn take_early(&self) -> Vec<u8> {
        let mut held = self.held.borrow_mut();
        let Some(buffers) = held.leased() else { return Vec::new() };
        let early = buffers.input.unread().to_vec();
        buffers.input.consume(early.len());
        early
    }

    /// Moves received bytes that were not read into `buffer`.
    pub(super) fn take_unread(&self, buffer: &mut [u8]) -> usize {
        let mut held = self.held.borrow_mut();
        if matches!(*held, Held::Nothing) {
            return 0;
        }
        let input = &mut held.lease(&self.server).input;
        let count = input.unread().len().min(buffer.len());
        if count == 0 {
            // The request may be needed for longer than the bytes behind it.
            return 0;
        }
        buffer[..count].copy_from_slice(&input.unread()[..count]);
        input.consume(count);
        held.release(&self.server);
        count
    }
}

#[cfg(test)]
mod tests;
