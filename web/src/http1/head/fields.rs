//! The field lines of a head.

use super::super::field::{elements, is_name};
use super::super::host::is_authority;
use super::{Expect, Field, Head, HeadError, Meaning, Range};

impl Head {
    /// Takes in the fields of `head`, as they were parsed, and what they mean.
    ///
    /// # Errors
    ///
    /// When a line does not end in CR LF, or a field means what it must not.
    #[inline(never)]
    pub(super) fn take_in_fields(
        &mut self,
        head: &[u8],
        fields: &[httparse::Header<'_>],
    ) -> Result<(), HeadError> {
        self.fields.clear();
        self.meaning = Meaning::default();
        // Each line ends where the next name begins, and the last in the blank line.
        let ends_line = |end: usize| head[..end].ends_with(b"\r\n");
        if !head.ends_with(b"\r\n\r\n") {
            return Err(HeadError::LineEnd);
        }
        for field in fields {
            let (name, value) = (field.name.as_bytes(), field.value);
            let name_range = Range::within(head, name);
            if !ends_line(name_range.start as usize) {
                return Err(HeadError::LineEnd);
            }
            // An empty value is a slice of something else.
            let value_range = match value.is_empty() {
                true => Range { start: name_range.end + 1, end: name_range.end + 1 },
                false => Range::within(head, value),
            };
            self.fields.push(Field { name: name_range, value: value_range });
            if may_matter(name) {
                self.meaning.take_in(name, value, value_range)?;
            }
        }
        Ok(())
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
    | 1 << key(b"if-none-match")
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
            13 if is_name(name, b"if-none-match") => self.if_none_match = true,
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
