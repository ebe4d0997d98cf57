//! The requests that have ended with their worker, in one word with which worker that was: a reader
//! never takes what one that has died was serving for what the one after it serves.

/// How many requests were lost before the process of this generation began to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lost {
    generation: u32,
    count: u32,
}

impl Lost {
    pub(super) fn from_word(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, count: word as u32 }
    }

    pub(super) fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.count)
    }

    /// So many more, before the process of this generation.
    pub(super) fn and(self, generation: u64, more: u64) -> Self {
        Self { generation: generation as u32, count: self.count.wrapping_add(more as u32) }
    }

    /// Whether the process of this generation has begun to write.
    pub(crate) fn is_of(self, generation: u64) -> bool {
        self.generation == generation as u32
    }

    pub(crate) fn count(self) -> u64 {
        self.count.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let lost = Lost::from_word(0).and(7, 3).and(u64::from(u32::MAX) + 9, 2);
        let read = Lost::from_word(lost.to_word());
        assert_eq!((read, read.count()), (lost, 5));
        assert!(read.is_of(u64::from(u32::MAX) + 9) && !read.is_of(7));
    }
}
