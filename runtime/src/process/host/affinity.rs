//! A processor for each worker.

use std::io;

/// Has this process run on one processor: the `number`th of those it may use, or, if there are
/// fewer, the one where counting again from the first ends.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn pin(number: usize) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let usable = sched_getaffinity(None)?;
    let processors: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|&processor| usable.is_set(processor)).collect();
    let Some(place) = number.checked_rem(processors.len()) else { return Ok(()) };
    let mut one = CpuSet::new();
    one.set(processors[place]);
    Ok(sched_setaffinity(None, &one)?)
}

/// This system has no such thing, or another one for each of its kind.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn pin(_number: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
