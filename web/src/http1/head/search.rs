//! Where a request head ends, however its bytes arrive.

use super::super::scan::{self, TOKEN};
use super::{Head, HeadError, Stop};

/// Blank lines before a request that are skipped. Old clients send one after a body (RFC
/// 9112 §2.2); nobody has a reason to send more than a few.
const MAX_BLANK_LINES: usize = 4;

/// Finds where a head ends, resuming where the last search stopped, so that each byte is
/// looked at a bounded number of times however the bytes arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadSearch {
    /// Everything before has been searched.
    searched: u32,
    /// Where the line that is still arriving begins.
    line: u32,
}

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The head is `bytes[start..end]`, its blank line included. `start` is above 0 if blank
    /// lines before it are to be skipped.
    Head { start: usize, end: usize },
    /// More bytes are needed.
    Incomplete,
    /// Whatever follows, this can no longer become a head that is accepted.
    Malformed(HeadError),
}

impl HeadSearch {
    /// Searches `bytes` for the end of the head that begins them.
    ///
    /// From call to call `bytes` must be the same bytes with more after them. Once a head was
    /// found the search is as new, ready for the next request.
    ///
    /// What is found may still be malformed: parsing tells. What is not yet complete is
    /// checked as far as that is cheap, so that another protocol, or junk without a blank
    /// line, is refused at once rather than when its time is up.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Found {
        self.search(bytes).unwrap_or_else(Found::Malformed)
    }

    /// Whether nothing has been searched yet.
    pub(crate) fn is_new(&self) -> bool {
        self.searched == 0
    }

    /// How many bytes need not be looked at again.
    pub(crate) fn searched(&self) -> usize {
        self.searched as usize
    }

    /// What is wrong with a head that is not complete in `bytes`, the most that it may have:
    /// its target, or the whole of it is too long.
    pub(crate) fn too_large(&self, bytes: &[u8]) -> HeadError {
        let start = skip_blank_lines(bytes).unwrap_or(0);
        if self.line as usize > start {
            return HeadError::TooLarge;
        }
        match bytes[start..].contains(&b' ') {
            true => HeadError::TargetTooLong,
            false => HeadError::RequestLine,
        }
    }

    fn search(&mut self, bytes: &[u8]) -> Result<Found, HeadError> {
        // Positions have 32 bits.
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        let start = skip_blank_lines(bytes)?;
        let mut line = start.max(self.line as usize);
        let mut at = start.max(self.searched());
        let in_request_line = line == start;
        loop {
            at = scan::text_end(bytes, at as u32) as usize;
            match bytes[at..] {
                [b'\t', ..] => at += 1,
                [b'\r', b'\n', ..] if at == line && line > start => {
                    *self = Self::default();
                    return Ok(Found::Head { start, end: at + 2 });
                }
                [b'\r', b'\n', ..] => {
                    at += 2;
                    line = at;
                }
                [] | [b'\r'] => break,
                [b'\r' | b'\n', ..] => return Err(HeadError::LineEnd),
                _ => return Err(HeadError::FieldValue),
            }
        }
        if in_request_line && line > start {
            // Once for each head, and only if it does not arrive at once.
            check_request_line(&bytes[start..line])?;
        }
        *self = Self { searched: at as u32, line: line as u32 };
        Ok(Found::Incomplete)
    }
}

/// Where the request line begins: after blank lines, if there are not too many.
fn skip_blank_lines(bytes: &[u8]) -> Result<usize, HeadError> {
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
        if start > 2 * MAX_BLANK_LINES {
            return Err(HeadError::BlankLines);
        }
    }
    match bytes[start..] {
        [] | [b'\r'] => Ok(start),
        [b'\r' | b'\n', ..] => Err(HeadError::LineEnd),
        [byte, ..] if scan::is(byte, TOKEN) => Ok(start),
        _ => Err(HeadError::NotHttp),
    }
}

/// Checks the request line that begins `lines`, which has arrived to its end.
#[cold]
fn check_request_line(lines: &[u8]) -> Result<(), HeadError> {
    match Head::new().parse_request_line(lines) {
        Ok(_) => Ok(()),
        Err(Stop::Malformed(error)) => Err(error),
        Err(Stop::Incomplete) => Err(HeadError::RequestLine),
    }
}
