//! What the loop and the server have to say, to whoever listens.
//!
//! With a `tracing` subscriber, lines are events of it. Without one, warnings and errors go to
//! standard error, one line each, so that a newcomer's failing handler is never silent. Either way a line that cannot be written is dropped: logging never fails.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level};

/// What the runtime and the server themselves report.
pub const GENERAL: Target = Target::General;
/// What goes wrong in the application's own code: panics, errors that nobody handled.
pub const APPLICATION: Target = Target::Application;
/// One line for each request served.
pub const ACCESS: Target = Target::Access;

/// The three logs, as Tornado has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// See [`GENERAL`].
    General,
    /// See [`APPLICATION`].
    Application,
    /// See [`ACCESS`].
    Access,
}

impl Target {
    /// The target's name as `tracing` filters see it: `squall::general` and so on.
    ///
    /// ```
    /// assert_eq!(squall_runtime::log::ACCESS.name(), "squall::access");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::General => "squall::general",
            Self::Application => "squall::application",
            Self::Access => "squall::access",
        }
    }
}

/// Logs something that went wrong and needs somebody's attention.
///
/// ```
/// use squall_runtime::log;
///
/// log::error(log::APPLICATION, format_args!("the index is gone, rebuilding it"));
/// ```
pub fn error(target: Target, message: fmt::Arguments<'_>) {
    match target {
        Target::General => tracing::error!(target: "squall::general", "{message}"),
        Target::Application => tracing::error!(target: "squall::application", "{message}"),
        Target::Access => tracing::error!(target: "squall::access", "{message}"),
    }
    write_without_subscriber(Level::ERROR, target, message);
}

/// Logs something that is wrong but was dealt with.
///
/// ```
/// use squall_runtime::log;
///
/// log::warn(log::GENERAL, format_args!("out of descriptors, accepting again in 100 ms"));
/// ```
pub fn warn(target: Target, message: fmt::Arguments<'_>) {
    match target {
        Target::General => tracing::warn!(target: "squall::general", "{message}"),
        Target::Application => tracing::warn!(target: "squall::application", "{message}"),
        Target::Access => tracing::warn!(target: "squall::access", "{message}"),
    }
    write_without_subscriber(Level::WARN, target, message);
}

/// Logs something that is as it should be. Without a subscriber it is not shown.
///
/// ```
/// use squall_runtime::log;
///
/// log::info(log::ACCESS, format_args!("200 GET / (127.0.0.1) 0.31ms"));
/// ```
pub fn info(target: Target, message: fmt::Arguments<'_>) {
    match target {
        Target::General => tracing::info!(target: "squall::general", "{message}"),
        Target::Application => tracing::info!(target: "squall::application", "{message}"),
        Target::Access => tracing::info!(target: "squall::access", "{message}"),
    }
}

/// Says whether [`info`] reaches a subscriber with a line of the access log, which is worth
/// asking before one is made up for each request.
///
/// ```
/// use squall_runtime::log;
///
/// assert!(!log::is_access_enabled(), "there is no subscriber here");
/// ```
pub fn is_access_enabled() -> bool {
    tracing::enabled!(target: "squall::access", Level::INFO)
}

fn write_without_subscriber(level: Level, target: Target, message: fmt::Arguments<'_>) {
    if tracing::dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        write_to_stderr(&line(level, target, message));
    }
}

/// A line longer than this is cut: what a pipe takes that has any room at all.
const LONGEST_LINE: usize = 4096;

/// Lines that found no room since the last one that did.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Standard error may be closed, or a pipe that nobody reads: no reason to stop serving. What
/// finds no room is counted.
fn write_to_stderr(line: &str) {
    let mut stderr = io::stderr();
    if !has_room(&stderr) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    match DROPPED.swap(0, Ordering::Relaxed) {
        0 => drop(stderr.write_all(line.as_bytes())),
        dropped => {
            let line = format!("({dropped} lines found no room) {line}");
            drop(stderr.write_all(&line.as_bytes()[..line.len().min(LONGEST_LINE)]));
        }
    }
}

fn has_room(stderr: &io::Stderr) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::new(stderr, PollFlags::OUT)], Some(&at_once));
    ready.is_ok_and(|count| count > 0)
}

/// One line, whatever the message holds, and one `write`, so that the lines of several workers
/// do not mix.
fn line(level: Level, target: Target, message: fmt::Arguments<'_>) -> String {
    let message = message.to_string();
    let mut line = format!("{level:>5} {}: ", target.name());
    for character in message.trim_end().chars() {
        match character {
            character if character.is_control() => line.extend(character.escape_default()),
            character => line.push(character),
        }
    }
    let mut end = line.len().min(LONGEST_LINE - 1);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_is_written_as_one() {
        let line = line(Level::ERROR, GENERAL, format_args!("panicked:\nleft: 1\x1b[2J\n"));
        assert_eq!(line, "ERROR squall::general: panicked:\\nleft: 1\\u{1b}[2J\n");
    }
}
