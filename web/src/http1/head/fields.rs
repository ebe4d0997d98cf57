//! The field lines of a head.

use http::Method;

use super::super::field::{trim_end, trim_start};
use super::super::host::authority_end;
use super::super::scan::{self, TOKEN, VALUE, chunk};
use super::meaning::{Meaning, Options};
use super::{Field, Head, HeadError, Range, Stop};

impl Head {
    /// Parses the fields that begin at `start`, and the blank line after them. Returns where
    /// that ends.
    ///
    /// # Errors
    ///
    /// When a line can no longer become a field: no name, a space before the colon or at the
    /// beginning (which once continued the line before), a control byte, another line end
    /// than CR LF. When there are more than `max_fields`, or one means what it must not.
    #[inline(always)]
    pub(super) fn parse_fields(
        &mut self,
        bytes: &[u8],
        start: u32,
        max_fields: usize,
        meaning: &mut Meaning,
    ) -> Result<u32, Stop> {
        let mut at = start;
        self.fields.clear();
        if let Some(field) = self.usual_host(bytes, at)
            && max_fields > 0
        {
            self.fields.push(field);
            meaning.has_host = true;
            self.authority.get_or_insert(field.value);
            at = field.value.end + 2;
            if chunk(bytes, at) == Some(b"\r\n") {
                return Ok(at + 2);
            }
        }
        let has_length = !matches!(self.method, Method::GET);
        loop {
            if chunk(bytes, at) == Some(b"\r\n") {
                return Ok(at + 2);
            }
            if has_length
                && let Some((field, length)) = usual_length(bytes, at)
                && self.fields.len() < max_fields
                && meaning.framing.only_length(length)
            {
                meaning.options.add(Options::FRAMING);
                self.fields.push(field);
                at = field.value.end + 2;
                continue;
            }
            let (field, next) = match usual_line(bytes, at) {
                Some(line) => line,
                None => any_line(bytes, at)?,
            };
            if self.fields.len() >= max_fields {
                return Err(HeadError::TooManyFields.into());
            }
            self.fields.push(field);
            if Meaning::may_depend_on(bytes, field.name) {
                meaning.take_in(bytes, field, &mut self.authority)?;
            }
            at = next;
        }
    }
}

impl Head {
    /// The line at `start`, if it is the `Host` that nearly every head begins with, of a host that
    /// needs no closer look.
    #[inline(always)]
    fn usual_host(&mut self, bytes: &[u8], start: u32) -> Option<Field> {
        if chunk(bytes, start)? != b"Host: " {
            return None;
        }
        let at = start + 6;
        let end = match self.known_host.length_at(bytes, at) {
            Some(length) => at + length,
            None => self.unknown_host(bytes, at)?,
        };
        let (name, value) = (Range { start, end: start + 4 }, Range { start: at, end });
        Some(Field { name, value })
    }

    /// Where the host ends that begins at `at`, which is another than that of the last request.
    #[inline(never)]
    fn unknown_host(&mut self, bytes: &[u8], at: u32) -> Option<u32> {
        let end = authority_end(bytes, at)?;
        if chunk(bytes, end)? != b"\r\n" {
            return None;
        }
        self.known_host.set(bytes.get(at as usize..end as usize + 2)?);
        Some(end)
    }
}

/// The line at `start`, if it is a `Content-Length` as nearly all are, and the number in it: read
/// while its end is searched.
#[inline(always)]
fn usual_length(bytes: &[u8], start: u32) -> Option<(Field, u64)> {
    /// So many digits always fit.
    const MOST: u32 = 19;
    let begin = chunk(bytes, start)?;
    if begin != b"Content-Length: " && begin != b"content-length: " {
        return None;
    }
    let (mut end, mut length) = (start + 16, 0);
    while let Some([digit @ b'0'..=b'9']) = chunk(bytes, end) {
        length = u64::wrapping_add(u64::wrapping_mul(length, 10), u64::from(digit - b'0'));
        end += 1;
    }
    let value = Range { start: start + 16, end };
    let is_usual = (1..=MOST).contains(&(end - value.start)) && chunk(bytes, end) == Some(b"\r\n");
    let name = Range { start, end: start + 14 };
    is_usual.then_some((Field { name, value }, length))
}

