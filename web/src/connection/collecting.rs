//! A body that the connection reads to its end: whole, before the handler is called, or away,
//! after it.
//!
//! One that has come with its head stays where it is, and is lent to who asks for it. Of any
//! other a known length is received straight into the memory that it is given out in.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::RangeInclusive;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};

use super::Connection;
use super::buffers::Buffers;
use super::input::Input;
use super::request_body::{BodyFailure, DRAIN_LIMIT, RequestBody};
use crate::http1::body::BodyDecoder;
use crate::types::content::Content;

/// So much memory a body has until that much of it has come, whatever its length is said to be: a
/// client that announces much and sends little should cost little.
const LITTLE: usize = 4 * 1024;

/// So much it has then; later twice what has come.
const ROOM: usize = 64 * 1024;

/// All of a body, or what has come of it.
#[derive(Debug, Default)]
pub(super) enum Whole {
    #[default]
    None,
    /// It lies behind the head of its request.
    BesideHead,
    /// So much has come of a body of a known length.
    Begun {
        bytes: Vec<u8>,
        length: usize,
    },
    Collected(Bytes),
}

impl RequestBody {
    /// All of it, if it was collected or there is none.
    #[inline]
    pub(crate) fn whole(&self, input: &Input) -> Option<Content> {
        match &self.whole {
            Whole::BesideHead => Some(input.body()),
            _ if self.is_none() => Some(Content::default()),
            Whole::Collected(bytes) => Some(bytes.clone().into()),
            Whole::None | Whole::Begun { .. } => None,
        }
    }

    /// The memory of a body that is over, to be used again.
    #[inline]
    pub(super) fn take_collected(&mut self) -> Option<Bytes> {
        if self.is_untouched {
            return None;
        }
        match &mut self.whole {
            Whole::Collected(bytes) => Some(std::mem::take(bytes)),
            Whole::None | Whole::BesideHead | Whole::Begun { .. } => None,
        }
    }

    /// Leaves the body where it is, if all of it has come with the head.
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

    /// How much is to come, if that is known and is what will be given out.
    fn length_to_come(&self) -> Option<u64> {
        match self.decoder {
            BodyDecoder::Length(length) if self.inflating.is_none() && self.failure.is_none() => {
                Some(length)
            }
            _ => None,
        }
    }

    /// Counts what came of a body of a known length.
    fn count_received(&mut self, count: usize) {
        let count = count as u64;
        self.received += count;
        if let BodyDecoder::Length(left) = &mut self.decoder {
            *left -= count;
        }
    }
}

impl Buffers {
    /// Begins to collect a body of a known length, with what has come of it.
    fn begin_body(&mut self, length: u64, spare: &SpareMemory) -> Result<(), BodyFailure> {
        let is_small = self.body.check_size().is_ok();
        let Some(length) = usize::try_from(length).ok().filter(|_| is_small) else {
            self.body.fail(BodyFailure::TooLarge);
            return Err(BodyFailure::TooLarge);
        };
        let come = self.input.unread();
        let count = come.len().min(length);
        let mut bytes = spare.take(room(count, length));
        bytes.extend_from_slice(&come[..count]);
        self.input.consume(count);
        self.body.count_received(count);
        self.body.whole = Whole::Begun { bytes, length };
        Ok(())
    }

