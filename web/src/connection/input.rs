use std::rc::Rc;

use crate::http1::head::{Head, HeadError, HeadLimits, PartialHead, Range};
use crate::types::content::Content;
use crate::types::text::Text;

/// The size of a fresh buffer: a browser's head fits, and a busy worker holds one for each
/// connection that is in the middle of something.
const BUFFER_SIZE: usize = 8 * 1024;

/// Bytes received and not yet consumed, and the head of the request that is being served.
///
/// Both lie in one reference-counted buffer, so that a [`Text`] may outlive the request: a
/// buffer that is still shared when room is needed is left to its holders and replaced.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: Rc<[u8]>,
    /// The unread bytes are `buffer[start..end]`.
    start: usize,
    end: usize,
    partial: PartialHead,
    head: HeadPlace,
    head_length: usize,
    /// So many bytes behind the head are its body.
    body_length: usize,
}

/// Where the head of the current request lies.
#[derive(Debug)]
enum HeadPlace {
    /// No request is being served.
    None,
    /// At this offset of the buffer.
    InBuffer(usize),
    /// At this offset of an older buffer.
    Moved(Rc<[u8]>, usize),
}

impl Input {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Room for what is received next, at least one byte.
    #[inline]
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let has_room = match Rc::get_mut(&mut self.buffer) {
            // Nothing in it is of use any more.
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

    /// Makes [`space`](Self::space) have room for `size` bytes at least, if nothing is unread.
    #[cold]
    pub(crate) fn enlarge(&mut self, size: usize) {
        if self.is_empty() && self.buffer.len() < size {
            self.replace(Rc::from(vec![0; size]), 0);
        }
    }

    /// Counts `count` bytes as received into [`space`](Self::space).
    pub(crate) fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// Takes `bytes`, which were received elsewhere, as received here.
    pub(crate) fn put_back(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.received(now.len());
            bytes = later;
        }
    }

    /// Moves the unread bytes into a fresh buffer with room for as many again.
    #[cold]
    fn relocate(&mut self) {
        let unread = self.unread();
        let mut bytes = vec![0; BUFFER_SIZE.max(2 * unread.len())];
        bytes[..unread.len()].copy_from_slice(unread);
        let count = unread.len();
        self.replace(Rc::from(bytes), count);
    }

    /// Goes on with `buffer`, whose first `count` bytes are unread. The head stays where it is.
    fn replace(&mut self, buffer: Rc<[u8]>, count: usize) {
        let old = std::mem::replace(&mut self.buffer, buffer);
        if let HeadPlace::InBuffer(at) = self.head {
            self.head = HeadPlace::Moved(old, at);
        }
        self.start = 0;
        self.end = count;
    }

    /// Reads the next head, if it is complete, and calls `look` with it, its bytes and what follows
    /// them: it is the current one then.
    ///
    /// Checks go on where the last ones stopped: they cost the same however the bytes arrive.
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
    #[inline]
    pub(crate) fn end_request(&mut self) {
        if matches!(self.head, HeadPlace::Moved(..)) {
            self.forget_moved_head();
        }
        self.head = HeadPlace::None;
        self.head_length = 0;
        self.body_length = 0;
    }

    #[cold]
    fn forget_moved_head(&mut self) {
        self.head = HeadPlace::None;
    }

    /// Forgets all, for the next connection.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.end_request();
        self.partial = PartialHead::default();
        self.start = 0;
        self.end = 0;
        if self.buffer.len() > BUFFER_SIZE {
            self.release();
        }
    }

    #[cold]
    fn release(&mut self) {
        self.buffer = Rc::from([]);
    }

    /// The head of the current request.
    pub(crate) fn head(&self) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at..at + self.head_length).unwrap_or_default()
    }

    /// A part of the head of the current request.
    #[inline]
    pub(crate) fn part(&self, range: Range) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at + range.start as usize..at + range.end as usize).unwrap_or_default()
    }

    /// Counts `length` bytes as read, which stay where they are until the request ends: its body.
    /// `false`: they have not come, or not right behind the head, or are too many to be
    /// [shared](Content).
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

    /// The body that was [kept](Self::keep_body).
    #[inline]
    pub(crate) fn body(&self) -> Content {
        let (buffer, at) = self.head_place();
        let start = at + self.head_length;
        Content::shared(buffer, start, start + self.body_length)
    }

    /// The head of the current request, and its body if that was kept.
    fn request(&self) -> &[u8] {
        let (buffer, at) = self.head_place();
        buffer.get(at..at + self.head_length + self.body_length).unwrap_or_default()
    }

    /// A part of the head as text.
    pub(crate) fn text(&self, range: Range) -> Text {
        let (buffer, range) = self.share(range);
        Text::shared(buffer, range.start, range.end)
    }

    /// The buffer that a part of the head lies in, and where.
    #[inline]
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

    /// Keeps only a copy of the head, and of the body beside it, for a wait that may be long: the
    /// buffer is worth thousands of bytes, a head hundreds.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::settings::Settings;

    #[test]
    fn between_the_bytes_of_a_slow_body_only_the_head_is_kept() {
        let mut input = Input::new();
        let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
        input.put_back(bytes);
        assert_eq!(
            input.read_head(&mut Head::new(), &Settings::default().head, |_, _| {}),
            Ok(true)
        );
        for _ in 0..3 {
            input.put_back(b"a");
            input.shrink_to_head();
            assert_eq!(input.unread(), b"a", "what is unread stays");
            input.consume(1);
            input.shrink_to_head();
            assert!(input.buffer.is_empty());
            assert_eq!(input.head(), bytes);
        }
    }

    #[test]
    fn a_body_is_kept_beside_its_head_if_it_came_right_behind() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
        let mut input = Input::new();
        input.put_back(&[head.as_slice(), b"abcGET"].concat());
        assert_eq!(
            input.read_head(&mut Head::new(), &Settings::default().head, |_, _| {}),
            Ok(true)
        );
        assert!(!input.keep_body(7), "it has not come");
        assert!(input.keep_body(3));
        assert_eq!((&*input.body(), input.unread()), (&b"abc"[..], &b"GET"[..]));
        let many = vec![b'x'; 3 * BUFFER_SIZE];
        input.put_back(&many);
        assert_eq!(input.unread().len(), 3 + many.len(), "however many come behind it");
        assert_eq!((input.head(), &*input.body()), (&head[..], &b"abc"[..]));
        input.consume(3 + many.len());
        input.shrink_to_head();
        assert_eq!((input.head(), &*input.body()), (&head[..], &b"abc"[..]));
        assert!(!input.keep_body(0), "the head has been moved away");
        input.end_request();
        assert_eq!(input.body(), b"");
    }
}
