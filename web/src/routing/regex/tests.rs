use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> RegexPattern {
    RegexPattern::parse(text).unwrap()
}

fn prefix(text: &str) -> String {
    String::from_utf8(parse(text).matcher().prefix.into()).unwrap()
}

#[test]
fn a_regex_is_reversed_as_tornado_does() {
    let reverse = |text: &str, arguments: &[&str]| parse(text).reverse(arguments).unwrap();
    assert_eq!(reverse("/([0-9]{4})/([a-z-]+)/", &["2024", "may"]), "/2024/may/");
    assert_eq!(reverse("^/a/(?P<name>.*)$", &["x"]), "/a/x");
    assert_eq!(reverse(r"/robots\.txt", &[]), "/robots.txt");
    assert_eq!(reverse("/robots.txt", &[]), "/robots.txt");
    assert_eq!(reverse("/(.*)", &["a/b c?d\u{e9}"]), "/a/b%20c%3Fd%C3%A9");
    assert_eq!(reverse("/a/?", &[]), "/a/");
    assert_eq!(reverse("/a(/[0-9]+)?", &["/7"]), "/a/7");
}

#[test]
fn a_slash_is_escaped_in_a_group_that_does_not_accept_it() {
    assert_eq!(parse("/([^/]+)").reverse(&["a/b"]).unwrap(), "/a%2Fb");
    // The regex would match the slash, but with other arguments.
    assert_eq!(parse("/([^/]+)/(.*)").reverse(&["a/b", "c"]).unwrap(), "/a%2Fb/c");
}

#[test]
fn characters_are_not_escaped_if_the_regex_requires_it() {
    assert_eq!(parse("/(.+)").reverse(&["me@here"]).unwrap(), "/me%40here");
    assert_eq!(parse("/([a-z@]+)").reverse(&["me@here"]).unwrap(), "/me@here");
    assert_eq!(parse("/([a-z:/]+)").reverse(&["a:b/c"]).unwrap(), "/a:b/c");
}

#[test]
fn a_regex_may_end_with_a_comment() {
    let matcher = parse("(?x) /a # the first").matcher();
    assert!(matcher.matches(b"/a", &mut Arguments::new()));
    assert!(!matcher.matches(b"/a\n", &mut Arguments::new()));
}

#[test]
fn a_regex_with_more_than_literal_text_outside_its_groups_is_not_reversed() {
    let texts = [
        r"/\d", r"/\<a", "/a*", "/a+/b", "/[ab]", "/a|/b", "/(?:a)", "/(?i)a", "/a{2}", "/a$b|c",
        "/(a)*",
    ];
    for text in texts {
        let regex = parse(text);
        let arguments = vec!["a"; regex.argument_count()];
        assert_eq!(regex.reverse(&arguments), Err(ReverseError::irreversible()), "{text}");
    }
    // Nested groups, and as many others.
    for text in ["/((a)b)", "/(?:a)((b))"] {
        assert_eq!(parse(text).reverse(&["ab", "a"]), Err(ReverseError::irreversible()), "{text}");
    }
}

#[test]
fn arguments_that_a_regex_does_not_match_are_refused() {
    let regex = parse("/([0-9]+)");
    let error = regex.reverse(&["x"]).unwrap_err();
    assert_eq!(error.to_string(), "the regex does not match these arguments");
    assert_eq!(regex.reverse(&[]), ReverseError::check_count(1, 0).map(|()| String::new()));
}

#[test]
fn the_literal_prefix_ends_before_the_first_thing_that_varies() {
    assert_eq!(prefix("/story/([0-9]+)"), "/story/");
    assert_eq!(prefix("^/story$"), "/story");
    assert_eq!(prefix(r"/a\.b/c(.)"), "/a.b/c");
    assert_eq!(prefix("/a.b"), "/a");
    assert_eq!(prefix("/ab?c"), "/a");
    assert_eq!(prefix("/a(b)?c"), "/a");
    for text in
        [r"/\<a", "/a|/b", "(?i)/a", "/a*", ".*", "(?x) /a # b", r"/a\d", "/a(?x: )|b", "(/a)|b"]
    {
        assert_eq!(prefix(text), "", "{text}");
    }
}

#[test]
fn the_end_of_a_group_is_found() {
    let reverse = |text: &str, argument: &str| parse(text).reverse(&[argument]).unwrap();
    assert_eq!(reverse(r"/a([)]|\)|[^]|])/b", ")"), "/a)/b");
    assert_eq!(reverse("/a([])]+)/b", ")"), "/a)/b");
    assert_eq!(reverse("/a([^])]+)/b", "(("), "/a%28%28/b");
    assert_eq!(reverse(r"/a(\[|(?:b|(?:c))+)/d", "bc"), "/abc/d");
    assert_eq!(prefix(r"/a([)]|\)|\[|[^]|]|[\]|](?:|)(?:|))|b"), "");
}

proptest! {
    #[test]
    fn the_prefix_does_not_hide_a_match(
        text in prop_oneof![
            "[/ab()\\[\\]|?*+.^$\\\\{}:,2x#<\n-]{0,14}",
            r"/?(a|b|/|\(a|\(b|\)|\)\?|\||\[a|\[\^|\]|\(\?:|\(\?x\)|\(\?i\)|\\\(|\\\)|#|\n|\?|\.){0,12}",
        ],
        paths in prop::collection::vec("[/abA().|#?]{0,6}", 1..8),
    ) {
        if let Ok(pattern) = RegexPattern::parse(&text) {
            let matcher = pattern.matcher();
            let prefix = String::from_utf8_lossy(&matcher.prefix).into_owned();
            for path in paths.iter().flat_map(|path| [path.clone(), format!("{prefix}{path}")]) {
                let matches = matcher.matches(path.as_bytes(), &mut Arguments::new());
                prop_assert_eq!(matches, pattern.regex.is_match(path.as_bytes()), "{}", path);
            }
        }
    }
}
