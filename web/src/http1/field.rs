//! The bytes that field names and values are made of, and lists of tokens.

const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const REG_NAME: u8 = 4;

/// The classes each byte belongs to.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut class = 0;
        if alphanumeric || contains(b"!#$%&'*+-.^_`|~", byte) {
            class |= TOKEN;
        }
        if byte == b'\t' || byte >= b' ' && byte != 0x7f {
            class |= VALUE;
        }
        if alphanumeric || contains(b"-._~!$&'()*+;=", byte) {
            class |= REG_NAME;
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

/// Whether `byte` may stand in a method or a field name (RFC 9110 §5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// Whether `byte` may stand in a field value: no control byte except the tab. Bytes from 0x80
/// up pass, whatever they encode.
pub(crate) fn is_value_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & VALUE != 0
}

/// Whether `byte` may stand in a registered name without being escaped (RFC 3986 §3.2.2).
///
/// The comma, which the grammar has, is left out: a list of hosts is not a host.
pub(crate) fn is_reg_name_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & REG_NAME != 0
}

/// Whether `reason` may stand in a status line as its reason phrase.
pub(crate) fn is_reason_phrase(reason: &str) -> bool {
    reason.bytes().all(is_value_byte)
}

/// `value` without spaces and tabs at either end.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
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

/// Whether `name`, which is known to be a token, is `lower`, in any case of letters.
///
/// Faster than `eq_ignore_ascii_case`: setting bit 5 makes capitals small, and no two bytes
/// of a token that are not the same letter become the same by it.
pub(crate) fn is_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    name.iter().zip(lower).fold(0, |differs, (a, b)| differs | (a | 0x20) ^ b) == 0
}
