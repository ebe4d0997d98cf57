//! What field names and values hold: letters in any case, space around, lists, tokens.

use super::scan::{self, VALUE};
use super::send_buffer::Room;

/// Whether `reason` may stand in a status line as its reason phrase.
pub(crate) fn is_reason_phrase(reason: &str) -> bool {
    reason.bytes().all(|byte| scan::is(byte, VALUE))
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
#[inline]
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() >= Room::DECIMAL {
        return long_decimal(digits);
    }
    // So few digits always fit.
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit <= 9 { Some(number * 10 + u64::from(digit)) } else { None }
    })
}

/// As `decimal`, of digits that may be too many.
#[cold]
fn long_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Whether `name` is `lower`, at least four letters and hyphens, in any case of letters. `name`
/// must be known to hold no control bytes.
///
/// Faster than `eq_ignore_ascii_case`: setting bit 5 makes capitals small, and makes nothing
/// else a letter or a hyphen, except a CR.
#[inline(always)]
pub(crate) fn is_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    const { assert!(N >= 4) };
    if name.len() != N {
        return false;
    }
    // The last word may overlap the one before it.
    match N {
        4..8 => is_part::<4>(name, lower, 0) && is_part::<4>(name, lower, N - 4),
        _ => {
            let mut words = (0..N / 8).map(|word| 8 * word);
            words.all(|at| is_part::<8>(name, lower, at)) && is_part::<8>(name, lower, N - 8)
        }
    }
}

/// As `is_name`, of the `W` bytes at `at`.
#[inline(always)]
fn is_part<const W: usize>(name: &[u8], lower: &[u8], at: usize) -> bool {
    let part = |of: &[u8]| of.get(at..)?.first_chunk::<W>().copied();
    part(name).map(|part| part.map(|byte| byte | 0x20)) == part(lower)
}
