//! Percent escapes in paths: decoding, and the normal spelling of a path.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// The characters that clients always escape in a path: the path percent-encode set of the URL
/// standard. Bytes outside ASCII are always escaped.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// All but the unreserved characters of RFC 3986. Text that is escaped with this set is one
/// segment, or a part of one.
pub(super) const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// [`RESERVED`] without `/`, for text of many segments.
pub(super) const RESERVED_BUT_SLASH: &AsciiSet = &RESERVED.remove(b'/');

/// The characters that must be escaped in a segment.
pub(super) const NOT_IN_SEGMENTS: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// [`NOT_IN_SEGMENTS`] without `/`.
pub(super) const NOT_IN_SEGMENTS_BUT_SLASH: &AsciiSet = &NOT_IN_SEGMENTS.remove(b'/');

/// A path argument whose decoded bytes are not UTF-8. This is a mistake of the client, and the
/// response is a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path argument is not UTF-8")
    }
}

impl std::error::Error for InvalidUtf8 {}

/// Decodes the percent escapes of a path argument.
///
/// A `+` is a plus, unlike in a query. A `%` that does not begin an escape is kept.
///
/// # Errors
///
/// Returns an error if the result is not UTF-8.
#[inline]
pub(crate) fn decode_argument(raw: &[u8]) -> Result<Cow<'_, str>, InvalidUtf8> {
    // Arguments are short, and most have no escapes.
    match raw.contains(&b'%') {
        true => percent_decode(raw).decode_utf8().map_err(|_| InvalidUtf8),
        false => str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| InvalidUtf8),
    }
}

/// Returns the [normal](normalise) spelling of literal text in a pattern. Escapes characters that a
/// path cannot hold. Returns `None` if a `%` does not begin an escape.
pub(super) fn normal_literal(text: &str) -> Option<String> {
    let encoded = utf8_percent_encode(text, NOT_IN_PATHS).to_string();
    match Spelling::of(encoded.as_bytes()) {
        Spelling::Normal => Some(encoded),
        Spelling::Malformed => None,
        Spelling::Other => String::from_utf8(rewrite(encoded.as_bytes()).bytes).ok(),
    }
}

/// The normal spelling of a path that was received in another spelling.
pub(super) struct Normalised {
    pub(super) bytes: Vec<u8>,
    /// For each of `bytes`, and for their end: its position in the path as received.
    origins: Vec<u32>,
}

impl Normalised {
    /// Translates a position in `bytes` into one in the path as received.
    pub(super) fn origin(&self, position: usize) -> usize {
        self.origins[position] as usize
    }
}

/// Returns the normal spelling of `path`, unless it is normally spelled.
///
/// RFC 3986 §6.2.2 calls two spellings equivalent: unreserved characters may be escaped (`%68` is
/// `h`), and the digits of an escape may be in either case. The normal spelling has no escapes of
/// the first kind, and upper-case digits. A path with a `%` that does not begin an escape is left
/// alone, because decoding the rest could turn that `%` into an escape.
pub(super) fn normalise(path: &[u8]) -> Option<Normalised> {
    // Most paths have no escapes.
    let first = memchr(b'%', path)?;
    matches!(Spelling::of(&path[first..]), Spelling::Other).then(|| rewrite(path))
}

/// Whether `position` is inside an escape, such as that of the `F` in `%2F`.
pub(super) fn is_in_escape(text: &[u8], position: usize) -> bool {
    let before = [1, 2].into_iter().filter_map(|back| text.get(position.checked_sub(back)?..));
    before.filter_map(Escape::at_start).next().is_some()
}

/// The spelling of the escapes of a path.
enum Spelling {
    Normal,
    Malformed,
    Other,
}

impl Spelling {
    fn of(path: &[u8]) -> Self {
        let mut spelling = Self::Normal;
        let mut rest = path;
        while let Some(at) = memchr(b'%', rest) {
            let Some(escape) = Escape::at_start(&rest[at..]) else {
                return Self::Malformed;
            };
            if escape.is_unreserved() || escape.digits != escape.normal_digits() {
                spelling = Self::Other;
            }
            rest = &rest[at + Escape::LENGTH..];
        }
        spelling
    }
}

/// Returns the normal spelling of `path`, which must be shorter than `u32::MAX`.
fn rewrite(path: &[u8]) -> Normalised {
    let mut bytes = Vec::with_capacity(path.len());
    let mut origins = Vec::with_capacity(path.len() + 1);
    let mut position = 0;
    while let Some(&byte) = path.get(position) {
        match Escape::at_start(&path[position..]) {
            Some(escape) if escape.is_unreserved() => {
                bytes.push(escape.value);
                origins.push(position as u32);
                position += Escape::LENGTH;
            }
            Some(escape) => {
                let [high, low] = escape.normal_digits();
                bytes.extend([b'%', high, low]);
                origins.extend([0, 1, 2].map(|offset| position as u32 + offset));
                position += Escape::LENGTH;
            }
            None => {
                bytes.push(byte);
                origins.push(position as u32);
                position += 1;
            }
        }
    }
    origins.push(position as u32);
    Normalised { bytes, origins }
}

/// `%` and two hexadecimal digits.
struct Escape {
    digits: [u8; 2],
    /// The byte that it encodes.
    value: u8,
}

impl Escape {
    const LENGTH: usize = 3;

    fn at_start(text: &[u8]) -> Option<Self> {
        let &[b'%', high, low, ..] = text else {
            return None;
        };
        let digit = |byte: u8| Some(char::from(byte).to_digit(16)? as u8);
        Some(Self { digits: [high, low], value: digit(high)? << 4 | digit(low)? })
    }

    fn is_unreserved(&self) -> bool {
        matches!(self.value, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
    }

    fn normal_digits(&self) -> [u8; 2] {
        self.digits.map(|digit| digit.to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests;
