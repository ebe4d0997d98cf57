//! The other threads of this process.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread that was joined may still be seen, where the system does not say that it is
/// ending: the join returns a moment before the system has forgotten the thread.
const THREAD_END: Duration = Duration::from_millis(100);

/// The one of a thread's flags that says that it is ending, and runs no more code of the program
/// (`PF_EXITING`, linux/sched.h).
const EXITING: u32 = 4;

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
            if let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
                && let Some(name) = name_unless_ending(&stat)
            {
                names.push(format!("`{name}`"));
            }
        }
    }
    Ok(names)
}

/// Returns the name of a thread unless it is ending, from its line in `/proc`: its number, its name
/// in parentheses, its state, five numbers, its flags, and more (proc_pid_stat(5)).
fn name_unless_ending(stat: &str) -> Option<&str> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let flags = rest.split_ascii_whitespace().nth(6).and_then(|flags| flags.parse().ok());
    let is_ending = flags.is_some_and(|flags: u32| flags & EXITING != 0);
    (!is_ending).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::name_unless_ending;

    #[test]
    fn a_thread_that_is_ending_is_not_counted() {
        let rest = "1 17 17 34816 17 FLAGS 120 0 0 0 3";
        let stat = |state: &str, flags: u32| {
            format!("18 (a (b) c) {state} {}\n", rest.replace("FLAGS", &flags.to_string()))
        };
        assert_eq!(name_unless_ending(&stat("S", 0x0040_0040)), Some("a (b) c"));
        assert_eq!(name_unless_ending(&stat("R", 0x0040_0044)), None);
        assert_eq!(name_unless_ending("18 (cut short) S 1"), Some("cut short"));
    }

    #[test]
    fn a_thread_that_runs_has_a_name() {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        assert_eq!(name_unless_ending(&stat), Some(name.trim_end()));
    }
}
