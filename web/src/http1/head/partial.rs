//! [`PartialHead`]: checks a head that arrives in pieces.

use super::super::byte_class::{is_field_byte, is_token_byte};
use super::HeadError;

/// How many blank lines before a request are skipped. Old clients send one after a body (RFC 9112
/// §2.2); no client has a reason to send more than a few.
const MAX_BLANK_LINES: usize = 4;

/// How far an incomplete head has been checked. Each byte is checked once, however the bytes
/// arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PartialHead {
    /// All bytes before this position have been checked.
    checked: u32,
    /// The beginning of the line that is still arriving.
    line: u32,
}

impl PartialHead {
    /// Whether no byte of the head has been checked yet.
    pub(crate) fn is_new(&self) -> bool {
        self.checked == 0
    }

    /// Checks the bytes that have arrived since the last call. Until the head is complete, `bytes`
    /// may only grow. Returns whether to parse `bytes`: the request line has just become complete,
    /// or the head has.
    ///
    /// # Errors
    ///
    /// Returns an error if no continuation can be accepted: for a line that does not end in CR LF,
    /// a control byte, too many blank lines at the beginning, or a first byte that cannot begin a
    /// method.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<bool, HeadError> {
        let start = skip_blank_lines(bytes)?;
        let mut line = start.max(self.line as usize);
        let mut at = start.max(self.checked as usize);
        let was_in_request_line = line == start;
        let mut is_complete = false;
        while !is_complete {
            match bytes[at..] {
                [] | [b'\r'] => break,
                [b'\r', b'\n', ..] => {
                    is_complete = at == line && line > start;
                    at += 2;
                    line = at;
                }
                [b'\r' | b'\n', ..] => return Err(HeadError::LineEnd),
                [byte, ..] if is_field_byte(byte) => at += 1,
                _ => return Err(HeadError::FieldValue),
            }
        }
        *self = Self { checked: at as u32, line: line as u32 };
        Ok(is_complete || was_in_request_line && line > start)
    }

    /// Returns the reason to refuse a head that is incomplete although `bytes` have reached the
    /// limit: its target or all of it is too long.
    pub(super) fn too_large(&self, bytes: &[u8]) -> HeadError {
        let start = skip_blank_lines(bytes).unwrap_or(0);
        if self.line as usize > start {
            return HeadError::TooLarge;
        }
        match bytes[start..].contains(&b' ') {
            true => HeadError::TargetTooLong,
            false => HeadError::RequestLine,
        }
    }

    /// Returns how many bytes have been checked.
    #[cfg(test)]
    pub(super) fn checked(&self) -> usize {
        self.checked as usize
    }
}

/// Returns the beginning of the request line, after blank lines. Too many blank lines are an error.
#[inline]
pub(super) fn skip_blank_lines(bytes: &[u8]) -> Result<usize, HeadError> {
    let mut rest = bytes;
    for _ in 0..=MAX_BLANK_LINES {
        match rest {
            [byte, ..] if is_token_byte(*byte) => return Ok(bytes.len() - rest.len()),
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => return Ok(bytes.len() - rest.len()),
            [b'\r' | b'\n', ..] => return Err(HeadError::LineEnd),
            _ => return Err(HeadError::NotHttp),
        }
    }
    Err(HeadError::BlankLines)
}
