//! The automatic `Etag`, and `If-None-Match`.

use std::fmt;
use std::ops::Range;

use twox_hash::XxHash3_128;
use twox_hash::xxhash3_128::{RawHasher, SecretBuffer};

use super::field::trim;

/// The tag as a header: 128 bits in hexadecimal digits in quotes, behind the name.
const BLANK: [u8; 42] = *b"Etag: \"--------------------------------\"\r\n";

/// Where in the header the tag is, quotes included.
const TAG: Range<usize> = 6..40;

/// Where its digits are.
const DIGITS: Range<usize> = 7..39;

/// A strong entity tag made from the bytes of a body.
///
/// The hash is fast and not cryptographic: who can choose a body can make two with the same
/// tag, and harms only the caches of those who ask him for both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ETag([u8; BLANK.len()]);

impl ETag {
    /// The tag of a body in one piece.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self::from_hash(XxHash3_128::oneshot(body))
    }

    /// The tag of a body in several pieces: the same as that of the pieces joined.
    pub(crate) fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = RawHasher::new(SecretBuffer::default());
        for piece in pieces {
            hasher.write(piece);
        }
        Self::from_hash(hasher.finish_128())
    }

    /// The tag as it is sent, quotes included.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0[TAG]
    }

    /// The length of the header that says it.
    pub(crate) const LINE: usize = BLANK.len();

    /// The header that says it, line end included.
    #[inline]
    pub(crate) fn line(&self) -> &[u8; Self::LINE] {
        &self.0
    }

    #[inline]
    fn from_hash(hash: u128) -> Self {
        let mut line = BLANK;
        for (index, digits) in line[DIGITS].chunks_exact_mut(8).enumerate() {
            digits.copy_from_slice(&hex((hash >> (96 - 32 * index)) as u32));
        }
        Self(line)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ETag").field(&String::from_utf8_lossy(self.as_bytes())).finish()
    }
}

/// The eight digits of `number`, worked out all at once.
fn hex(number: u32) -> [u8; 8] {
    const EACH: u64 = u64::MAX / 0xff;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Adding 6 carries into the higher half of the byte from 10 on.
    let letters = (digits + 6 * EACH) >> 4 & EACH;
    let text = digits + u64::from(b'0') * EACH + letters * u64::from(b'a' - b'9' - 1);
    text.to_be_bytes()
}

/// Whether a request whose `If-None-Match` fields have the values `fields` already has what
/// `etag` names, quotes included (RFC 9110 §13.1.2): the answer to GET and HEAD is 304 then.
///
/// The comparison is weak: `W/` makes no difference. What is not a tag is passed over up to
/// the next comma. Takes time linear in the length of the fields.
pub(crate) fn if_none_match<'a>(fields: impl IntoIterator<Item = &'a [u8]>, etag: &[u8]) -> bool {
    let opaque = etag.strip_prefix(b"W/").unwrap_or(etag);
    fields.into_iter().any(|field| list_matches(field, opaque))
}

fn list_matches(field: &[u8], opaque: &[u8]) -> bool {
    if trim(field) == b"*" {
        return true;
    }
    let mut rest = field;
    loop {
        rest = trim(rest);
        let tag = rest.strip_prefix(b"W/").unwrap_or(rest);
        let end_of_tag = match tag {
            [b'"', inner @ ..] => inner.iter().position(|&byte| byte == b'"'),
            _ => None,
        };
        if let Some(end) = end_of_tag {
            let (tag, after) = tag.split_at(end + 2);
            if tag == opaque && matches!(trim(after), [] | [b',', ..]) {
                return true;
            }
            rest = after;
        }
        match rest.iter().position(|&byte| byte == b',') {
            Some(comma) => rest = &rest[comma + 1..],
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests;
