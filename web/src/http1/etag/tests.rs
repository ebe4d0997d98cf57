use proptest::prelude::*;

use super::*;

#[test]
fn a_tag_is_the_hash_in_quotes() {
    // The known hash of empty input.
    assert_eq!(ETag::of(b"").text(), *b"\"2d06800538d394c2\"");
}

#[test]
fn if_none_match_compares_weakly() {
    for (fields, matches) in [
        (vec![], false),
        (vec!["\"a\""], true),
        (vec!["W/\"a\""], true),
        (vec!["\"b\""], false),
        (vec!["\"A\""], false),
        (vec!["*"], true),
        (vec![" * "], true),
        (vec!["\"*\""], false),
        (vec!["\"b\", \"a\""], true),
        (vec!["\"b\",\"a\""], true),
        (vec!["  \"b\" ,\t W/\"a\"  "], true),
        (vec![",, \"a\""], true),
        (vec!["\"b\"", "\"a\""], true),
        (vec!["\"b\"", "*"], true),
        (vec!["\"b, \"a\""], false),
        (vec!["\"b,\"a\""], false),
        (vec!["\"x\\\", \"a\""], true),
        (vec![""], false),
        (vec!["a"], false),
        (vec!["a, \"a\""], true),
        (vec!["\"a"], false),
        (vec!["\"a\"b"], false),
        (vec!["b\"a\""], false),
        (vec!["w/\"a\""], false),
        (vec!["W/ \"a\""], false),
        (vec!["\"b\" \"a\""], false),
        (vec!["\""], false),
        (vec!["W/"], false),
        (vec![","], false),
        (vec!["*, \"b\""], false),
    ] {
        let lines = || fields.iter().map(|field| field.as_bytes());
        assert_eq!(if_none_match(lines(), Some(b"\"a\"")), matches, "{fields:?}");
        assert_eq!(if_none_match(lines(), Some(b"W/\"a\"")), matches, "{fields:?}, ours weak");
    }
}

#[test]
fn without_a_tag_only_a_star_matches() {
    for (field, matches) in [("*", true), ("\t* ", true), ("\"*\"", false), ("\"a\"", false)] {
        assert_eq!(if_none_match([field.as_bytes()], None), matches, "{field:?}");
    }
}

#[test]
fn a_tag_may_contain_a_comma() {
    assert!(if_none_match([b"\"b\", \"a,c\"".as_slice()], Some(b"\"a,c\"")));
    assert!(!if_none_match([b"\"b,\"a\",c\"".as_slice()], Some(b"\"a\"")));
}

proptest! {
    #[test]
    fn pieces_have_the_tag_of_the_whole(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let whole = ETag::of(&pieces.concat());
        prop_assert_eq!(ETag::of_pieces(pieces.iter().map(Vec::as_slice)), whole);
    }

    #[test]
    fn any_field_is_survived(field in "[\"a,W/* \t]{0,40}") {
        let _ = if_none_match([field.as_bytes()], Some(b"\"a\""));
    }

    #[test]
    fn a_tag_in_a_list_is_found(
        before in prop::collection::vec("(W/)?\"[!#-~]{0,9}\"", 0..5),
        after in prop::collection::vec("(W/)?\"[!#-~]{0,9}\"", 0..5),
    ) {
        let tag = ETag::of(b"x");
        let text = str::from_utf8(&tag.text()).unwrap().to_owned();
        let list = [before, vec![text], after].concat().join(", ");
        prop_assert!(if_none_match([list.as_bytes()], Some(&tag.text())));
    }
}
