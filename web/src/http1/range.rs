//! [`Range`]: a part of a head, in 8 bytes.

/// The range of a part of a head in its bytes. Half the size of a slice, and without a borrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Range {
    /// Creates a range from `start` to `end`, both below 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && u32::try_from(end).is_ok());
        Self { start: start as u32, end: end as u32 }
    }

    /// Returns the range of `part`, a slice of `whole`, in it.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Self::new(start, start + part.len())
    }

    /// Returns the bytes in this range. `bytes` must be those that the range was created for.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// Returns the part of this range from `start` to `end`, counted from its own beginning.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        Self::new(self.start as usize + start, self.start as usize + end)
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}
