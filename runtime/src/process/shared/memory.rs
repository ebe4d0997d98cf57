//! Memory that processes share: the only `unsafe` code about it.

#![expect(unsafe_code, reason = "memory that the system maps has no owner a compiler could see")]

use std::io;
use std::num::NonZeroUsize;
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Maps `count` words, all 0, that this process and those it forks have in common. They begin
/// at a page of the system and are never unmapped. The system gives memory to those that are
/// written to.
///
/// # Errors
///
/// If there is no room for so many.
pub(crate) fn shared_words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let Some(count) = NonZeroUsize::new(count) else { return Ok(&[]) };
    let size = count.get().checked_mul(size_of::<AtomicU64>()).ok_or(io::ErrorKind::OutOfMemory)?;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping, at a place of the system's choice, replaces none and overlaps none.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), size, protection, flags) }?;
    let words = start.cast::<AtomicU64>().cast_const();
    // SAFETY: the mapping begins at a page, so it is aligned. It is `size` bytes long, which is
    // `count` words, and no longer than the kernel can map, so no longer than `isize::MAX`. Zeros
    // are valid for atomics. The mapping is never unmapped. All other users of it, in this process
    // or another, use it as atomics too.
    Ok(unsafe { slice::from_raw_parts(words, count.get()) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn as_many_words_as_asked_for_that_begin_with_0() {
        let words = shared_words(10_000).unwrap();
        assert_eq!(words.len(), 10_000);
        assert!(words.iter().all(|word| word.load(Relaxed) == 0));
        words[9_999].store(u64::MAX, Relaxed);
        assert_eq!(words[9_999].load(Relaxed), u64::MAX);
        assert!(shared_words(0).unwrap().is_empty());
    }

    #[test]
    fn sizes_without_room_are_refused() {
        assert!(shared_words(usize::MAX / 16).is_err());
        assert!(shared_words(usize::MAX).is_err());
    }
}
