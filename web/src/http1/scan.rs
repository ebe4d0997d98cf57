//! Finding the byte that ends a run.
//!
//! Most of the work of parsing a head is passing over bytes that are as they should be, so
//! this is where the instructions go. What is short is looked up in a table byte by byte;
//! elsewhere eight bytes at a time are one number, and 16 in long values, which the compiler
//! makes vector instructions of.
//!
//! Positions have 32 bits, as those in a [`Range`](super::range::Range). So `at + 8` cannot
//! overflow, and of each look at the bytes only one comparison is left.

/// How many words of a value are looked at one by one. Most values are not longer.
const SHORT_VALUE: usize = 2;

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

/// What the query of a target may hold: all but spaces, control bytes and `#`.
pub(crate) const QUERY: Class = Class(16);

/// Decimal digits.
pub(crate) const DIGIT: Class = Class(32);

/// The classes that each byte belongs to.
static CLASSES: [u8; 256] = classes();

/// Whether `byte` belongs to `class`.
pub(crate) fn is(byte: u8, class: Class) -> bool {
    CLASSES[usize::from(byte)] & class.0 != 0
}

/// The `N` bytes at `at`, if there are as many.
#[inline(always)]
pub(crate) fn chunk<const N: usize>(bytes: &[u8], at: u32) -> Option<&[u8; N]> {
    let at = at as usize;
    bytes.get(at..at + N)?.try_into().ok()
}

/// What is left of `bytes` after the bytes of `class` that begin it.
#[inline]
pub(crate) fn skip(bytes: &[u8], class: Class) -> &[u8] {
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest
        && is(*byte, class)
    {
        rest = tail;
    }
    rest
}

/// Where the bytes of `class` end that begin at `at`.
#[inline(always)]
pub(crate) fn run_end(bytes: &[u8], mut at: u32, class: Class) -> u32 {
    while let Some(block) = chunk::<8>(bytes, at) {
        if let Some(stop) = block.iter().position(|&byte| !is(byte, class)) {
            return at + stop as u32;
        }
        at += 8;
    }
    while let Some([byte]) = chunk(bytes, at)
        && is(*byte, class)
    {
        at += 1;
    }
    at
}

/// Where the bytes of `PATH` end that begin at `at`.
#[inline(always)]
pub(crate) fn path_end(bytes: &[u8], at: u32) -> u32 {
    end_near(bytes, unchecked_path_end(bytes, at), PATH)
}

/// As `path_end`, but it may be a byte of `PATH` that looks like an end, or less than a word is
/// left.
#[inline(always)]
pub(crate) fn unchecked_path_end(bytes: &[u8], at: u32) -> u32 {
    // A bit tells `?` from DEL.
    let marks = |word| (below(word, b'#' + 1) | del(word | each(0x40))) & !word;
    first_mark(bytes, at, marks)
}

/// Where the bytes of `QUERY` end that begin at `at`.
#[inline(always)]
pub(crate) fn query_end(bytes: &[u8], at: u32) -> u32 {
    let marks = |word| (below(word, b'#' + 1) | del(word)) & !word;
    end_near(bytes, first_mark(bytes, at, marks), QUERY)
}

/// Where the run of `class` ends whose end is at `at`, if that is no byte which looks like one:
/// `!` and `"` do, and what follows some bytes from 0x80. Few targets hold any.
#[inline(always)]
fn end_near(bytes: &[u8], at: u32, class: Class) -> u32 {
    match chunk(bytes, at) {
        Some([byte]) if is(*byte, class) => rare_run_end(bytes, at, class),
        _ => at,
    }
}

#[inline(never)]
fn rare_run_end(bytes: &[u8], at: u32, class: Class) -> u32 {
    run_end(bytes, at, class)
}

/// Where the letters and hyphens end that begin at `at`, or less than a word is left.
#[inline(always)]
pub(crate) fn letters_end(bytes: &[u8], at: u32) -> u32 {
    first_mark(bytes, at, |word| {
        let capitals = word & each(0x5f);
        let from_a = capitals.wrapping_add(each(0x80 - b'A'));
        let after_z = capitals.wrapping_add(each(0x80 - b'Z' - 1));
        let no_hyphen = (word ^ each(b'-')).wrapping_add(each(0x7f));
        !(from_a ^ after_z) & no_hyphen | word
    })
}

/// Where from `at` on the first control byte is, tabs counted as such.
#[inline(always)]
pub(crate) fn text_end(bytes: &[u8], mut at: u32) -> u32 {
    for _ in 0..SHORT_VALUE {
        let Some(word) = chunk(bytes, at) else { return last_text_end(bytes, at) };
        let controls = control_bytes(*word);
        if controls != 0 {
            return at + controls.trailing_zeros() / 8;
        }
        at += 8;
    }
    long_text_end(bytes, at)
}

/// As `text_end`, for what is left of a long value.
#[inline(never)]
fn long_text_end(bytes: &[u8], mut at: u32) -> u32 {
    while let Some(block) = chunk::<16>(bytes, at) {
        if block.iter().fold(false, |any, byte| any | byte.is_ascii_control()) {
            let first = block.first_chunk().map_or(0, |word| control_bytes(*word));
            let second = block.last_chunk().map_or(0, |word| control_bytes(*word));
            return at
                + match first {
                    0 => 8 + second.trailing_zeros() / 8,
                    _ => first.trailing_zeros() / 8,
                };
        }
        at += 16;
    }
    last_text_end(bytes, at)
}

/// As `text_end`, for the last few bytes.
#[inline(always)]
fn last_text_end(bytes: &[u8], mut at: u32) -> u32 {
    while let Some([byte]) = chunk(bytes, at)
        && !byte.is_ascii_control()
    {
        at += 1;
    }
    at
}

/// Where from `at` on the first byte is whose highest bit is set in what `marks` makes of its
/// word, or less than a word is left.
#[inline(always)]
fn first_mark(bytes: &[u8], mut at: u32, marks: impl Fn(u64) -> u64) -> u32 {
    while let Some(word) = chunk(bytes, at) {
        let marked = marks(u64::from_le_bytes(*word)) & each(0x80);
        if marked != 0 {
            return at + marked.trailing_zeros() / 8;
        }
        at += 8;
    }
    at
}

/// The highest bit of each control byte, of which the lowest can be relied on; those above it
/// may be wrong.
#[inline(always)]
fn control_bytes(word: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(word);
    (below(word, b' ') | del(word & each(0x7f))) & !word & each(0x80)
}

/// Sets the highest bit of each byte below `limit`. Of bytes from 0x80 nothing is said.
#[inline(always)]
fn below(word: u64, limit: u8) -> u64 {
    // Such a byte borrows, which may spoil those above it, but none below.
    word.wrapping_sub(each(limit))
}

/// Sets the highest bit of each DEL. Of bytes from 0x80 nothing is said, and what follows a
/// 0xff may be taken for a DEL.
#[inline(always)]
fn del(word: u64) -> u64 {
    word.wrapping_add(each(1))
}

/// Eight times `byte`.
const fn each(byte: u8) -> u64 {
    u64::MAX / 0xff * byte as u64
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
        if !byte.is_ascii_control() && !contains(b" #", byte) {
            class |= QUERY.0;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT.0;
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
