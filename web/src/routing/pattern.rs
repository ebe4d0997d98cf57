use std::fmt;

use super::regex::RegexPattern;
use super::reverse::ReverseError;
use super::segments::Segments;

/// Which paths a row of the route table answers.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// `/story/{id}`
    Segments(Segments),
    /// `/story/([0-9]+)`
    Regex(RegexPattern),
}

impl Pattern {
    /// Reads a pattern of segments, such as `/story/{id}`.
    ///
    /// - Literal text matches itself. What cannot stand in a path may be written as it is or
    ///   escaped: `/café` and `/caf%C3%A9` are the same pattern.
    /// - `{name}` matches one segment, which must not be empty. Literal text may stand
    ///   before and after it in the segment: `/@{user}`, `/{file}.json`. There is one
    ///   argument in a segment at most; more, as in `/{from}-{to}`, need a regex.
    /// - `{*name}` matches the rest of the path: any number of segments, or nothing at all. It is the
    ///   whole last segment, so the slash before it is required: `/static/{*path}` matches `/static/`
    ///   with an empty `path`, and does not match `/static`.
    /// - `{{` and `}}` stand for a brace.
    ///
    /// Case counts, and so does each slash: `/a`, `/a/` and `//a` are three patterns.
    /// A name is made of letters, digits and `_`, and does not begin with a digit.
    ///
    /// # Errors
    ///
    /// If `text` is not such a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        Segments::parse(text).map(Self::Segments).map_err(PatternError)
    }

    /// Reads a regular expression, which must match a path from its beginning to its end.
    ///
    /// Its groups are the arguments, all of them named (`(?<year>[0-9]{4})`) or none. It
    /// works on bytes: `\d` and `\w` mean ASCII, and `.` is any byte but a line feed. It sees
    /// the path [normally spelled](super::escape::normalise).
    ///
    /// # Errors
    ///
    /// If `text` is not a regular expression of the `regex` crate, is too large for it, or
    /// has groups both with and without a name.
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

    /// Returns the number of arguments that a path has by this pattern.
    pub(crate) fn argument_count(&self) -> usize {
        match self {
            Self::Segments(segments) => segments.argument_names().len(),
            Self::Regex(regex) => regex.argument_count(),
        }
    }

    /// Returns the names of the arguments in order; nothing if they are the groups of a
    /// regex without names.
    pub(crate) fn argument_names(&self) -> &[String] {
        match self {
            Self::Segments(segments) => segments.argument_names(),
            Self::Regex(regex) => regex.argument_names(),
        }
    }

    /// Returns the path that this pattern matches with `arguments`, percent-encoded.
    ///
    /// A `/` stays one in the argument of a `{*name}`, and in those of a regex if it allows
    /// that, as in Tornado; elsewhere it becomes `%2F`. A regex can be reversed if there is
    /// nothing but literal text outside of its groups; a `.` there counts as a dot, and an
    /// optional character or group (`/?`) as present.
    ///
    /// # Errors
    ///
    /// If the number of arguments is another, if the path would not be matched with just
    /// these arguments, or if the regex is of another form.
    pub(crate) fn reverse(&self, arguments: &[&str]) -> Result<String, ReverseError> {
        match self {
            Self::Segments(segments) => segments.reverse(arguments),
            Self::Regex(regex) => regex.reverse(arguments),
        }
    }
}

/// The pattern of a route cannot be read.
///
/// It prints as what is wrong, without the pattern itself, so that it can follow its name:
/// ``route 3 "/story/{id": `{` is never closed``.
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
    /// Two arguments in a segment: the second.
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
