use proptest::prelude::*;

use super::*;

fn normal(path: &str) -> Option<String> {
    normalise(path.as_bytes()).map(|normal| String::from_utf8(normal.bytes).unwrap())
}

#[test]
fn escapes_of_unreserved_characters_are_decoded_and_others_get_upper_case() {
    assert_eq!(normal("/%68ello").as_deref(), Some("/hello"));
    assert_eq!(normal("/%7e%41%7A%30%2d%2E%5f").as_deref(), Some("/~Az0-._"));
    assert_eq!(normal("/%c3%A9").as_deref(), Some("/%C3%A9"));
    assert_eq!(normal("/a%2fb%61").as_deref(), Some("/a%2Fba"));
}

#[test]
fn a_normal_path_is_left_alone() {
    for path in ["", "/", "/hello", "/a%20b", "/%C3%A9%2F", "/\u{e9}"] {
        assert_eq!(normal(path), None, "{path}");
    }
}

#[test]
fn a_path_with_a_broken_escape_is_left_alone() {
    // Decoding the digits of the last escape would create another one.
    for path in ["/%", "/%68%", "/%6", "/%zz%68", "/%%36%38", "/%+1%68"] {
        assert_eq!(normal(path), None, "{path}");
    }
}

#[test]
fn positions_are_translated_back() {
    let normal = normalise(b"/%68i/%c3x").unwrap();
    assert_eq!(normal.bytes, b"/hi/%C3x");
    let origins: Vec<_> = (0..=normal.bytes.len()).map(|at| normal.origin(at)).collect();
    assert_eq!(origins, [0, 1, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn literal_text_is_encoded_as_clients_do() {
    assert_eq!(normal_literal("caf\u{e9} \"<>`{}").unwrap(), "caf%C3%A9%20%22%3C%3E%60%7B%7D");
    assert_eq!(normal_literal("!$&'()*+,;=:@|[]~").unwrap(), "!$&'()*+,;=:@|[]~");
    assert_eq!(normal_literal("%68%2f%c3\u{a9}").unwrap(), "h%2F%C3%C2%A9");
    for broken in ["%", "100%", "%2", "%zz"] {
        assert_eq!(normal_literal(broken), None, "{broken}");
    }
}

#[test]
fn arguments_are_decoded() {
    assert_eq!(decode_argument(b"1%20+%201"), Ok("1 + 1".into()));
    assert_eq!(decode_argument(b"a%2Fb%3f"), Ok("a/b?".into()));
    assert_eq!(decode_argument("\u{e9}%C3%A9".as_bytes()), Ok("\u{e9}\u{e9}".into()));
    assert_eq!(decode_argument(b"100%"), Ok("100%".into()));
    assert_eq!(decode_argument(b"%2x%"), Ok("%2x%".into()));
    assert_eq!(decode_argument(b""), Ok("".into()));
    assert!(matches!(decode_argument(b"plain"), Ok(Cow::Borrowed("plain"))));
}

#[test]
fn arguments_that_are_not_utf8_are_refused() {
    for raw in [&b"%FF"[..], b"\xff", b"a%C3", b"%ED%A0%80"] {
        assert_eq!(decode_argument(raw), Err(InvalidUtf8));
    }
    assert_eq!(InvalidUtf8.to_string(), "the path argument is not UTF-8");
}

#[test]
fn a_position_inside_an_escape_is_detected() {
    let text = b"a%2F%%41";
    let inside: Vec<_> = (0..=text.len()).filter(|at| is_in_escape(text, *at)).collect();
    assert_eq!(inside, [2, 3, 6, 7]);
    assert!(!is_in_escape(b"%2", 1));
}

proptest! {
    #[test]
    fn the_normal_spelling_means_the_same_and_is_normal(path in "(/|a|%[0-9a-fA-F]{2}|é){0,12}") {
        if let Some(normal) = normalise(path.as_bytes()) {
            let decode = |text: &[u8]| percent_decode(text).collect::<Vec<u8>>();
            prop_assert_eq!(decode(&normal.bytes), decode(path.as_bytes()));
            prop_assert!(normalise(&normal.bytes).is_none());
            prop_assert_eq!(normal.origin(0), 0);
            prop_assert_eq!(normal.origin(normal.bytes.len()), path.len());
        }
    }

    #[test]
    fn any_bytes_are_looked_over_without_a_panic(path in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = normalise(&path);
        let _ = decode_argument(&path);
        let _ = normalise(&[b"%61".as_slice(), &path].concat());
    }
}
