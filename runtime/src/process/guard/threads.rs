//! The other threads of this process.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread that was joined may still be seen: the join returns a moment before the
/// system has forgotten the thread.
const THREAD_END: Duration = Duration::from_millis(100);

/// Their names.
pub(super) fn others() -> io::Result<Vec<String>> {
    let until = Instant::now() + THREAD_END;
    loop {
        let names = look()?;
        if names.is_empty() || Instant::now() >= until {
            return Ok(names);
        }
        #[expect(clippy::disallowed_methods, reason = "no loop runs that this could block")]
        thread::sleep(Duration::from_millis(1));
    }
}

fn look() -> io::Result<Vec<String>> {
    let this = rustix::thread::gettid().to_string();
    let mut names = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        if entry.file_name() != *this {
            // It may have ended since.
            if let Ok(name) = fs::read_to_string(entry.path().join("comm")) {
                names.push(format!("`{}`", name.trim_end()));
            }
        }
    }
    Ok(names)
}
