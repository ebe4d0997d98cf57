//! A part of a buffer.

/// Where a part of a head lies in the head's bytes. Half the size of a slice, and it borrows
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Range {
    /// Where `part` lies in `whole`, of which it is a slice.
    ///
    /// A slice of something else gives a range that means nothing, and `of` may panic.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self::new(start, start.wrapping_add(part.len()))
    }

    /// The range itself, of the bytes that it was made from.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// The part of this range from `start` to `end`, counted from its own beginning.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        Self::new(self.start as usize + start, self.start as usize + end)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a head is shorter than 4 GiB, which its parser checks"
    )]
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }
}
