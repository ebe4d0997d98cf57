use proptest::prelude::*;

use super::*;

#[test]
fn each_byte_ends_a_run_at_each_place_or_belongs_to_it() {
    for byte in 0..=u8::MAX {
        for length in 0..40 {
            for after in [0, 1, 3, 8, 40] {
                let bytes = [&b"x".repeat(length), [byte].as_slice(), &b"y".repeat(after)].concat();
                let end = |belongs| if belongs { bytes.len() } else { length } as u32;
                assert_eq!(
                    text_end(&bytes, 0),
                    end(!byte.is_ascii_control()),
                    "{byte} at {length}"
                );
                for class in [TOKEN, VALUE, REG_NAME, PATH, QUERY] {
                    let end = end(is(byte, class));
                    assert_eq!(run_end(&bytes, 0, class), end, "{byte} at {length}");
                    assert_eq!((bytes.len() - skip(&bytes, class).len()) as u32, end);
                }
                assert_eq!(path_end(&bytes, 0), end(is(byte, PATH)), "{byte} at {length}");
                assert_eq!(query_end(&bytes, 0), end(is(byte, QUERY)), "{byte} at {length}");
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
    let query: Vec<_> = (b'!'..=b'~').chain(0x80..=0xff).filter(|&byte| byte != b'#').collect();
    assert_eq!(members(QUERY), query);
    let path: Vec<_> = query.into_iter().filter(|&byte| byte != b'?').collect();
    assert_eq!(members(PATH), path);
    assert_eq!(members(DIGIT), b"0123456789");
}

/// Many bytes that look like ends or spoil what is beside them, few that are ends.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(b"!\"$>?@[`{~\x7e\x80\x81\xa0\xbf\xff".to_vec());
    let letter = prop::sample::select(b"-AMZamz@[`{".to_vec());
    let byte = prop_oneof![20 => b' '..=0x7e, 10 => odd, 10 => letter.clone(), 1 => any::<u8>()];
    let letters = prop::collection::vec(letter, 0..20);
    let bytes = prop::collection::vec(byte, 0..200);
    (letters, bytes).prop_map(|(letters, bytes)| [letters, bytes].concat())
}

proptest! {
    #[test]
    fn runs_end_at_the_first_byte_that_is_not_of_them(bytes in any_bytes(), start in 0..50_usize) {
        let start = start.min(bytes.len());
        let end = |belongs: &dyn Fn(u8) -> bool| {
            let length = bytes[start..].iter().position(|&byte| !belongs(byte));
            length.map_or(bytes.len(), |length| start + length)
        };
        let at = start as u32;
        prop_assert_eq!(text_end(&bytes, at) as usize, end(&|byte| !byte.is_ascii_control()));
        prop_assert_eq!(path_end(&bytes, at) as usize, end(&|byte| is(byte, PATH)));
        prop_assert_eq!(query_end(&bytes, at) as usize, end(&|byte| is(byte, QUERY)));
        prop_assert_eq!(run_end(&bytes, at, TOKEN) as usize, end(&|byte| is(byte, TOKEN)));
        let letters = letters_end(&bytes, at) as usize;
        let letters_or_more = end(&|byte| byte.is_ascii_alphabetic() || byte == b'-');
        prop_assert!(letters <= letters_or_more);
        prop_assert!(letters == letters_or_more || bytes.len() - letters < 8);
    }
}
