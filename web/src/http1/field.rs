//! What field names and values hold: letters in any case, space around, lists, tokens.

use super::byte_class::is_field_byte;

/// Whether `reason` may stand in a status line as its reason phrase.
pub(crate) fn is_reason_phrase(reason: &str) -> bool {
    reason.bytes().all(is_field_byte)
}

/// `value` without spaces and tabs at either end.
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    trim_end(trim_start(value))
}

/// `value` without spaces and tabs before it. Line ends stay, unlike with the standard
/// library's way.
#[inline]
pub(crate) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// `value` without spaces and tabs after it.
#[inline]
pub(crate) fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a comma-separated list, without the space around them. Empty elements are
/// among them.
///
/// Only for lists whose elements cannot hold a comma themselves.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Whether a comma-separated list of tokens holds `token`, in any case of letters.
pub(crate) fn has_token(list: &[u8], token: &str) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The number that `digits` are, or `None` for no digits, other bytes, or more than 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
