//! The field lines of a head.

use super::super::field::{elements, is_name, trim_end, trim_start};
use super::super::host::is_authority;
use super::super::scan::{self, TOKEN};
use super::{Expect, Field, Head, HeadError, Meaning, Range, Stop};

impl Head {
    /// Parses the fields that begin `rest`, the end of `bytes`, and the blank line after them.
    /// Returns what follows it.
    ///
    /// # Errors
    ///
    /// When a line can no longer become a field: no name, a space before the colon or at the
    /// beginning (which once continued the line before), a control byte, another line end
    /// than CR LF. When there are more than `max_fields`, or one means what it must not.
    #[inline(never)]
    pub(super) fn parse_fields<'b>(
        &mut self,
        bytes: &'b [u8],
        mut rest: &'b [u8],
        max_fields: usize,
    ) -> Result<&'b [u8], Stop> {
        let position = |slice: &[u8]| bytes.len() - slice.len();
        self.fields.clear();
        self.meaning = Meaning::default();
        loop {
            let line = rest;
            let after_name = scan::skip(line, TOKEN);
            let name = &line[..line.len() - after_name.len()];
            let value = match after_name {
                [b':', b' ', value @ ..] | [b':', value @ ..] => trim_start(value),
                _ => return blank_line(name, after_name),
            };
            let line_end = skip_value(value)?;
            rest = &line_end[2..];

            if name.is_empty() {
                return Err(HeadError::FieldName.into());
            }
            if self.fields.len() == max_fields {
                return Err(HeadError::TooManyFields.into());
            }
            let value_start = position(value);
            let value = trim_end(&value[..value.len() - line_end.len()]);
            let field = Field {
                name: Range::new(position(line), position(after_name)),
                value: Range::new(value_start, value_start + value.len()),
            };
            self.fields.push(field);
            if may_matter(name) {
                self.meaning.take_in(name, value, field.value)?;
            }
        }
    }
}

/// Where the value that begins `bytes` ends: what is left from its line end on.
#[inline(always)]
fn skip_value(bytes: &[u8]) -> Result<&[u8], Stop> {
    let mut rest = scan::skip_text(bytes);
    loop {
        match rest {
            [b'\r', b'\n', ..] => return Ok(rest),
            [b'\t', tail @ ..] => rest = scan::skip_text(tail),
            [] | [b'\r'] => return Err(Stop::Incomplete),
            [b'\r' | b'\n', ..] => return Err(HeadError::LineEnd.into()),
            _ => return Err(HeadError::FieldValue.into()),
        }
    }
}

/// What follows the blank line, if that is what it is: a line whose `name` is not followed by
/// a colon.
#[inline(never)]
fn blank_line<'b>(name: &[u8], after_name: &'b [u8]) -> Result<&'b [u8], Stop> {
    match after_name {
        [b'\r', b'\n', rest @ ..] if name.is_empty() => Ok(rest),
        [b'\r'] if name.is_empty() => Err(Stop::Incomplete),
        [] => Err(Stop::Incomplete),
        [b'\r' | b'\n', ..] if name.is_empty() => Err(HeadError::LineEnd.into()),
        _ => Err(HeadError::FieldName.into()),
    }
}

/// A sum of few bits by which the names that matter can be told from nearly all others: the
/// length, and the first letter in either case.
const fn key(name: &[u8]) -> usize {
    name.len() + (name[0] & 0x1f) as usize
}

/// A bit for the key of each name that matters.
const MATTERING: u64 = 1 << key(b"host")
    | 1 << key(b"expect")
    | 1 << key(b"upgrade")
    | 1 << key(b"connection")
    | 1 << key(b"content-length")
    | 1 << key(b"transfer-encoding");

/// Whether the field called `name` may be one of those that matter. Of other names only a few
/// that nobody sends pass.
fn may_matter(name: &[u8]) -> bool {
    name.len() < 32 && MATTERING >> key(name) & 1 != 0
}

impl Meaning {
    /// Takes in one field, if it is one of those that matter.
    #[inline(never)]
    fn take_in(&mut self, name: &[u8], value: &[u8], range: Range) -> Result<(), HeadError> {
        match name.len() {
            4 if is_name(name, b"host") => self.host(value, range)?,
            6 if is_name(name, b"expect") => self.expect(value),
            7 if is_name(name, b"upgrade") => self.upgrade_field = true,
            10 if is_name(name, b"connection") => self.connection(value),
            14 if is_name(name, b"content-length") => self.framing.content_length(value)?,
            17 if is_name(name, b"transfer-encoding") => self.framing.transfer_encoding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, value: &[u8], range: Range) -> Result<(), HeadError> {
        if !value.is_empty() && !is_authority(value) {
            return Err(HeadError::Host);
        }
        match self.host.replace(range) {
            Some(_) => Err(HeadError::HostRepeated),
            None => Ok(()),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        if is_name(value, b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in elements(value) {
            match option.len() {
                5 => self.close |= option.eq_ignore_ascii_case(b"close"),
                7 => self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade"),
                10 => self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive"),
                _ => {}
            }
        }
    }

    fn expect(&mut self, value: &[u8]) {
        for expectation in elements(value).filter(|expectation| !expectation.is_empty()) {
            self.expect = match self.expect {
                Expect::Unknown => Expect::Unknown,
                _ if expectation.eq_ignore_ascii_case(b"100-continue") => Expect::Continue,
                _ => Expect::Unknown,
            };
        }
    }
}
