//! The bytes of tokens, field values and host names.

static TOKEN: [bool; 256] = alphanumeric_or(b"!#$%&'*+-.^_`|~");

static REG_NAME: [bool; 256] = alphanumeric_or(b"-._~!$&'()*+;=");

/// Whether a token may have `byte`: a method, or a field name (RFC 9110 §5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Whether a field value may have `byte`: any byte except control bytes other than the tab. Bytes
/// from 0x80 on may be in any encoding.
pub(crate) fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// Whether a registered name may have `byte` unescaped (RFC 3986 §3.2.2). A comma is refused,
/// although the grammar allows it, because a list of hosts is not a host.
pub(crate) fn is_reg_name_byte(byte: u8) -> bool {
    REG_NAME[usize::from(byte)]
}

/// Returns for each byte whether it is an ASCII letter or digit, or one of `others`.
const fn alphanumeric_or(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_match_the_grammar() {
        let members = |is: fn(u8) -> bool| (0..=u8::MAX).filter(|&b| is(b)).collect::<Vec<_>>();
        let token =
            b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(members(is_token_byte), token);
        let field: Vec<_> = [b'\t'].into_iter().chain(b' '..=b'~').chain(0x80..=0xff).collect();
        assert_eq!(members(is_field_byte), field);
        let name = b"!$&'()*+-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        assert_eq!(members(is_reg_name_byte), name);
    }
}
