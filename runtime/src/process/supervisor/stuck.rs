//! Where a process hangs, as far as another process can see.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::ptr;

use nix::unistd::Pid;

use crate::process::shared::scoreboard::SlotPage;

/// The path of a source file is not longer.
const LONGEST_PATH: usize = 1024;

/// The memory of this process, as a file. The memory of its workers was copied from it by the fork.
#[derive(Debug)]
pub(crate) struct OwnMemory(Option<File>);

impl OwnMemory {
    /// To be called before rights are given up: a process that has changed its user may not open
    /// its own memory any more.
    pub(crate) fn open() -> Self {
        Self(File::open("/proc/self/mem").ok())
    }

    /// Which line spawned the task that runs.
    pub(crate) fn task(&self, page: &SlotPage) -> Option<String> {
        let (_, task) = page.stamps();
        let address = task.load(std::sync::atomic::Ordering::Relaxed);
        // The worker was forked from this process, so a constant of the program has the same
        // address in both. The address in the page may still be wrong, so the memory is read as a
        // file, where a wrong address is an error.
        let memory = self.0.as_ref()?;
        let layout = Layout::of(Location::caller(), memory)?;
        (address != 0).then(|| layout.read(address, memory))?
    }
}

/// Describes the request, the running task, and the state of the thread.
pub(crate) fn report(page: &SlotPage, serving: Option<&str>, memory: &OwnMemory) -> String {
    let mut text = match serving {
        Some(serving) => format!("it serves {serving}"),
        None => "it serves no request".to_owned(),
    };
    if let Some(task) = memory.task(page) {
        let _ = write!(text, ", in the task spawned at {task}");
    }
    if let Some(place) = page.pid().and_then(place_in_system) {
        let _ = write!(text, " ({place})");
    }
    text
}

/// The offsets of the parts of a `Location`. The language does not specify them; they are found by
/// searching a known location.
struct Layout {
    file: usize,
    length: usize,
    line: usize,
}

impl Layout {
    fn of(known: &'static Location<'static>, memory: &File) -> Option<Self> {
        let bytes = location_at(ptr::from_ref(known).addr() as u64, memory)?;
        let word = |value: usize| find(&bytes, &value.to_ne_bytes());
        let file = known.file();
        Some(Self {
            file: word(file.as_ptr().addr())?,
            length: word(file.len()).or_else(|| word(file.len() + 1))?,
            line: find(&bytes, &known.line().to_ne_bytes())?,
        })
    }

    fn read(&self, address: u64, memory: &File) -> Option<String> {
        let bytes = location_at(address, memory)?;
        let word = |at: usize| Some(usize::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let line = u32::from_ne_bytes(bytes.get(self.line..self.line + 4)?.try_into().ok()?);
        let mut file = vec![0; word(self.length)?.min(LONGEST_PATH)];
        memory.read_exact_at(&mut file, word(self.file)? as u64).ok()?;
        let file = String::from_utf8(file).ok()?;
        // The length may count a closing NUL.
        Some(format!("{}:{line}", file.trim_end_matches('\0')))
    }
}

fn location_at(address: u64, memory: &File) -> Option<[u8; size_of::<Location<'_>>()]> {
    let mut bytes = [0; size_of::<Location<'_>>()];
    memory.read_exact_at(&mut bytes, address).ok()?;
    Some(bytes)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    (0..bytes.len()).step_by(part.len()).find(|&at| bytes[at..].starts_with(part))
}

/// In which state the main thread is, what it waits for in the kernel, and in which system call.
fn place_in_system(pid: u32) -> Option<String> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let state = match state(pid)? {
        'R' => "running",
        'S' => "sleeping",
        'D' => "waiting for a device",
        'T' | 't' => "suspended",
        other => return Some(format!("in state {other}")),
    };
    let mut text = state.to_owned();
    if let Some(channel) = read("wchan").filter(|channel| !matches!(channel.trim(), "" | "0")) {
        let _ = write!(text, " in {}", channel.trim());
    }
    if let Some(call) = read("syscall").filter(|call| !call.starts_with("running")) {
        let number = call.split(' ').next().unwrap_or_default().trim();
        let _ = write!(text, ", system call {number}");
    }
    Some(text)
}

/// The letter of proc_pid_stat(5).
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether the process was suspended by a signal or a debugger. `false` where the system does not
/// say.
pub(crate) fn is_stopped(pid: Pid) -> bool {
    matches!(state(pid.as_raw().unsigned_abs()), Some('T' | 't'))
}

/// How many bytes of memory a process has that are not swapped out. `None` where the system does
/// not say.
pub(crate) fn memory(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::process::shared::scoreboard::Scoreboard;

    #[test]
    fn a_task_is_named_by_its_line() {
        let [page, _] = Scoreboard::new(1, 0).unwrap().pages_of(0);
        let (_, word) = page.stamps();
        let memory = OwnMemory::open();
        assert_eq!(memory.task(&page), None);
        let here: &'static Location<'static> = Location::caller();
        word.store(ptr::from_ref(here).addr() as u64, Relaxed);
        assert_eq!(memory.task(&page), Some(format!("{}:{}", here.file(), here.line())));
    }

    #[test]
    fn an_address_that_is_none_names_no_task() {
        let [page, _] = Scoreboard::new(1, 0).unwrap().pages_of(0);
        for address in [1, 8, u64::MAX, 1 << 40] {
            page.stamps().1.store(address, Relaxed);
            assert_eq!(OwnMemory::open().task(&page), None);
        }
    }

    #[test]
    fn the_memory_of_a_process_can_be_read() {
        let own = memory(Pid::this()).unwrap();
        assert!((100_000..1 << 40).contains(&own), "{own}");
    }

    #[test]
    fn a_thread_is_found_in_the_system() {
        let place = place_in_system(std::process::id()).unwrap();
        assert!(place.starts_with("running") || place.starts_with("sleeping"), "{place}");
    }
}
