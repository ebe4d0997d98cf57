//! The log of the loop and the server.
//!
//! With a `tracing` subscriber, log lines are its events. Without one, warnings and errors go to
//! standard error, one line each, so that no failure is silent.
//!
//! Without a subscriber, logging never waits and never fails: a line is dropped if standard error
//! has no room. A subscriber must take care of this itself. Its writer runs on the thread of the
//! loop and in the supervisor, so it must not wait: use [`stderr`](stderr()).
//!
//! The standard library writes some messages itself, without regard to the room, right before it
//! aborts the process: after a stack overflow, after an allocation that failed, and after a panic
//! in a panic hook. If standard error is full, the thread waits there and the process does not end
//! yet. The supervisor kills a worker whose loop waits like this after the
//! [`stall_timeout`](crate::process::ForkOptions::stall_timeout). A process without a supervisor
//! waits until standard error is read.

use std::fmt;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level};

mod stderr;

pub use stderr::{Stderr, stderr};
pub(crate) use stderr::{has_room, write};

/// Reports of the runtime and the server.
pub const GENERAL: Target = Target::General;
/// Failures of the application's own code: panics and unhandled errors.
pub const APPLICATION: Target = Target::Application;
/// One line for each request served.
pub const ACCESS: Target = Target::Access;

/// The three logs of Tornado.
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
    /// Returns the name of the target for `tracing` filters, such as `squall::general`.
    ///
    /// # Examples
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

/// Logs a failure that needs attention.
///
/// # Examples
///
/// ```
/// use squall_runtime::log;
///
/// log::error(log::APPLICATION, format_args!("the index is missing, rebuilding it"));
/// ```
pub fn error(target: Target, message: fmt::Arguments<'_>) {
    match target {
        Target::General => tracing::error!(target: "squall::general", "{message}"),
        Target::Application => tracing::error!(target: "squall::application", "{message}"),
        Target::Access => tracing::error!(target: "squall::access", "{message}"),
    }
    write_without_subscriber(Level::ERROR, target, message);
}

/// Logs a problem that was dealt with.
///
/// # Examples
///
/// ```
/// use squall_runtime::log;
///
/// log::warn(log::GENERAL, format_args!("too many open files, accepting again in 100 ms"));
/// ```
pub fn warn(target: Target, message: fmt::Arguments<'_>) {
    match target {
        Target::General => tracing::warn!(target: "squall::general", "{message}"),
        Target::Application => tracing::warn!(target: "squall::application", "{message}"),
        Target::Access => tracing::warn!(target: "squall::access", "{message}"),
    }
    write_without_subscriber(Level::WARN, target, message);
}

/// Logs normal operation. Not shown without a subscriber.
///
/// # Examples
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

/// Returns whether a subscriber receives [`info`] lines of the access log. Ask before you format a
/// line for each request.
///
/// # Examples
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
        write(line(level, target, message).as_bytes());
    }
}

/// Longer lines are cut. Together with the note about dropped messages, a line still fits into one
/// write.
const LONGEST_LINE: usize = stderr::LONGEST_WRITE - 80;

/// Formats one line, whatever the message contains. It is written at once, so lines of several
/// workers do not mix.
fn line(level: Level, target: Target, message: fmt::Arguments<'_>) -> String {
    let message = message.to_string();
    let mut line = format!("{level:>5} {}: ", target.name());
    for character in message.trim_end().chars() {
        match character {
            character if character.is_control() => line.extend(character.escape_default()),
            character => line.push(character),
        }
    }
    line.truncate(line.floor_char_boundary(LONGEST_LINE - 1));
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

    #[test]
    fn a_line_that_is_cut_keeps_its_end() {
        let line = line(Level::WARN, ACCESS, format_args!("{}", "\u{e9}".repeat(4000)));
        assert!((LONGEST_LINE - 1..=LONGEST_LINE).contains(&line.len()), "{}", line.len());
        assert!(line.ends_with("\u{e9}\n"));
    }
}
