//! Where a request head ends, however its bytes arrive.

use memchr::{memchr, memchr_iter};

use super::error::HeadError;
use super::field::{is_token_byte, is_value_byte};
use super::version;

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

    /// What is wrong with a head that is not complete in `bytes`, the most that it may have:
    /// its target, or the whole of it is too long.
    pub(crate) fn too_large(&self, bytes: &[u8]) -> HeadError {
        let start = skip_blank_lines(bytes).unwrap_or(0);
        if self.line as usize > start {
            return HeadError::TooLarge;
        }
        match memchr(b' ', &bytes[start..]) {
            Some(_) => HeadError::TargetTooLong,
            None => HeadError::RequestLine,
        }
    }

    fn search(&mut self, bytes: &[u8]) -> Result<Found, HeadError> {
        let length = u32::try_from(bytes.len()).map_err(|_| HeadError::TooLarge)?;
        let start = skip_blank_lines(bytes)?;
        let mut line = start.max(self.line as usize);
        let in_request_line = line == start;
        let from = start.max(self.searched as usize);
        let mut first_line = None;

        for newline in memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
            if newline == line + 1 && bytes[line] == b'\r' {
                *self = Self::default();
                return Ok(Found::Head { start, end: newline + 1 });
            }
            line = newline + 1;
            first_line.get_or_insert(start..line);
        }

        if in_request_line && let Some(first_line) = first_line {
            check_first_line(&bytes[first_line])?;
        }
        check_new_bytes(bytes, from)?;
        *self = Self { searched: length, line: u32::try_from(line).unwrap_or(length) };
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
        [byte, ..] if is_token_byte(byte) => Ok(start),
        _ => Err(HeadError::NotHttp),
    }
}

/// Checks the request line, once, when it has arrived and the rest of the head has not.
fn check_first_line(line: &[u8]) -> Result<(), HeadError> {
    if !line.ends_with(b"\r\n") {
        return Err(HeadError::LineEnd);
    }
    let mut request = httparse::Request::new(&mut []);
    match request.parse(line) {
        Ok(_) => Ok(()),
        Err(httparse::Error::Version) => version::minor_of_unknown(&request, line).map(|_| ()),
        Err(error) => Err(error.into()),
    }
}

/// Checks for bytes that no head can hold in what follows `from`.
fn check_new_bytes(bytes: &[u8], from: usize) -> Result<(), HeadError> {
    let possible = |byte: u8| is_value_byte(byte) || byte == b'\r' || byte == b'\n';
    if !bytes[from..].iter().fold(true, |all, &byte| all & possible(byte)) {
        return Err(HeadError::FieldValue);
    }
    // From one byte earlier: the CR may have been the last byte of the previous search.
    let from = from.saturating_sub(1);
    let alone = |at: usize| bytes.get(from + at + 1).is_some_and(|&next| next != b'\n');
    if memchr_iter(b'\r', &bytes[from..]).any(alone) {
        return Err(HeadError::LineEnd);
    }
    let bare = |at: usize| from + at == 0 || bytes[from + at - 1] != b'\r';
    if memchr_iter(b'\n', &bytes[from..]).any(bare) {
        return Err(HeadError::LineEnd);
    }
    Ok(())
}
