//! A system that does not tell what it has in memory.

use std::fs::File;

pub(super) fn read(_: &File, _offset: u64, _length: usize) -> Option<Vec<u8>> {
    None
}
