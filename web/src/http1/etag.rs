//! The automatic `Etag`, and `If-None-Match`.

use std::fmt;

use twox_hash::XxHash3_128;
use twox_hash::xxhash3_128::{RawHasher, SecretBuffer};

use super::field::trim;

/// The length of a tag: 128 bits in hexadecimal digits, and the quotes.
const LENGTH: usize = 34;

/// A strong entity tag made from the bytes of a body.
///
/// The hash is fast and not cryptographic: who can choose a body can make two with the same
/// tag, and harms only the caches of those who ask him for both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ETag([u8; LENGTH]);

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
    pub(crate) fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    fn from_hash(hash: u128) -> Self {
        let mut text = [b'"'; LENGTH];
        for (digits, byte) in text[1..LENGTH - 1].chunks_exact_mut(2).zip(hash.to_be_bytes()) {
            digits[0] = hex_digit(byte >> 4);
            digits[1] = hex_digit(byte & 0xf);
        }
        Self(text)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ETag").field(&String::from_utf8_lossy(&self.0)).finish()
    }
}

fn hex_digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
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
