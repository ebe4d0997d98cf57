//! The number by which the kernel names a source in its events.

use super::source::SLOT_BITS;

/// Names a source: its generation, its index, and whether it is level-triggered.
///
/// The last two values never name a source. They are for the bell and for `polling` itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) usize);

const INDEX_BITS: u32 = usize::BITS / 2;
/// The bits of a key that hold the index. Also the first generation that is out of range.
pub(super) const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// Set in the index of level-triggered sources. Looking up such a key as if it were edge-triggered
/// finds nothing, so the fast path need not check the trigger mode.
pub(super) const LEVEL: u32 = 1 << (INDEX_BITS - 1);

/// Where an edge-triggered source is: its chunk, and its slot in the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: usize,
    pub(super) slot: u8,
}

impl Key {
    /// The key of the bell, to which other threads write when the loop sleeps. No source has it.
    pub(super) const BELL: Self = Self(usize::MAX - 1);

    pub(super) fn new(generation: u32, index: u32) -> Self {
        Self((generation as usize) << INDEX_BITS | index as usize)
    }

    pub(super) fn index(self) -> u32 {
        (self.0 & INDEX_MASK) as u32
    }

    pub(super) fn is_level(self) -> bool {
        self.index() & LEVEL != 0
    }

    /// Returns the key that the source would have if it were edge-triggered.
    pub(super) fn as_edge(self) -> Self {
        Self(self.0 & !(LEVEL as usize))
    }

    #[inline]
    pub(super) fn place(self) -> Place {
        let index = self.index();
        let slot = index as u8 & ((1 << SLOT_BITS) - 1);
        Place { chunk: (index >> SLOT_BITS) as usize, slot }
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> INDEX_BITS) as u32
    }
}
