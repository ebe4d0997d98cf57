//! From a pattern and arguments back to a path.

use std::fmt;

use percent_encoding::{AsciiSet, utf8_percent_encode};

/// The reason why a pattern and its arguments do not form a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseError(Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    Count { expected: usize, given: usize },
    Empty(String),
    Irreversible,
    Unmatched,
}

impl ReverseError {
    pub(super) fn check_count(expected: usize, given: usize) -> Result<(), Self> {
        if expected == given { Ok(()) } else { Err(Self(Reason::Count { expected, given })) }
    }

    pub(super) fn empty(name: &str) -> Self {
        Self(Reason::Empty(name.to_owned()))
    }

    pub(super) fn irreversible() -> Self {
        Self(Reason::Irreversible)
    }

    pub(super) fn unmatched() -> Self {
        Self(Reason::Unmatched)
    }
}

impl fmt::Display for ReverseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Count { expected, given } => {
                write!(f, "the route has {expected} arguments, but {given} were given")
            }
            Reason::Empty(name) => write!(f, "the argument `{name}` is empty"),
            Reason::Irreversible => {
                f.write_str("the regex has more than literal text outside its groups")
            }
            Reason::Unmatched => f.write_str("the regex does not match these arguments"),
        }
    }
}

impl std::error::Error for ReverseError {}

/// The text outside the groups of a regex, all of which is literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// Before the first group.
    first: String,
    /// After each group.
    after: Vec<String>,
    /// The length of the beginning of `first` with which every matching path begins.
    prefix: usize,
}

impl Outline {
    /// Parses the outline of `regex`, which is valid and has this number of `groups`. Returns
    /// `None` if some text outside the groups is not literal, or may not be.
    pub(super) fn of(regex: &str, groups: usize) -> Option<Self> {
        let mut reader = Reader {
            rest: regex.strip_prefix('^').unwrap_or(regex),
            outline: Self { first: String::new(), after: Vec::new(), prefix: 0 },
            in_prefix: true,
            last: None,
        };
        while !matches!(reader.rest, "" | "$") {
            reader.read()?;
        }
        reader.end_prefix(0);
        // If the numbers differ, there are nested groups.
        (reader.outline.after.len() == groups).then_some(reader.outline)
    }

    /// Returns the beginning of every path that the regex matches.
    pub(super) fn prefix(&self) -> &str {
        &self.first[..self.prefix]
    }

    /// Puts the arguments in place of the groups. Escapes the characters in `escaped`.
    pub(super) fn fill(&self, arguments: &[&str], escaped: &'static AsciiSet) -> String {
        let mut path = self.first.clone();
        for (argument, after) in arguments.iter().zip(&self.after) {
            path.extend(utf8_percent_encode(argument, escaped));
            path.push_str(after);
        }
        path
    }
}

/// Parses an [`Outline`], token by token.
struct Reader<'a> {
    rest: &'a str,
    outline: Outline,
    /// Whether the prefix has not ended yet.
    in_prefix: bool,
    /// The last token, to which a `?` applies.
    last: Option<Token>,
}

#[derive(Clone, Copy)]
enum Token {
    Literal(char),
    Group,
}

impl Reader<'_> {
    /// Reads a token. Returns `None` if the regex has no outline.
    fn read(&mut self) -> Option<()> {
        let mut characters = self.rest.chars();
        match characters.next()? {
            '\\' => {
                let character = characters.next()?;
                // `\d`, `\x41`, `\b{start}`, `\<`. Tornado does not reverse most of these, either.
                if character.is_alphanumeric() || matches!(character, '<' | '>') {
                    return None;
                }
                self.literal(character);
            }
            '(' => {
                characters = after_group(characters.as_str())?.chars();
                self.end_prefix(0);
                self.outline.after.push(String::new());
                self.last = Some(Token::Group);
            }
            '?' => {
                if let Token::Literal(character) = self.last.take()? {
                    self.end_prefix(character.len_utf8());
                }
            }
            '.' => {
                self.end_prefix(0);
                self.literal('.');
            }
            '*' | '+' | '|' | '[' | ']' | '{' | '}' | ')' | '^' | '$' => return None,
            character => self.literal(character),
        }
        self.rest = characters.as_str();
        Some(())
    }

    fn literal(&mut self, character: char) {
        let outline = &mut self.outline;
        outline.after.last_mut().unwrap_or(&mut outline.first).push(character);
        self.last = Some(Token::Literal(character));
    }

    /// Ends the prefix `back` bytes before the current position.
    fn end_prefix(&mut self, back: usize) {
        if self.in_prefix {
            self.outline.prefix = self.outline.first.len() - back;
            self.in_prefix = false;
        }
    }
}

/// Returns the text after a group. `text` begins after its `(`. Returns `None` if the group is not
/// an argument.
fn after_group(text: &str) -> Option<&str> {
    if text.starts_with('?') && !text.starts_with("?P<") && !text.starts_with("?<") {
        return None;
    }
    let mut depth = 1;
    let mut characters = text.chars();
    while depth > 0 {
        match characters.next()? {
            '\\' => drop(characters.next()?),
            '[' => characters = after_class(characters.as_str())?.chars(),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(characters.as_str())
}

/// Returns the text after a character class. `text` begins after its `[`. Returns `None` if the
/// class contains another one.
fn after_class(text: &str) -> Option<&str> {
    let text = text.strip_prefix('^').unwrap_or(text);
    // A `]` at the beginning does not end the class.
    let text = text.strip_prefix(']').unwrap_or(text);
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '\\' => drop(characters.next()?),
            '[' => return None,
            ']' => return Some(characters.as_str()),
            _ => {}
        }
    }
}
