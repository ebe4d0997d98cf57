//! The automatic `Etag`, and `If-None-Match`.

use std::fmt;
use std::hash::Hasher;

use twox_hash::XxHash3_64;
use twox_hash::xxhash3_64::{RawHasher, SecretBuffer};

use super::field::trim;

/// A strong entity tag made from the bytes of a body.
///
/// The hash is fast and not cryptographic. An author who chooses two bodies can give both the same
/// tag, which harms only the caches of clients that request both. Two versions of a resource have
/// the same tag by chance with a probability of 2⁻⁶⁴.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ETag(u64);

impl ETag {
    /// Returns the tag of a body in one piece.
    #[inline]
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(body))
    }

    /// Returns the tag of a body in several pieces. It is the same as for the joined pieces.
    pub(crate) fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = RawHasher::new(SecretBuffer::default());
        for piece in pieces {
            hasher.write(piece);
        }
        Self(hasher.finish())
    }

    /// Returns the tag as it is sent: its digits in quotes.
    pub(crate) fn text(self) -> [u8; 18] {
        let mut text = [b'"'; 18];
        if let Some(digits) = text[1..].first_chunk_mut() {
            self.put_digits(digits);
        }
        text
    }

    pub(crate) fn put_digits(self, digits: &mut [u8; 16]) {
        for (place, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0.to_be_bytes()) {
            *place = HEX[usize::from(byte)];
        }
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ETag").field(&String::from_utf8_lossy(&self.text())).finish()
    }
}

/// The two hexadecimal digits of each byte.
static HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// Whether the `If-None-Match` `fields` of a request match a response with the tag `etag`,
/// including its quotes (RFC 9110 §13.1.2). The response to GET and HEAD is then a 304.
///
/// `*` matches any response, even one without a tag. The comparison is weak: it ignores `W/`. Text
/// that is not a tag is skipped up to the next comma. The time is linear in the length of the
/// fields.
pub(crate) fn if_none_match<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    etag: Option<&[u8]>,
) -> bool {
    let opaque = etag.map(|etag| etag.strip_prefix(b"W/").unwrap_or(etag));
    let matches = |field| trim(field) == b"*" || opaque.is_some_and(|tag| has_tag(field, tag));
    fields.into_iter().any(matches)
}

/// Whether the list of tags `field` has a tag with the opaque part `opaque`.
fn has_tag(field: &[u8], opaque: &[u8]) -> bool {
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
