use super::*;

fn message(text: &str) -> String {
    Pattern::parse(text).unwrap_err().to_string()
}

#[test]
fn a_pattern_keeps_its_text_and_the_names_of_its_arguments() {
    let pattern = Pattern::parse("/v{version}/story/{id}/{*rest}").unwrap();
    assert_eq!(pattern.text(), "/v{version}/story/{id}/{*rest}");
    assert_eq!(pattern.argument_count(), 3);
    assert_eq!(pattern.argument_names(), ["version", "id", "rest"]);

    let pattern = Pattern::parse("/").unwrap();
    assert_eq!((pattern.argument_count(), pattern.argument_names().len()), (0, 0));
    assert!(Pattern::parse("/{größe}/{_a1}").is_ok());
}

#[test]
fn the_groups_of_a_regex_are_its_arguments() {
    let pattern = Pattern::regex("/(?<year>[0-9]{4})/(?P<month>[0-9]{2})(?:/.*)?").unwrap();
    assert_eq!(pattern.argument_count(), 2);
    assert_eq!(pattern.argument_names(), ["year", "month"]);

    let pattern = Pattern::regex("/([0-9]{4})/((a)b)").unwrap();
    assert_eq!(pattern.text(), "/([0-9]{4})/((a)b)");
    assert_eq!(pattern.argument_count(), 3);
    assert!(pattern.argument_names().is_empty());
}

#[test]
fn a_malformed_pattern_has_a_reason() {
    let cases = [
        ("", "a pattern begins with `/`"),
        ("story", "a pattern begins with `/`"),
        ("{*rest}", "a pattern begins with `/`"),
        ("/story/{id", "`{` is never closed"),
        ("/{", "`{` is never closed"),
        ("/{a/b}", "`{` is never closed in its segment"),
        ("/story/id}", "`}` closes nothing"),
        ("/{{a}", "`}` closes nothing"),
        ("/{}", "an argument has no name"),
        ("/{*}", "an argument has no name"),
        ("/{id:int}", "`id:int` is not a name"),
        ("/{<int:id>}", "`<int:id>` is not a name"),
        ("/{1}", "`1` is not a name"),
        ("/{a b}", "`a b` is not a name"),
        ("/{**a}", "`**a` is not a name"),
        ("/{a{b}}", "`a{b` is not a name"),
        ("/{a}/{a}", "two arguments are named `a`"),
        ("/{a}/{*a}", "two arguments are named `a`"),
        ("/{a}-{b}", "`{b}` shares its segment with another argument"),
        ("/{a}{b}", "`{b}` shares its segment with another argument"),
        ("/{*rest}/a", "`{*rest}` takes the rest of the path, so it must come last"),
        ("/{*rest}/", "`{*rest}` takes the rest of the path, so it must come last"),
        ("/a{*rest}", "`{*rest}` must be a segment of its own"),
        ("/{*rest}.json", "`{*rest}` must be a segment of its own"),
        ("/a?b=c", "`?` ends the path of a URL"),
        ("/a#b", "`#` ends the path of a URL"),
        ("/a\0", "control character '\\0'"),
        ("/a\n", "control character '\\n'"),
        ("/{a\0}", "is not a name"),
        ("/100%", "`%` begins no escape"),
        ("/%zz", "`%` begins no escape"),
        ("/%{a}", "`%` begins no escape"),
    ];
    for (text, expected) in cases {
        let message = message(text);
        assert!(message.starts_with(expected) || message.contains(expected), "{text:?}: {message}");
    }
}

#[test]
fn an_invalid_regex_has_a_reason() {
    let message = |text: &str| Pattern::regex(text).unwrap_err().to_string();
    assert!(message("/(a").contains("unclosed group"));
    // The message shows the text without the added parentheses.
    assert!(message("a)|(b").contains("unopened group"));
    assert!(message("/(?=a)").contains("look-around"));
    assert!(message(r"/\pL").contains("Unicode not allowed"));
    assert!(message(r"/a{1000}{1000}").contains("size limit"));
    assert!(message("/(?<a>.)/(.)").contains("must all have a name, or none"));
    assert!(message("/(?<a>.)/(?<a>.)").contains("duplicate"));
}

#[test]
fn a_brace_is_written_twice() {
    let pattern = Pattern::parse("/{{a}}/{b}}}").unwrap();
    assert_eq!(pattern.argument_names(), ["b"]);
    assert_eq!(pattern.reverse(&["x"]).unwrap(), "/%7Ba%7D/x%7D");
}

#[test]
fn arguments_are_encoded_in_the_reversed_path() {
    let pattern = Pattern::parse("/a b/{x}/v{y}.js/{*z}").unwrap();
    let path = pattern.reverse(&["1/2 +?", "\u{e9}%", "p/q r"]).unwrap();
    assert_eq!(path, "/a%20b/1%2F2%20%2B%3F/v%C3%A9%25.js/p/q%20r");
    assert_eq!(Pattern::parse("/a/").unwrap().reverse(&[]).unwrap(), "/a/");
    assert_eq!(Pattern::parse("/{a}").unwrap().reverse(&["-._~Az09"]).unwrap(), "/-._~Az09");
}

#[test]
fn a_path_that_would_not_match_is_not_reversed() {
    let pattern = Pattern::parse("/{a}/{*b}").unwrap();
    let message = |arguments: &[&str]| pattern.reverse(arguments).unwrap_err().to_string();
    assert_eq!(message(&["x"]), "the route has 2 arguments, but 1 were given");
    assert_eq!(message(&["x", "y", "z"]), "the route has 2 arguments, but 3 were given");
    assert_eq!(message(&["", "y"]), "the argument `a` is empty");
    assert_eq!(pattern.reverse(&["x", ""]).unwrap(), "/x/", "the rest may be empty");
}
