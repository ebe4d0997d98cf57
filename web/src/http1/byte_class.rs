//! Which bytes may be in a token, a field value, or the name of a host.

static TOKEN: [bool; 256] = alphanumeric_or(b"!#$%&'*+-.^_`|~");

static REG_NAME: [bool; 256] = alphanumeric_or(b"-._~!$&'()*+;=");

/// Whether `byte` may be part of a token: of a method, or of a field name (RFC 9110 §5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Whether `byte` may be part of a field value: every byte except control bytes other than the
/// tab. Bytes from 0x80 up may be in any encoding.
pub(crate) fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// Whether `byte` may be part of a registered name without being escaped (RFC 3986 §3.2.2). The
/// comma may not, although the grammar has it: a list of hosts is not a host.
pub(crate) fn is_reg_name_byte(byte: u8) -> bool {
    REG_NAME[usize::from(byte)]
}

/// For each byte, whether it is a letter or a digit of ASCII, or one of `others`.
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
    fn classes_are_those_of_the_grammar() {
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
