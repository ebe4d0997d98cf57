//! Standard error, written without waiting for its reader.
//!
//! Standard error may be a full pipe, or a terminal that was stopped with `^S`. A plain write would
//! wait there, and with it the whole worker. Checking for room first is not enough: several
//! processes may find the same room, and all but one of them would wait. So each write tells the
//! kernel not to wait (`linux.rs`). `O_NONBLOCK` cannot be set on descriptor 2, because the flag
//! belongs to the open file, which the process shares with its shell and its children.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg_attr(not(target_os = "linux"), path = "stderr/portable.rs")]
mod linux;

/// The most that one write contains. A pipe takes this much completely or not at all.
pub(super) const LONGEST_WRITE: usize = 4096;

/// The number of messages that were dropped since the last one that was written.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The last write ended inside a line, because there was no room for the rest.
static CUT: AtomicBool = AtomicBool::new(false);

/// Returns a writer to standard error that never waits. Use it for a `tracing` subscriber:
/// `tracing_subscriber::fmt().with_writer(log::stderr)`.
///
/// If standard error has no room, a message is dropped. The next message begins with the number of
/// dropped ones. Each call of [`write`](io::Write::write) is one message, which should end with a
/// line break. Messages of up to 4096 bytes do not mix with messages of other processes.
///
/// [`std::io::stderr`], in contrast, waits for room. A program stops there if its standard error is
/// a pipe without a reader.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use squall_runtime::log;
///
/// log::stderr().write_all(b"the index is complete\n")?;
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn stderr() -> Stderr {
    Stderr(())
}

/// Writes to standard error without waiting: see [`stderr`].
#[derive(Debug)]
pub struct Stderr(());

impl io::Write for Stderr {
    /// Accepts the whole buffer, and never fails.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        write(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns whether standard error has room at the moment.
pub(crate) fn has_room() -> bool {
    linux::has_room()
}

/// Writes a message, or drops the part for which there is no room.
pub(crate) fn write(message: &[u8]) {
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    let mut bytes = Vec::with_capacity(message.len());
    if CUT.load(Ordering::Relaxed) {
        bytes.push(b'\n');
    }
    if dropped > 0 {
        let note = format!("({dropped} messages dropped: standard error was full) ");
        bytes.extend(note.as_bytes());
    }
    bytes.extend(message);
    let written = write_pieces(&bytes, linux::write);
    if written < bytes.len() {
        let before = if written == 0 { dropped } else { 0 };
        DROPPED.fetch_add(before + 1, Ordering::Relaxed);
    }
    if let Some(last) = bytes[..written].last() {
        CUT.store(written < bytes.len() && *last != b'\n', Ordering::Relaxed);
    }
}

/// Writes `bytes` in pieces that end with a line where possible. Returns the number of bytes
/// written.
fn write_pieces(bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        let piece = first_piece(&bytes[written..]);
        let count = write(piece).unwrap_or(0);
        written += count;
        if count < piece.len() {
            break;
        }
    }
    written
}

fn first_piece(bytes: &[u8]) -> &[u8] {
    if bytes.len() <= LONGEST_WRITE {
        return bytes;
    }
    let piece = &bytes[..LONGEST_WRITE];
    match piece.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => &piece[..=end],
        None => piece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_written_in_pieces_that_end_with_a_line() {
        let message = [vec![b'a'; 4000], b"\n".into(), vec![b'b'; 4000], b"\n".into()].concat();
        let mut pieces = Vec::new();
        let written = write_pieces(&message, |piece| {
            pieces.push(piece.len());
            Ok(piece.len())
        });
        assert_eq!((written, pieces), (8002, vec![4001, 4001]));
    }

    #[test]
    fn a_line_that_is_too_long_is_written_in_pieces() {
        let mut pieces = Vec::new();
        write_pieces(&[b'a'; 5000], |piece| {
            pieces.push(piece.len());
            Ok(piece.len())
        });
        assert_eq!(pieces, [4096, 904]);
    }

    #[test]
    fn after_a_piece_without_room_the_rest_is_dropped() {
        let mut calls = 0;
        let written = write_pieces(&[b'a'; 9000], |_| {
            calls += 1;
            if calls == 1 { Ok(100) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        assert_eq!((written, calls), (100, 1));
    }
}
