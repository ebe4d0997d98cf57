//! [`Pattern`]: the paths of a row, in one of two forms.

use std::fmt;

use super::regex::RegexPattern;
use super::reverse::ReverseError;
use super::segments::Segments;

/// The pattern of a row of the route table.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// `/story/{id}`
    Segments(Segments),
    /// `/story/([0-9]+)`
    Regex(RegexPattern),
}

impl Pattern {
    /// Parses a pattern of segments, such as `/story/{id}`.
    ///
    /// - Literal text matches itself. Characters that a path cannot hold may be written as they are
    ///   or escaped: `/café` and `/caf%C3%A9` are the same pattern.
    /// - `{name}` matches one segment, which must not be empty. Literal text may precede and follow
    ///   it in the segment: `/@{user}`, `/{file}.json`. A segment has at most one argument. More,
    ///   as in `/{from}-{to}`, need a regex.
    /// - `{*name}` matches the rest of the path: any number of segments, or nothing at all. It is
    ///   the whole last segment, so the slash before it is required: `/static/{*path}` matches
    ///   `/static/` with an empty `path`, and does not match `/static`.
    /// - `{{` and `}}` match a brace.
    ///
    /// The pattern is case-sensitive, and each slash matters: `/a`, `/a/` and `//a` are three
    /// patterns. A name consists of letters, digits and `_`, and does not begin with a digit.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is malformed.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        Segments::parse(text).map(Self::Segments).map_err(PatternError)
    }

    /// Parses a regular expression, which must match a path from its beginning to its end.
    ///
    /// Its groups are the arguments. Either all of them have a name (`(?<year>[0-9]{4})`) or none.
    /// It matches bytes: `\d` and `\w` are ASCII, and `.` is any byte but a line feed. It matches
    /// the path in its [normal spelling](super::escape::normalise).
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not a regular expression of the `regex` crate, is too large
    /// for it, or has groups both with and without a name.
    pub(crate) fn regex(text: &str) -> Result<Self, PatternError> {
        RegexPattern::parse(text).map(Self::Regex).map_err(PatternError)
    }

    /// Returns the pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Segments(segments) => segments.text(),
            Self::Regex(regex) => regex.text(),
        }
    }

    /// Returns the number of arguments.
    pub(crate) fn argument_count(&self) -> usize {
        match self {
            Self::Segments(segments) => segments.argument_names().len(),
            Self::Regex(regex) => regex.argument_count(),
        }
    }

    /// Returns the names of the arguments in order. Returns no names for a regex whose groups have
    /// none.
    pub(crate) fn argument_names(&self) -> &[String] {
        match self {
            Self::Segments(segments) => segments.argument_names(),
            Self::Regex(regex) => regex.argument_names(),
        }
    }

    /// Returns the path that this pattern matches with `arguments`, percent-encoded.
    ///
    /// A `/` is kept in the argument of a `{*name}`, and in the groups of a regex that accepts it,
    /// as in Tornado. Otherwise it becomes `%2F`. A regex can be reversed if all text outside its
    /// groups is literal. A `.` there becomes a dot, and an optional character or group (`/?`) is
    /// included.
    ///
    /// # Errors
    ///
    /// Returns an error if the number of arguments is wrong, if the pattern would not match the
    /// path with these arguments, or if the regex has another form.
    pub(crate) fn reverse(&self, arguments: &[&str]) -> Result<String, ReverseError> {
        match self {
            Self::Segments(segments) => segments.reverse(arguments),
            Self::Regex(regex) => regex.reverse(arguments),
        }
    }
}

/// The reason why the pattern of a route is malformed.
///
/// The message does not contain the pattern, so it can follow its name: ``route 3 "/story/{id": `{`
/// is never closed``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoSlash,
    Unclosed,
    Unopened,
    NoName,
    BadName(String),
    DuplicateName(String),
    /// The name of the second argument in a segment.
    SharedSegment(String),
    RestNotAlone(String),
    RestNotLast(String),
    NotInPaths(char),
    Control(char),
    BadEscape,
    Regex(String),
    NamedAndUnnamed,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::NoSlash => f.write_str("a pattern begins with `/`"),
            Problem::Unclosed => {
                f.write_str("`{` is never closed in its segment (`{{` is a brace itself)")
            }
            Problem::Unopened => f.write_str("`}` closes nothing (`}}` is a brace itself)"),
            Problem::NoName => f.write_str("an argument has no name"),
            Problem::BadName(name) => write!(
                f,
                "`{name}` is not a name, which is made of letters, digits and `_` and does not \
                 begin with a digit (to say what an argument looks like, write a regex)"
            ),
            Problem::DuplicateName(name) => write!(f, "two arguments are named `{name}`"),
            Problem::SharedSegment(name) => write!(
                f,
                "`{{{name}}}` shares its segment with another argument, for which a regex is needed"
            ),
            Problem::RestNotAlone(name) => {
                write!(f, "`{{*{name}}}` must be a segment of its own")
            }
            Problem::RestNotLast(name) => {
                write!(f, "`{{*{name}}}` takes the rest of the path, so it must come last")
            }
            Problem::NotInPaths(character) => write!(
                f,
                "`{character}` ends the path of a URL, and only the path is matched (for the \
                 character itself, write its escape)"
            ),
            Problem::Control(character) => {
                write!(f, "control character {character:?} (write its escape)")
            }
            Problem::BadEscape => {
                f.write_str("`%` begins no escape such as `%20` (`%25` is a percent sign itself)")
            }
            Problem::Regex(message) => f.write_str(message),
            Problem::NamedAndUnnamed => f.write_str(
                "the groups must all have a name, or none of them (`(?:…)` is no group)",
            ),
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests;
