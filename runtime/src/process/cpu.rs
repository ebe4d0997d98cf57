//! How many processors this process may use.

#[cfg(target_os = "linux")]
mod cgroup;

/// The number of workers that keeps every available processor busy: never less than 1.
///
/// What the process may run on counts, not what the machine has: on Linux the CPU affinity and
/// the CPU quota of its control group and those above it (cgroup v1 and v2), rounded up, so that
/// a container with 1.5 processors gets 2 workers.
///
/// # Examples
///
/// ```
/// assert!(squall_runtime::process::cpu_count() >= 1);
/// ```
#[must_use]
pub fn cpu_count() -> usize {
    let usable = usable();
    quota().map_or(usable, |quota| quota.min(usable)).max(1)
}

#[cfg(target_os = "linux")]
fn usable() -> usize {
    // Fails on a machine with more processors than the set has room for.
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => set.count() as usize,
        Err(_) => available_parallelism(),
    }
}

#[cfg(not(target_os = "linux"))]
fn usable() -> usize {
    available_parallelism()
}

fn available_parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

#[cfg(target_os = "linux")]
fn quota() -> Option<usize> {
    cgroup::quota()
}

#[cfg(not(target_os = "linux"))]
fn quota() -> Option<usize> {
    None
}