/// The field in the line at `start`, and where the next line begins, if it is written as nearly
/// all are: a name of letters and hyphens, a colon, one space, a value without tabs and without
/// space at its end. What it finds, [`any_line`] finds as well.
#[inline(always)]
fn usual_line(bytes: &[u8], start: u32) -> Option<(Field, u32)> {
    let colon = scan::letters_end(bytes, start);
    let [b':', b' ', first, _] = chunk(bytes, colon)? else { return None };
    let end = scan::text_end(bytes, colon + 2);
    let [last, b'\r', b'\n', _] = chunk(bytes, end - 1)? else { return None };
    if colon == start || *first <= b' ' || *last <= b' ' {
        return None;
    }
    let (name, value) = (Range { start, end: colon }, Range { start: colon + 2, end });
    Some((Field { name, value }, end + 2))
}

/// The field in the line at `start`, and where the next line begins.
#[inline(never)]
fn any_line(bytes: &[u8], start: u32) -> Result<(Field, u32), Stop> {
    let position = |slice: &[u8]| (bytes.len() - slice.len()) as u32;
    let line = bytes.get(start as usize..).unwrap_or_default();
    let after_name = scan::skip(line, TOKEN);
    let name = Range { start, end: position(after_name) };
    let value = match after_name {
        [b':', value @ ..] if name.len() > 0 => trim_start(value),
        _ => return Err(no_name(name, after_name)),
    };
    let line_end = scan::skip(value, VALUE);
    let next = match line_end {
        [b'\r', b'\n', next @ ..] => position(next),
        [] | [b'\r'] => return Err(Stop::Incomplete),
        [b'\r' | b'\n', ..] => return Err(HeadError::LineEnd.into()),
        _ => return Err(HeadError::FieldValue.into()),
    };
    let start = position(value);
    let value = trim_end(&value[..value.len() - line_end.len()]);
    let value = Range { start, end: start + value.len() as u32 };
    Ok((Field { name, value }, next))
}

/// What is wrong with a line that is not blank and has no colon after `name`, or nothing before
/// it.
#[cold]
fn no_name(name: Range, after_name: &[u8]) -> Stop {
    match after_name {
        [] => Stop::Incomplete,
        [b'\r'] if name.len() == 0 => Stop::Incomplete,
        [b'\r' | b'\n', ..] if name.len() == 0 => HeadError::LineEnd.into(),
        _ => HeadError::FieldName.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines that are written as usual, nearly so, or not at all.
    fn any_lines() -> impl Strategy<Value = String> {
        let name = prop_oneof![4 => "[A-Za-z-]{1,20}", 1 => "[!-~ ]{0,9}"];
        let space =
            prop_oneof![4 => Just(": "), 1 => Just(":"), 1 => Just(":  "), 1 => Just(":\t")];
        let value = prop_oneof![4 => "[!-~]{1,40}", 4 => "[ -~]{0,40}", 1 => "[\0-\u{ff}]{0,9}"];
        let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("")];
        (name, space, value, end, "(\r\n|[ -~]{0,9})")
            .prop_map(|(name, space, value, end, after)| name + space + &value + end + &after)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn a_usual_line_is_read_as_any(lines in any_lines()) {
            if let Some(usual) = usual_line(lines.as_bytes(), 0) {
                prop_assert_eq!(Ok(usual), any_line(lines.as_bytes(), 0));
            }
        }

        #[test]
        fn a_usual_length_is_read_as_any(digits in "[0-9a +-]?[0-9]{0,22}", end in "(\r\n){0,2}") {
            let line = format!("Content-Length: {digits}{end}");
            if let Some((field, length)) = usual_length(line.as_bytes(), 0) {
                prop_assert_eq!(Ok((field, field.value.end + 2)), any_line(line.as_bytes(), 0));
                prop_assert_eq!(digits.parse(), Ok(length));
            }
        }

        #[test]
        fn a_usual_host_is_read_as_any(host in "[a-z0-9.:%,\\[\\] -]{0,9}", end in "(\r\n){0,2}") {
            let line = format!("Host: {host}{end}");
            if let Some(field) = Head::new().usual_host(line.as_bytes(), 0) {
                let (any, next) = any_line(line.as_bytes(), 0).unwrap();
                prop_assert_eq!((field, field.value.end + 2), (any, next));
                prop_assert!(Meaning::default().take_in(line.as_bytes(), any, &mut None).is_ok());
            }
        }
    }
}
