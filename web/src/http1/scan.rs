//! Finding the byte that ends a run.
//!
//! Most of the work of parsing a head is passing over bytes that are as they should be, so
//! this is where the instructions go. Names and targets are short: a look into a table for
//! each byte, eight without a check of bounds between them. Values are longer: eight bytes at
//! a time as one number, and after a few of these 32 at a time, which the compiler makes
//! vector instructions of.

/// Many values are shorter. For a longer one it pays to look at more bytes at a time.
const SHORT_VALUE: usize = 16;

/// Sets of bytes, each a bit of a [`CLASSES`] entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

/// What methods and field names are made of (RFC 9110 §5.6.2).
pub(crate) const TOKEN: Class = Class(1);

/// What a field value may hold: no control byte except the tab. Bytes from 0x80 up pass,
/// whatever they encode.
pub(crate) const VALUE: Class = Class(2);

/// What a registered name may hold unescaped (RFC 3986 §3.2.2), except the comma, which the
/// grammar has: a list of hosts is not a host.
pub(crate) const REG_NAME: Class = Class(4);

/// What the path of a target may hold: all but spaces, control bytes, `?` and `#`.
pub(crate) const PATH: Class = Class(8);

/// The classes that each byte belongs to.
static CLASSES: [u8; 256] = classes();

/// Whether `byte` belongs to `class`.
pub(crate) fn is(byte: u8, class: Class) -> bool {
    CLASSES[usize::from(byte)] & class.0 != 0
}

/// What is left of `bytes` after the bytes of `class` that begin it.
#[inline(always)]
pub(crate) fn skip(bytes: &[u8], class: Class) -> &[u8] {
    let mut rest = bytes;
    while let Some(block) = rest.first_chunk::<8>() {
        if let Some(stop) = block.iter().position(|&byte| !is(byte, class)) {
            return &rest[stop..];
        }
        rest = &rest[8..];
    }
    while let [byte, tail @ ..] = rest
        && is(*byte, class)
    {
        rest = tail;
    }
    rest
}

/// What is left of `bytes` from its first control byte on, tabs counted as such.
#[inline(always)]
pub(crate) fn skip_text(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    for _ in 0..SHORT_VALUE / 8 {
        let Some(word) = rest.first_chunk() else { return skip_text_end(rest) };
        let controls = control_bytes(u64::from_le_bytes(*word));
        if controls != 0 {
            return &rest[controls.trailing_zeros() as usize / 8..];
        }
        rest = &rest[8..];
    }
    skip_long_text(rest)
}

/// As `skip_text`, for what is left of a long value.
#[inline(never)]
fn skip_long_text(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(block) = rest.first_chunk::<32>() {
        if block.iter().fold(false, |any, byte| any | byte.is_ascii_control()) {
            break;
        }
        rest = &rest[32..];
    }
    while let Some(word) = rest.first_chunk() {
        let controls = control_bytes(u64::from_le_bytes(*word));
        if controls != 0 {
            return &rest[controls.trailing_zeros() as usize / 8..];
        }
        rest = &rest[8..];
    }
    skip_text_end(rest)
}

/// As `skip_text`, for the last few bytes.
#[inline(always)]
fn skip_text_end(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // Between 4 and 7 are left: the two halves overlap. Behind them are zeros, which count
        // as control bytes.
        let first = u64::from(u32::from_le_bytes(*first));
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
        let controls = control_bytes(first | last);
        return &bytes[controls.trailing_zeros() as usize / 8..];
    }
    while let [byte, tail @ ..] = rest
        && !byte.is_ascii_control()
    {
        rest = tail;
    }
    rest
}

/// The highest bit of each byte of `word` that is a control byte, of which the lowest can be
/// relied on; those above it may be wrong.
fn control_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    // The usual trick: subtracting 0x20 from a byte below it borrows, which sets its highest
    // bit, and may spoil the bytes above but none below. Likewise 1 from what is 0 only for
    // DEL.
    let low = word.wrapping_sub(0x20 * EACH) & !word;
    let del = word ^ (0x7f * EACH);
    (low | del.wrapping_sub(EACH) & !del) & (0x80 * EACH)
}

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut class = 0;
        if alphanumeric || contains(b"!#$%&'*+-.^_`|~", byte) {
            class |= TOKEN.0;
        }
        if byte == b'\t' || !byte.is_ascii_control() {
            class |= VALUE.0;
        }
        if alphanumeric || contains(b"-._~!$&'()*+;=", byte) {
            class |= REG_NAME.0;
        }
        if !byte.is_ascii_control() && !contains(b" ?#", byte) {
            class |= PATH.0;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn contains(set: &[u8], byte: u8) -> bool {
    let mut index = 0;
    while index < set.len() {
        if set[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}

#[cfg(test)]
mod tests;
