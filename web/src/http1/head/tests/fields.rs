//! Field lines, `Host`, limits of size and number.

use super::*;

#[test]
fn values_are_trimmed_of_spaces_and_tabs_only() {
    for (line, value) in [
        ("A:b", "b"),
        ("A: b", "b"),
        ("A:  \t b \t ", "b"),
        ("A:\tb", "b"),
        ("A:", ""),
        ("A: ", ""),
        ("A: \t \t", ""),
        ("A: b c", "b c"),
        ("A: b\tc", "b\tc"),
        ("A: \t\tb\t\tc\t\t", "b\t\tc"),
        ("A: :b:", ":b:"),
        // Unicode white space and line ends are data.
        ("A: \u{a0}b\u{a0}", "\u{a0}b\u{a0}"),
        ("A: b\u{85}c\u{2028}d\u{2029}", "b\u{85}c\u{2028}d\u{2029}"),
        (
            "A: 0123456789abcdef0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
    ] {
        let parsed = parse_lines(line).unwrap();
        assert_eq!(parsed.lines()[1], ("A".to_owned(), value.to_owned()), "{line:?}");
    }
}

#[test]
fn values_may_have_any_byte_above_ascii() {
    let value: Vec<u8> = (0x80..=0xff).collect();
    let parsed = parse_lines([b"A: ".as_slice(), &value].concat()).unwrap();
    assert_eq!(parsed.head.fields(&parsed.bytes, "a").next(), Some(value.as_slice()));
}

#[test]
fn values_may_not_have_control_bytes() {
    for byte in (0..0x20).chain([0x7f]).filter(|byte| *byte != b'\t') {
        // At different positions, because the parser checks several bytes at a time.
        for before in [0, 1, 6, 7, 8, 15, 16, 31, 32, 40, 100] {
            let value = [&b"x".repeat(before), [byte].as_slice(), b"y"].concat();
            refused("a control byte", line_with(b"A: ", &value), 400);
        }
    }
}

#[test]
fn names_are_tokens() {
    let parsed = parse_lines("!#$%&'*+-.^_`|~09azAZ: b").unwrap();
    assert_eq!(parsed.lines()[1].0, "!#$%&'*+-.^_`|~09azAZ");
    for byte in 0..=0xff_u8 {
        if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte) {
            continue;
        }
        for before in [0, 1, 7, 8, 20] {
            let name = [&b"x".repeat(before), [byte].as_slice(), b"y"].concat();
            if byte == b':' && before > 0 {
                continue;
            }
            refused("a byte of no name", line_with(&name, b": b"), 400);
        }
    }
}

fn line_with(start: &[u8], end: &[u8]) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: a\r\n", start, end, b"\r\n\r\n"].concat()
}

#[test]
fn malformed_field_lines_are_refused() {
    for (what, line) in [
        ("no colon", "Accept"),
        ("no name", ": a"),
        ("only a colon", ":"),
        ("a space before the colon", "A : b"),
        ("a tab before the colon", "A\t: b"),
        ("a space in the name", "A B: c"),
        ("a fold by a space", "A: b\r\n c"),
        ("a fold by a tab", "A: b\r\n\tc"),
        ("a fold by a form feed", "A: b\r\n\x0cc"),
        ("a fold that looks like a field", "A: b\r\n C: d"),
        ("a fold of nothing", "A: b\r\n "),
        ("a name not in ASCII", "\u{e9}: a"),
    ] {
        refused(what, format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"), 400);
        refused(what, format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n"), 400);
    }
    refused("space at the first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    refused("a blank line that is not", "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", 400);
}

#[test]
fn repeated_fields_keep_their_order() {
    let parsed = parse_lines("A: 1\r\nb: 2\r\na: 3\r\nA:").unwrap();
    let names: Vec<_> =
        parsed.lines().into_iter().skip(1).map(|(name, value)| name + &value).collect();
    assert_eq!(names, ["A1", "b2", "a3", "A"]);
}

#[test]
fn http11_requires_exactly_one_host() {
    let head = |version: &str, lines: &str| format!("GET / HTTP/{version}\r\n{lines}\r\n");
    refused("none", head("1.1", ""), 400);
    refused("none under a later version", head("1.2", ""), 400);
    refused("two", head("1.1", "Host: a\r\nHost: b\r\n"), 400);
    refused("twice the same", head("1.1", "Host: a\r\nhost: a\r\n"), 400);
    refused("two empty", head("1.1", "Host:\r\nHost:\r\n"), 400);
    refused("two under HTTP/1.0", head("1.0", "Host: a\r\nHost: a\r\n"), 400);

    let parsed = parse(head("1.0", "")).unwrap();
    assert_eq!(parsed.authority(), None);
    let parsed = parse(head("1.1", "Host:\r\n")).unwrap();
    assert_eq!(parsed.authority().as_deref(), Some(""));
}

#[test]
fn the_number_of_fields_is_limited() {
    let head =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert_eq!(parse(head(LIMITS.max_fields)).unwrap().head.fields.len(), LIMITS.max_fields);
    refused("one more", head(LIMITS.max_fields + 1), 431);
}

#[test]
fn the_size_of_a_head_is_limited() {
    let head = |size: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(size - rest))
    };
    let limit = LIMITS.max_head_size;
    let whole = Head::new().read(&mut PartialHead::default(), head(limit).as_bytes(), &LIMITS);
    assert_eq!(whole, Ok(Some(0..limit)));
    let whole = Head::new().read(&mut PartialHead::default(), head(limit + 1).as_bytes(), &LIMITS);
    assert_eq!(whole, Err(HeadError::TooLarge));
}

#[test]
fn a_head_that_exceeds_the_limit_is_refused_before_it_ends() {
    let unfinished = |start: &str| {
        let mut bytes = start.as_bytes().to_vec();
        let (mut head, mut partial) = (Head::new(), PartialHead::default());
        loop {
            match head.read(&mut partial, &bytes, &LIMITS) {
                Ok(None) => bytes.resize((bytes.len() + 1000).min(LIMITS.max_head_size), b'x'),
                other => return (bytes.len(), other.unwrap_err()),
            }
        }
    };
    let limit = LIMITS.max_head_size;
    assert_eq!(unfinished("GET / HTTP/1.1\r\nHost: a\r\nA: "), (limit, HeadError::TooLarge));
    assert_eq!(unfinished("GET /"), (limit, HeadError::TargetTooLong));
    assert_eq!(unfinished("\r\nGET /"), (limit, HeadError::TargetTooLong));
    assert_eq!(unfinished("GET"), (limit, HeadError::RequestLine));
}
