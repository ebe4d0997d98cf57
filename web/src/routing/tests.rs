//! Compares the index with a linear scan by a naive matcher. The matcher splits the path into
//! characters and escapes, and tries every combination.

use std::ops::Range;

use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::index::Index;
use super::{Arguments, Pattern, decode_argument};

/// The row of a path, and its arguments as ranges of the path.
type Found = Option<(usize, Vec<Option<Range<usize>>>)>;

fn by_index(index: &Index, path: &[u8]) -> Found {
    let mut arguments = Arguments::new();
    let row = index.find_path(path, &mut arguments)?;
    Some((row, arguments.iter().collect()))
}

fn by_linear_scan(table: &[Row], path: &[u8]) -> Found {
    let tokens = tokens(path);
    table.iter().enumerate().find_map(|(row, pattern)| Some((row, pattern.matches(&tokens)?)))
}

/// A row of the naive matcher.
#[derive(Clone, Debug)]
enum Row {
    Segments(Vec<Part>),
    Regex(&'static str),
}

#[derive(Clone, Debug)]
enum Part {
    Literal(&'static str),
    Argument(&'static str, &'static str),
    Rest,
}

/// A character or an escape of a path.
#[derive(Debug)]
struct Token {
    /// Normally spelled.
    text: Vec<u8>,
    start: usize,
    end: usize,
}

fn tokens(path: &[u8]) -> Vec<Token> {
    let escape_at = |at: usize| {
        let digits = path.get(at..at + 3)?.strip_prefix(b"%")?;
        u8::from_str_radix(str::from_utf8(digits).ok()?.trim_start_matches('+'), 16).ok()
    };
    let escape_at = |at: usize| {
        let digits = path.get(at + 1..at + 3)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(escape_at(at)?)
    };
    let is_malformed = (0..path.len()).any(|at| path[at] == b'%' && escape_at(at).is_none());
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < path.len() {
        let (text, end) = match escape_at(start) {
            None => (vec![path[start]], start + 1),
            Some(_) if is_malformed => (path[start..start + 3].to_vec(), start + 3),
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                (vec![byte], start + 3)
            }
            Some(byte) => (format!("%{byte:02X}").into_bytes(), start + 3),
        };
        tokens.push(Token { text, start, end });
        start = end;
    }
    tokens
}

fn text(tokens: &[Token]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.text.clone()).collect()
}

fn range(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.start..tokens.last()?.end)
}

impl Row {
    fn pattern(&self) -> Pattern {
        match self {
            Self::Segments(_) => Pattern::parse(&self.to_text()).unwrap(),
            Self::Regex(text) => Pattern::regex(text).unwrap(),
        }
    }

    fn to_text(&self) -> String {
        let Self::Segments(parts) = self else { unreachable!() };
        let parts = parts.iter().enumerate().map(|(at, part)| match part {
            Part::Literal(text) => format!("/{text}"),
            Part::Argument(before, after) => format!("/{before}{{a{at}}}{after}"),
            Part::Rest => format!("/{{*a{at}}}"),
        });
        parts.collect()
    }

    fn matches(&self, path: &[Token]) -> Option<Vec<Option<Range<usize>>>> {
        match self {
            Self::Segments(parts) => matches_parts(parts, path),
            Self::Regex(regex) => matches_regex(regex, path),
        }
    }
}

fn matches_parts(parts: &[Part], path: &[Token]) -> Option<Vec<Option<Range<usize>>>> {
    let Some((first, others)) = parts.split_first() else {
        return path.is_empty().then(Vec::new);
    };
    let (slash, path) = path.split_first()?;
    if slash.text != b"/" {
        return None;
    }
    let end = path.iter().position(|token| token.text == b"/").unwrap_or(path.len());
    let (segment, path) = path.split_at(end);
    let mut arguments = Vec::new();
    match first {
        Part::Literal(literal) => {
            if text(segment) != text(&tokens(literal.as_bytes())) {
                return None;
            }
        }
        Part::Argument(before, after) => {
            let splits = (0..segment.len())
                .flat_map(|start| (start + 1..=segment.len()).map(move |end| (start, end)));
            let (start, end) = splits.into_iter().find(|&(start, end)| {
                text(&segment[..start]) == before.as_bytes()
                    && text(&segment[end..]) == after.as_bytes()
            })?;
            arguments.push(range(&segment[start..end]));
        }
        Part::Rest => {
            let last = path.last().or(segment.last());
            let (start, end) = (slash.end, last.map_or(slash.end, |token| token.end));
            return Some(vec![Some(start..end)]);
        }
    }
    arguments.extend(matches_parts(others, path)?);
    Some(arguments)
}

fn matches_regex(regex: &str, path: &[Token]) -> Option<Vec<Option<Range<usize>>>> {
    let regex = RegexBuilder::new(&format!("^(?:{regex})$")).unicode(false).build().unwrap();
    let normal = text(path);
    // The position of each byte of the normal spelling in the path.
    let mut origins = Vec::new();
    for token in path {
        origins.extend((0..token.text.len()).map(|offset| token.start + offset));
    }
    origins.push(path.last().map_or(0, |token| token.end));
    let captures = regex.captures(&normal)?;
    let groups = captures.iter().skip(1);
    Some(groups.map(|group| group.map(|g| origins[g.start()]..origins[g.end()])).collect())
}

