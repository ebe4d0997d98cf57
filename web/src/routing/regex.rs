//! Patterns that are regular expressions.

use std::cell::RefCell;

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::arguments::Arguments;
use super::escape::{
    NOT_IN_SEGMENTS, NOT_IN_SEGMENTS_BUT_SLASH, RESERVED, RESERVED_BUT_SLASH, decode_argument,
};
use super::pattern::Problem;
use super::reverse::{Outline, ReverseError};

/// Returns a regular expression that matches `text`.
pub(crate) fn literal_regex(text: &str) -> String {
    regex::escape(text)
}

/// A pattern that is a regular expression.
#[derive(Clone, Debug)]
pub(crate) struct RegexPattern {
    /// The pattern as it was written.
    text: String,
    /// The names of the groups in order. Empty if they have none.
    names: Vec<String>,
    /// Matches whole paths only.
    regex: Regex,
    /// The text outside the groups, if all of it is literal.
    outline: Option<Outline>,
}

impl RegexPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        // First without the parentheses below: `a)|(b` is malformed, but valid between them.
        compile(text)?;
        // A regex with `(?x)` may end with a comment, which would include the closing parenthesis.
        // So end the comment with a line feed, which is white space there.
        let regex = compile(&format!(r"\A(?:{text})\z"))
            .or_else(|_| compile(&format!("\\A(?:{text}\n)\\z")))?;
        let groups = regex.captures_len() - 1;
        let names: Vec<_> = regex.capture_names().flatten().map(str::to_owned).collect();
        if !names.is_empty() && names.len() != groups {
            return Err(Problem::NamedAndUnnamed);
        }
        let outline = Outline::of(text, groups);
        Ok(Self { text: text.to_owned(), names, regex, outline })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn argument_count(&self) -> usize {
        self.regex.captures_len() - 1
    }

    pub(super) fn argument_names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn is_match(&self, path: &[u8]) -> bool {
        self.regex.is_match(path)
    }

    /// Returns the matcher of this pattern.
    pub(super) fn matcher(&self) -> Matcher {
        let prefix = self.outline.as_ref().map_or("", Outline::prefix);
        Matcher {
            prefix: prefix.as_bytes().into(),
            locations: RefCell::new(self.regex.capture_locations()),
            regex: self.regex.clone(),
        }
    }

    pub(super) fn reverse(&self, arguments: &[&str]) -> Result<String, ReverseError> {
        ReverseError::check_count(self.argument_count(), arguments.len())?;
        let outline = self.outline.as_ref().ok_or_else(ReverseError::irreversible)?;
        // The first set is Tornado's. But a group may refuse slashes, or refuse escapes.
        [RESERVED_BUT_SLASH, RESERVED, NOT_IN_SEGMENTS_BUT_SLASH, NOT_IN_SEGMENTS]
            .into_iter()
            .map(|escaped| outline.fill(arguments, escaped))
            .find(|path| self.is_matched(path, arguments))
            .ok_or_else(ReverseError::unmatched)
    }

    /// Whether the regex matches `path` with these `arguments`.
    fn is_matched(&self, path: &str, arguments: &[&str]) -> bool {
        self.regex.captures(path.as_bytes()).is_some_and(|captures| {
            let groups = captures.iter().skip(1);
            groups.zip(arguments).all(|(group, argument)| {
                let raw = group.map_or(&b""[..], |group| group.as_bytes());
                decode_argument(raw).is_ok_and(|decoded| decoded == *argument)
            })
        })
    }
}

/// Matches paths by a regular expression.
#[derive(Debug)]
pub(super) struct Matcher {
    /// Every path that matches begins with this. A comparison takes about 30 instructions; running
    /// a regex that fails after a few bytes takes 550.
    prefix: Box<[u8]>,
    regex: Regex,
    /// Reused, so that matching does not allocate.
    locations: RefCell<CaptureLocations>,
}

impl Matcher {
    /// Whether the regex matches the whole `path`. If so, puts its groups into `arguments`.
    pub(super) fn matches(&self, path: &[u8], arguments: &mut Arguments) -> bool {
        if !path.starts_with(&self.prefix) {
            return false;
        }
        let mut locations = self.locations.borrow_mut();
        if self.regex.captures_read(&mut locations, path).is_none() {
            return false;
        }
        let groups = 1..locations.len();
        arguments.set(groups.map(|group| locations.get(group).map(|(start, end)| start..end)));
        true
    }
}

/// Compiles `text` to match bytes. Paths are percent-encoded, so Unicode is off: `.` is any byte
/// but a line feed, and the classes are small.
fn compile(text: &str) -> Result<Regex, Problem> {
    let built = RegexBuilder::new(text).unicode(false).build();
    built.map_err(|error| Problem::Regex(error.to_string()))
}

#[cfg(test)]
mod tests;
