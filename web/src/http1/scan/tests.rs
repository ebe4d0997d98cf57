use proptest::prelude::*;

use super::*;

#[test]
fn each_byte_ends_a_run_at_each_place_or_belongs_to_it() {
    for byte in 0..=u8::MAX {
        for length in 0..70 {
            for after in [0, 1, 3, 8, 40] {
                let bytes = [&b"x".repeat(length), [byte].as_slice(), &b"y".repeat(after)].concat();
                let text = if byte.is_ascii_control() { length } else { bytes.len() };
                assert_eq!(bytes.len() - skip_text(&bytes).len(), text, "{byte} at {length}");
                for class in [TOKEN, VALUE, REG_NAME, PATH] {
                    let run = if is(byte, class) { bytes.len() } else { length };
                    assert_eq!(bytes.len() - skip(&bytes, class).len(), run, "{byte} at {length}");
                }
            }
        }
    }
}

#[test]
fn classes_are_what_the_grammar_says() {
    let members = |class| (0..=u8::MAX).filter(|&byte| is(byte, class)).collect::<Vec<_>>();
    let token = b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
    assert_eq!(members(TOKEN), token);
    let value: Vec<_> = [b'\t'].into_iter().chain(b' '..=b'~').chain(0x80..=0xff).collect();
    assert_eq!(members(VALUE), value);
    let reg_name = b"!$&'()*+-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    assert_eq!(members(REG_NAME), reg_name);
    let path: Vec<_> =
        (b'!'..=b'~').chain(0x80..=0xff).filter(|byte| !b"?#".contains(byte)).collect();
    assert_eq!(members(PATH), path);
}

proptest! {
    #[test]
    fn runs_of_text_end_at_the_first_control_byte(bytes in prop::collection::vec(prop_oneof![20 => b' '..=0x7e, 1 => any::<u8>()], 0..200)) {
        let end = bytes.iter().position(u8::is_ascii_control).unwrap_or(bytes.len());
        prop_assert_eq!(bytes.len() - skip_text(&bytes).len(), end);
    }
}