fn part() -> impl Strategy<Value = Part> {
    let literal =
        prop::sample::select(vec!["a", "a", "b", "ab", "", "aa", "%2F", "a%20", "F", "%"]);
    prop_oneof![
        4 => literal.prop_map(|text| Part::Literal(if text == "%" { "%25" } else { text })),
        3 => Just(Part::Argument("", "")),
        2 => prop::sample::select(vec![
            ("a", ""), ("", "b"), ("a", "b"), ("ab", ""), ("", "F"), ("", "2F"), ("%2F", ""),
            ("", "%20"), ("", "ab"), ("a", "a"),
        ]).prop_map(|(before, after)| Part::Argument(before, after)),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let parts = (prop::collection::vec(part(), 1..5), prop::bool::weighted(0.1));
    let segments = parts.prop_map(|(mut parts, rest)| {
        parts.extend(rest.then_some(Part::Rest));
        Row::Segments(parts)
    });
    let regex = prop::sample::select(vec![
        "/([ab]+)/b",
        "/a/(.*)",
        "/a(?:/(a))?(/b)?",
        "(?i)/A/(.)",
        ".*F",
        "/(?<first>a)/(?<second>[^/]+)",
        "^/a|/b/(a)$",
        "/(..)(.*)%20",
        "/b/?",
    ]);
    prop_oneof![9 => segments, 1 => regex.prop_map(Row::Regex)]
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"/"[..],
        b"/",
        b"/",
        b"/",
        b"/a",
        b"/a",
        b"/a",
        b"/b",
        b"/b",
        b"/ab",
        b"a",
        b"b",
        b"%61",
        b"%2F",
        b"%2f",
        b"F",
        b"%20",
        b"%",
        b"%2",
        b"\xff",
        b"%C3%A9",
        b"%25",
    ]);
    let pieces = prop::collection::vec(piece, 0..8);
    (prop::bool::weighted(0.9), pieces).prop_map(|(slash, pieces)| {
        [if slash { &b"/"[..] } else { b"" }, &pieces.concat()].concat()
    })
}

/// A path that a row of segments matches, with some escapes in another spelling.
fn path_for(row: &Row, arguments: &[String]) -> Vec<u8> {
    match row {
        Row::Regex(_) => b"/a/b".to_vec(),
        Row::Segments(_) => {
            let pattern = row.pattern();
            let mut arguments = arguments.iter().map(String::as_str).cycle();
            let arguments: Vec<_> = (&mut arguments).take(pattern.argument_count()).collect();
            pattern.reverse(&arguments).unwrap().into_bytes()
        }
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_linear_scan(
        table in prop::collection::vec(row(), 0..12),
        paths in prop::collection::vec(path(), 1..12),
    ) {
        let patterns: Vec<_> = table.iter().map(Row::pattern).collect();
        let index = Index::new(&patterns);
        for path in paths {
            let shown = String::from_utf8_lossy(&path).into_owned();
            prop_assert_eq!(by_index(&index, &path), by_linear_scan(&table, &path), "{}", shown);
        }
    }

    #[test]
    fn the_index_agrees_on_matching_paths(
        table in prop::collection::vec(row(), 1..12),
        arguments in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "é", "/", "%"]), 1..3),
    ) {
        let patterns: Vec<_> = table.iter().map(Row::pattern).collect();
        let index = Index::new(&patterns);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        for row in &table {
            let path = path_for(row, &arguments);
            let expected = by_linear_scan(&table, &path);
            if matches!(row, Row::Segments(_)) {
                prop_assert!(expected.is_some());
            }
            prop_assert_eq!(by_index(&index, &path), expected);
        }
    }

    #[test]
    fn a_covered_pattern_never_matches_first(
        table in prop::collection::vec(row(), 2..12),
        arguments in prop::collection::vec(prop::sample::select(vec!["a", "ab", "%", "F", "2F"]), 1..3),
        paths in prop::collection::vec(path(), 1..8),
    ) {
        let patterns: Vec<_> = table.iter().map(Row::pattern).collect();
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        for (at, later) in table.iter().enumerate().filter(|(_, row)| matches!(row, Row::Segments(_))) {
            let paths = paths.iter().cloned().chain([path_for(later, &arguments)]);
            for path in paths.filter(|path| later.matches(&tokens(path)).is_some()) {
                for (earlier, pattern) in table.iter().zip(&patterns) {
                    let shown = String::from_utf8_lossy(&path).into_owned();
                    let matches = earlier.matches(&tokens(&path)).is_some();
                    prop_assert!(matches || !pattern.covers(&patterns[at]), "{}", shown);
                }
            }
        }
    }

    #[test]
    fn a_reversed_pattern_leads_back_to_its_row_and_arguments(
        row in row().prop_filter("segments", |row| matches!(row, Row::Segments(_))),
        arguments in prop::collection::vec("\\PC{1,6}", 5),
    ) {
        let pattern = row.pattern();
        let arguments: Vec<_> =
            arguments[..pattern.argument_count()].iter().map(String::as_str).collect();
        let path = pattern.reverse(&arguments).unwrap();
        prop_assert!(path.is_ascii());
        let (row, ranges) = by_index(&Index::new([&pattern]), path.as_bytes()).unwrap();
        prop_assert_eq!(row, 0);
        for (range, argument) in ranges.into_iter().zip(arguments) {
            let raw = &path.as_bytes()[range.unwrap()];
            prop_assert_eq!(decode_argument(raw).unwrap(), argument);
        }
    }

    #[test]
    fn no_text_makes_a_pattern_panic(text in "[/a-b{}*%?é\u{0}2]{0,12}") {
        let _ = Pattern::parse(&text);
        let _ = Pattern::parse(&format!("/{text}"));
    }
}
