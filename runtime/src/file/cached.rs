//! Linux can be asked for what it has in memory.

use std::fs::File;
use std::io::IoSliceMut;

use rustix::io::{ReadWriteFlags, preadv2};

/// Reads `length` bytes, if all of them can be had without waiting for the disk. Not all file
/// systems can tell; what went wrong otherwise shows when the pool reads.
pub(super) fn read(file: &File, offset: u64, length: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; length];
    let slices = &mut [IoSliceMut::new(&mut buffer)];
    let count = preadv2(file, slices, offset, ReadWriteFlags::NOWAIT).ok()?;
    (count == length).then_some(buffer)
}
