//! The names of topics, and patterns of names.

use std::fmt;

use super::MAX_MESSAGE;
use crate::types::text::Text;

/// The longest name of a topic, in bytes.
pub const MAX_NAME: usize = 255;

/// The end of a pattern that matches all names with a prefix.
const ANY: char = '*';

/// The topics of a subscription: an exact name, or a prefix followed by `*`.
///
/// # Examples
///
/// ```
/// use squall::topics::Pattern;
///
/// let pattern = Pattern::new("price/*")?;
/// assert!(pattern.matches("price/gold"));
/// assert!(!pattern.matches("stock/gold"));
/// assert!(Pattern::new("price/*/gold").is_err());
/// # Ok::<(), squall::topics::TopicError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pattern {
    /// With the `*`.
    text: Text,
}

impl Pattern {
    /// Checks a pattern.
    ///
    /// # Errors
    ///
    /// [`TopicError`] if it is empty, has more than [`MAX_NAME`] bytes, has a `*` before its end,
    /// or has a control character.
    pub fn new(pattern: impl AsRef<str>) -> Result<Self, TopicError> {
        let pattern = pattern.as_ref();
        match pattern.strip_suffix(ANY) {
            Some("") => {}
            Some(prefix) => check(prefix, pattern)?,
            None => check(pattern, pattern)?,
        }
        Ok(Self { text: Text::copied(pattern) })
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn text(&self) -> &Text {
        &self.text
    }

    /// Returns the prefix before the `*`. `None` if the pattern is an exact name.
    pub fn prefix(&self) -> Option<&str> {
        self.text.strip_suffix(ANY)
    }

    /// Says whether a message to `topic` matches.
    pub fn matches(&self, topic: &str) -> bool {
        match self.prefix() {
            Some(prefix) => topic.starts_with(prefix),
            None => topic == self.as_str(),
        }
    }
}

/// Checks the name of a topic.
pub(super) fn check_name(name: &str) -> Result<(), TopicError> {
    check(name, name)
}

fn check(name: &str, whole: &str) -> Result<(), TopicError> {
    let is_allowed = |c: char| c != ANY && !c.is_control();
    if name.is_empty() {
        return Err(TopicError::Empty);
    }
    if whole.len() > MAX_NAME {
        return Err(TopicError::TooLong { length: whole.len() });
    }
    match name.chars().find(|&c| !is_allowed(c)) {
        Some(character) => Err(TopicError::Character { name: Text::copied(whole), character }),
        None => Ok(()),
    }
}

/// A name, pattern or message that topics do not accept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TopicError {
    /// The name is empty.
    Empty,
    /// The name has more than [`MAX_NAME`] bytes.
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// The name has a control character, or a `*` that does not end a pattern.
    Character {
        /// The whole name or pattern.
        name: Text,
        /// The first character that is not accepted.
        character: char,
    },
    /// The message has more than [`MAX_MESSAGE`] bytes.
    MessageTooLong {
        /// How many bytes it has.
        length: usize,
    },
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name of a topic is empty"),
            Self::TooLong { length } => {
                write!(f, "the name of a topic has {length} bytes, more than {MAX_NAME}")
            }
            Self::Character { name, character } => {
                write!(f, "topic {:?}: {character:?} is not accepted there", &**name)
            }
            Self::MessageTooLong { length } => {
                write!(f, "a message to a topic has {length} bytes, more than {MAX_MESSAGE}")
            }
        }
    }
}

impl std::error::Error for TopicError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_a_prefix_with_a_star() {
        for good in ["a", "*", "a*", "room/lobby", "ä/ö*", &"n".repeat(MAX_NAME)] {
            assert!(Pattern::new(good).is_ok(), "{good}");
        }
        for bad in ["", "**", "a*b", "*a", "a\n", "a\u{7f}", "a\u{85}*", &"n".repeat(MAX_NAME + 1)]
        {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
        assert!(check_name("a*").is_err());
    }

    #[test]
    fn an_error_names_the_topic_and_the_character() {
        let error = Pattern::new("a*b").unwrap_err();
        assert_eq!(error.to_string(), "topic \"a*b\": '*' is not accepted there");
        let error = check_name(&"n".repeat(300)).unwrap_err();
        assert_eq!(error.to_string(), "the name of a topic has 300 bytes, more than 255");
    }

    #[test]
    fn a_prefix_matches_itself_and_all_that_begin_with_it() {
        let pattern = Pattern::new("price*").unwrap();
        assert!(pattern.matches("price") && pattern.matches("prices"));
        assert!(!pattern.matches("pric"));
        assert!(Pattern::new("*").unwrap().matches("anything"));
        assert!(!Pattern::new("a").unwrap().matches("ab"));
    }
}
