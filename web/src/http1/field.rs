//! Field values: white space, lists, tokens, numbers.

use super::byte_class::is_field_byte;

/// Whether `reason` is a valid reason phrase of a status line.
pub(crate) fn is_reason_phrase(reason: &str) -> bool {
    reason.bytes().all(is_field_byte)
}

/// Returns `value` without surrounding spaces and tabs.
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    trim_end(trim_start(value))
}

/// Returns `value` without leading spaces and tabs. Unlike the standard library, keeps line ends.
#[inline]
pub(crate) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// Returns `value` without trailing spaces and tabs.
#[inline]
pub(crate) fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Returns the elements of a comma-separated list without surrounding spaces, including empty
/// elements.
///
/// The elements must not contain commas.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Whether a comma-separated list of tokens has `token`, in any case.
pub(crate) fn has_token(list: &[u8], token: &str) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Parses a decimal number. Returns `None` for no digits, other bytes, or more than 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