    /// Whether all of the body is there. If not, there is room for more.
    fn has_whole_body(&mut self, spare: &SpareMemory) -> bool {
        let Whole::Begun { bytes, length } = &mut self.body.whole else { return true };
        if bytes.len() < *length {
            if bytes.len() == bytes.capacity() {
                spare.enlarge(bytes, room(bytes.len(), *length));
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

/// How much memory a body of `length` bytes has of which so many have come.
fn room(come: usize, length: usize) -> usize {
    let room = if come < LITTLE { LITTLE } else { ROOM.max(2 * come) };
    // A read that finds the end and leaves room has found that there is no more, and saves another.
    room.min(length) + 1
}

impl Connection {
    /// Reads the whole body into the buffers.
    pub(crate) async fn collect_body(&self) -> Result<(), BodyFailure> {
        if self.with(|buffers| buffers.body.stays_beside_head(&mut buffers.input)) {
            return Ok(());
        }
        match self.with(|buffers| buffers.body.length_to_come()) {
            Some(length) => {
                self.with(|buffers| buffers.begin_body(length, &self.worker.spare))?;
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
        while !self.with(|buffers| buffers.has_whole_body(&self.worker.spare)) {
            let more = self.poll_more_body(task, |task| self.poll_fill_body(task));
            if more.is_pending() {
                return self.poll_output_meanwhile(task);
            }
            ready!(more)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Receives once, straight into the body.
    fn poll_fill_body(&self, task: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        self.with(|buffers| {
            let Whole::Begun { bytes, length } = &mut buffers.body.whole else {
                return Poll::Ready(Ok(0));
            };
            let left = *length - bytes.len();
            let count = ready!(self.stream.poll_recv_behind(task, bytes))?;
            self.worker.recorder.page.received(count);
            buffers.body.count_received(count.min(left));
            Poll::Ready(Ok(count))
        })
    }
}

impl Connection {
    /// Reads away what a handler left of a body, if it is not much.
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

    /// Sends while more of a body is waited for, which ends if nothing can be sent any more.
    fn poll_output_meanwhile(&self, task: &mut TaskContext<'_>) -> Poll<Result<(), BodyFailure>> {
        match self.poll_output(task) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(BodyFailure::Gone)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Memory of bodies that are over, for the next ones: what the system is given back and asked for
/// again, it clears each time, which costs more than all else that is done for a body.
#[derive(Debug, Default)]
pub(crate) struct SpareMemory(RefCell<Vec<Vec<u8>>>);

impl SpareMemory {
    /// How many are kept.
    const KEPT: usize = 8;
    /// What is smaller or larger is left to the allocator.
    const SIZES: RangeInclusive<usize> = 16 * 1024..=2 * ROOM;

    /// Empty memory with room for `room` bytes at least, and not many times as much.
    fn take(&self, room: usize) -> Vec<u8> {
        let mut kept = self.0.borrow_mut();
        let fits = |bytes: &Vec<u8>| bytes.capacity() >= room && bytes.capacity() / 4 <= room;
        match kept.iter().rposition(fits) {
            Some(place) => kept.swap_remove(place),
            None => Vec::with_capacity(room),
        }
    }

    /// Gives `bytes` room for `room` bytes.
    #[inline(never)]
    fn enlarge(&self, bytes: &mut Vec<u8>, room: usize) {
        if bytes.capacity() > *Self::SIZES.start() {
            return bytes.reserve_exact(room - bytes.len());
        }
        let mut larger = self.take(room);
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }

    /// Keeps the memory of `bytes` if nobody else holds them. What is not kept is dropped, which
    /// may run the code of its owner.
    pub(super) fn give(&self, mut bytes: Bytes) {
        if !bytes.is_unique() || !Self::SIZES.contains(&bytes.len()) {
            return;
        }
        // What is left behind is nothing: it need not be moved to the front.
        bytes.advance(bytes.len());
        let memory = Vec::from(bytes);
        let mut kept = self.0.borrow_mut();
        if kept.len() < Self::KEPT && Self::SIZES.contains(&memory.capacity()) {
            kept.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_memory(length: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(length + 1);
        bytes.resize(length, 1);
        Bytes::from(bytes)
    }

    #[test]
    fn memory_is_used_again_when_nobody_holds_it() {
        let spare = SpareMemory::default();
        let body = with_memory(ROOM);
        let (held, place) = (body.clone(), body.as_ptr());
        spare.give(body);
        let other = spare.take(ROOM);
        assert_ne!(other.as_ptr(), place, "somebody holds it");
        spare.give(held);
        let memory = spare.take(ROOM + 1);
        assert_eq!((memory.as_ptr(), memory.len()), (place, 0));
    }

    #[test]
    fn a_body_has_room_for_what_comes_and_not_for_what_is_said_to() {
        let length = 10 * ROOM;
        assert_eq!(room(0, length), LITTLE + 1);
        assert_eq!(room(0, 100), 101);
        assert_eq!(room(LITTLE + 1, length), ROOM + 1);
        assert_eq!(room(ROOM + 1, length), 2 * ROOM + 3);
        assert_eq!(room(length - 1, length), length + 1);
        let spare = SpareMemory::default();
        for come in [LITTLE + 1, ROOM + 1, 2 * ROOM + 3] {
            let mut bytes = vec![7; come];
            spare.enlarge(&mut bytes, room(come, length));
            assert!(bytes.capacity() > come && bytes == vec![7; come]);
        }
    }

    #[test]
    fn only_so_much_is_kept_of_what_is_often_needed() {
        let spare = SpareMemory::default();
        let sizes = [100, ROOM / 4, ROOM, 3 * ROOM];
        for _ in 0..SpareMemory::KEPT {
            sizes.iter().for_each(|size| spare.give(with_memory(*size)));
        }
        spare.give(Bytes::from_static(&[0; ROOM]));
        let kept = spare.0.borrow();
        assert_eq!(kept.len(), SpareMemory::KEPT);
        assert!(kept.iter().all(|bytes| SpareMemory::SIZES.contains(&bytes.capacity())));
    }

    #[test]
    fn a_small_body_does_not_take_much_memory() {
        let spare = SpareMemory::default();
        spare.give(with_memory(ROOM));
        assert_eq!(spare.take(1000).capacity(), 1000);
    }
}
