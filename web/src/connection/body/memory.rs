//! Reuses the memory of large bodies.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use bytes::{Buf, Bytes};

/// The memory of a body that is larger than a few kilobytes: at first this, later twice the
/// received bytes.
pub(super) const ROOM: usize = 64 * 1024;

/// Memory of earlier bodies, for the next ones.
///
/// The allocator would return it to the kernel, which clears it before it hands it out again. That
/// costs more than all other work for a body.
#[derive(Debug, Default)]
pub(crate) struct BodyMemory(RefCell<Vec<Vec<u8>>>);

impl BodyMemory {
    /// The most pieces of memory that are kept.
    const KEPT: usize = 8;
    /// The sizes that are kept. Other sizes are left to the allocator.
    const SIZES: RangeInclusive<usize> = 16 * 1024..=2 * ROOM;

    /// Returns empty memory for at least `room` bytes, and not for many times as many.
    pub(super) fn take(&self, room: usize) -> Vec<u8> {
        let mut kept = self.0.borrow_mut();
        let fits = |bytes: &Vec<u8>| bytes.capacity() >= room && bytes.capacity() / 4 <= room;
        match kept.iter().rposition(fits) {
            Some(place) => kept.swap_remove(place),
            None => Vec::with_capacity(room),
        }
    }

    /// Gives `bytes` room for `room` bytes.
    pub(super) fn enlarge(&self, bytes: &mut Vec<u8>, room: usize) {
        if bytes.capacity() > *Self::SIZES.start() {
            return bytes.reserve_exact(room - bytes.len());
        }
        let mut larger = self.take(room);
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }

    /// Keeps the memory of `bytes` if they have no other owner. Otherwise drops them, which may run
    /// code of their owner.
    pub(in crate::connection) fn give(&self, mut bytes: Bytes) {
        if !bytes.is_unique() || !Self::SIZES.contains(&bytes.len()) {
            return;
        }
        // Empty, the bytes need not be moved to the front of their memory.
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
    fn memory_is_reused_when_it_has_no_other_owner() {
        let memory = BodyMemory::default();
        let body = with_memory(ROOM);
        let (held, place) = (body.clone(), body.as_ptr());
        memory.give(body);
        let other = memory.take(ROOM);
        assert_ne!(other.as_ptr(), place, "it has another owner");
        memory.give(held);
        let reused = memory.take(ROOM + 1);
        assert_eq!((reused.as_ptr(), reused.len()), (place, 0));
    }

    #[test]
    fn few_pieces_of_common_sizes_are_kept() {
        let memory = BodyMemory::default();
        let sizes = [100, ROOM / 4, ROOM, 3 * ROOM];
        for _ in 0..BodyMemory::KEPT {
            sizes.iter().for_each(|size| memory.give(with_memory(*size)));
        }
        memory.give(Bytes::from_static(&[0; ROOM]));
        let kept = memory.0.borrow();
        assert_eq!(kept.len(), BodyMemory::KEPT);
        assert!(kept.iter().all(|bytes| BodyMemory::SIZES.contains(&bytes.capacity())));
    }

    #[test]
    fn a_small_body_does_not_take_much_memory() {
        let memory = BodyMemory::default();
        memory.give(with_memory(ROOM));
        assert_eq!(memory.take(1000).capacity(), 1000);
    }
}
