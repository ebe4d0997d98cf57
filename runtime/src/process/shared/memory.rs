//! Memory that processes share: the only `unsafe` code about it.

#![expect(unsafe_code, reason = "memory that the system maps has no owner a compiler could see")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
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

/// Creates a file in memory with `count` words, all 0, and maps it like [`shared_words`]. Programs
/// that are given the file can map it as well. The system gives memory to words that are written to,
/// and leaves all of them out of core files.
///
/// # Errors
///
/// If there is no room for so many, or the system has no such files.
#[cfg(target_os = "linux")]
pub(crate) fn create_shared_file(count: usize) -> io::Result<(OwnedFd, &'static [AtomicU64])> {
    use rustix::fs::{MemfdFlags, SealFlags};

    let size = count.checked_mul(size_of::<AtomicU64>()).ok_or(io::ErrorKind::OutOfMemory)?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("squall-topics", flags)?;
    rustix::fs::ftruncate(&file, size as u64)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    let words = map_shared_file(&file)?;
    Ok((file, words))
}

/// Maps a file that [`create_shared_file`] has made, here or in another program.
///
/// # Errors
///
/// If it is another file, or there is no room.
#[cfg(target_os = "linux")]
pub(crate) fn map_shared_file(file: &OwnedFd) -> io::Result<&'static [AtomicU64]> {
    use rustix::fs::SealFlags;
    use rustix::mm::{Advice, madvise, mmap};

    if !rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::SHRINK | SealFlags::GROW) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its size is not sealed"));
    }
    let size = usize::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    let size = size - size % size_of::<AtomicU64>();
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping, at a place of the system's choice, replaces none and overlaps none.
    let start = unsafe { mmap(ptr::null_mut(), size, protection, flags, file, 0) }?;
    // SAFETY: this range was mapped just now, and the advice only concerns core files.
    let _ = unsafe { madvise(start, size, Advice::LinuxDontDump) };
    let words = start.cast::<AtomicU64>().cast_const();
    // SAFETY: the mapping begins at a page, so it is aligned. It is `size` bytes long, which is a
    // number of whole words, not 0, and no longer than `isize::MAX`. No process can make the file
    // shorter, because its size is sealed, so every word stays accessible. Any bits are valid for
    // atomics. The mapping is never unmapped. All other users of the file use it as atomics too.
    Ok(unsafe { slice::from_raw_parts(words, size / size_of::<AtomicU64>()) })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn create_shared_file(_: usize) -> io::Result<(OwnedFd, &'static [AtomicU64])> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn map_shared_file(_: &OwnedFd) -> io::Result<&'static [AtomicU64]> {
    Err(io::ErrorKind::Unsupported.into())
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_the_same_memory_wherever_it_is_mapped() {
        let (file, words) = create_shared_file(1_000).unwrap();
        let other = map_shared_file(&file).unwrap();
        assert_eq!((words.len(), other.len()), (1_000, 1_000));
        words[999].store(7, Relaxed);
        assert_eq!(other[999].load(Relaxed), 7);
        assert!(rustix::fs::ftruncate(&file, 0).is_err(), "its words would be gone");
        let unsealed = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(map_shared_file(&unsealed.into()).is_err());
    }
}
