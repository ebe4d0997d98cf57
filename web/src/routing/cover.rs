//! Whether an earlier row of the table matches all paths of a later one.

use super::escape::is_in_escape;
use super::pattern::Pattern;
use super::segments::{Segment, Segments};

impl Pattern {
    /// Whether both patterns match the same paths and have the same names of arguments. Two regular
    /// expressions are the same if their text is.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Segments(one), Self::Segments(other)) => {
                one.segments() == other.segments() && one.argument_names() == other.argument_names()
            }
            (Self::Regex(one), Self::Regex(other)) => one.text() == other.text(),
            (Self::Segments(_), Self::Regex(_)) | (Self::Regex(_), Self::Segments(_)) => false,
        }
    }

    /// Returns the only path that this matches, if it is a pattern without arguments.
    pub(crate) fn literal(&self) -> Option<String> {
        match self {
            Self::Segments(segments) => segments.literal(),
            Self::Regex(_) => None,
        }
    }

    /// Whether this matches every path that `later` matches. For a regular expression, this is
    /// known only if the other pattern has one path, or matches all paths.
    pub(crate) fn covers(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Segments(one), Self::Segments(later)) => covers(one.segments(), later),
            (Self::Segments(one), Self::Regex(_)) => matches!(one.segments(), [Segment::Rest]),
            (Self::Regex(regex), Self::Segments(later)) => {
                later.literal().is_some_and(|path| regex.is_match(path.as_bytes()))
            }
            (Self::Regex(_), Self::Regex(_)) => false,
        }
    }
}

fn covers(one: &[Segment], later: &Segments) -> bool {
    let later = later.segments();
    let (one, later) = match one.split_last() {
        Some((Segment::Rest, before)) if before.len() < later.len() => {
            (before, &later[..before.len()])
        }
        _ if one.len() == later.len() => (one, later),
        _ => return false,
    };
    one.iter().zip(later).all(|(one, later)| one.covers(later))
}

impl Segment {
    fn covers(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Literal(one), Self::Literal(later)) => one == later,
            (Self::Argument { before, after }, Self::Literal(text)) => {
                let rest = text.strip_prefix(before.as_str());
                rest.is_some_and(|rest| rest.len() > after.len() && ends_with(rest, after))
            }
            (
                Self::Argument { before, after },
                Self::Argument { before: later_before, after: later_after },
            ) => later_before.starts_with(before.as_str()) && ends_with(later_after, after),
            (_, Self::Rest) | (Self::Rest | Self::Literal(_), _) => false,
        }
    }
}

/// Whether `text` ends with `end`, and `end` does not begin inside an escape.
fn ends_with(text: &str, end: &str) -> bool {
    text.ends_with(end) && !is_in_escape(text.as_bytes(), text.len() - end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pattern {
        match text.strip_prefix("regex ") {
            Some(regex) => Pattern::regex(regex).unwrap(),
            None => Pattern::parse(text).unwrap(),
        }
    }

    #[test]
    fn a_pattern_covers_a_pattern_whose_paths_it_matches() {
        let covered = [
            ("/a", "/a"),
            ("/{a}", "/a"),
            ("/{a}", "/{b}"),
            ("/{a}", "/b{c}d"),
            ("/@{user}", "/@{user}.json"),
            ("/{file}.json", "/a-{b}.json"),
            ("/{file}.json", "/a.json"),
            ("/{a}F", "/{b}FF"),
            ("/{a}/b", "/c/b"),
            ("/{a}/{b}", "/{a}/b"),
            ("/{*rest}", "/"),
            ("/{*rest}", "/a/{b}/c"),
            ("/{*rest}", "/{*path}"),
            ("/{*rest}", "/a/{*path}"),
            ("/{*rest}", "regex /a+"),
            ("/a/{*rest}", "/a/"),
            ("/a/{*rest}", "/a/{b}"),
            ("/{a}/{*rest}", "/b/c/{*path}"),
            ("/caf%C3%A9", "/café"),
            ("regex /[a-z]+", "/abc"),
            ("regex .*", "/abc"),
        ];
        for (one, later) in covered {
            assert!(parse(one).covers(&parse(later)), "{one} covers {later}");
        }
        let not_covered = [
            ("/a", "/b"),
            ("/a", "/a/"),
            ("/a", "/{a}"),
            ("/{a}", "/"),
            ("/{a}", "/a/b"),
            ("/{a}", "/{*rest}"),
            ("/@{user}", "/@"),
            ("/@{user}", "/{user}"),
            ("/@{user}", "/%40"),
            ("/{file}.json", "/.json"),
            ("/{file}.json", "/{file}"),
            ("/{a}F", "/{b}%2F"),
            ("/{a}F", "/x%2F"),
            ("/{a}/b", "/c/{d}"),
            ("/a/{*rest}", "/a"),
            ("/a/{*rest}", "/{*rest}"),
            ("/a/{*rest}", "/b/c"),
            ("/a/{*rest}", "regex /a/.*"),
            ("regex /[a-z]+", "/1"),
            ("regex /[a-z]+", "/{a}"),
            ("regex .*", "regex /a"),
        ];
        for (one, later) in not_covered {
            assert!(!parse(one).covers(&parse(later)), "{one} leaves paths of {later}");
        }
    }

    #[test]
    fn the_same_pattern_may_be_written_in_two_ways() {
        let same = [
            ("/café", "/caf%C3%A9"),
            ("/{a}/b", "/{a}/%62"),
            ("/a/{*rest}", "/a/{*rest}"),
            ("regex /(a|b)", "regex /(a|b)"),
        ];
        for (one, other) in same {
            assert!(parse(one).is_same(&parse(other)), "{one} is {other}");
        }
        let others =
            [("/a", "/a/"), ("/{a}", "/{b}"), ("/a", "regex /a"), ("regex a", "regex (?:a)")];
        for (one, other) in others {
            assert!(!parse(one).is_same(&parse(other)), "{one} is not {other}");
        }
    }
}
