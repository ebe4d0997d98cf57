use std::fmt;

use percent_encoding::{AsciiSet, utf8_percent_encode};

/// A path cannot be made from a pattern and arguments.
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
                f.write_str("the regex has more than literal text outside of its groups")
            }
            Reason::Unmatched => f.write_str("the regex does not match these arguments"),
        }
    }
}

impl std::error::Error for ReverseError {}

/// The text outside of the groups of a regex, in which there is nothing but literal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// Before the first group.
    first: String,
    /// After each group.
    after: Vec<String>,
    /// With how many bytes of `first` each path that matches begins.
    prefix: usize,
}

impl Outline {
    /// Reads the outline of `regex`, which is valid and has so many `groups`. `None` if it
    /// has not that form, also if this is merely hard to tell.
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
        // Otherwise there are groups in groups.
        (reader.outline.after.len() == groups).then_some(reader.outline)
    }

    /// Returns that with which each path begins that the regex matches.
    pub(super) fn prefix(&self) -> &str {
        &self.first[..self.prefix]
    }

    /// Fills the groups in, with what is in `escaped` escaped.
    pub(super) fn fill(&self, arguments: &[&str], escaped: &'static AsciiSet) -> String {
        let mut path = self.first.clone();
        for (argument, after) in arguments.iter().zip(&self.after) {
            path.extend(utf8_percent_encode(argument, escaped));
            path.push_str(after);
        }
        path
    }
}

/// Reads an [`Outline`], token by token.
struct Reader<'a> {
    rest: &'a str,
    outline: Outline,
    /// Whether the prefix has not ended yet.
    in_prefix: bool,
    /// What was read last, and so can be followed by `?`.
    last: Option<Token>,
}

#[derive(Clone, Copy)]
enum Token {
    Literal(char),
    Group,
}

impl Reader<'_> {
    /// Reads a token; `None` if it ends all hope of an outline.
    fn read(&mut self) -> Option<()> {
        let mut characters = self.rest.chars();
        match characters.next()? {
            '\\' => {
                let character = characters.next()?;
                // `\d`, `\x41`, `\b{start}`, `\<`: Tornado gives up on most of these as well.
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

    /// Ends the prefix so many bytes before here.
    fn end_prefix(&mut self, back: usize) {
        if self.in_prefix {
            self.outline.prefix = self.outline.first.len() - back;
            self.in_prefix = false;
        }
    }
}

/// Returns what follows the group that `text` is in, just after its `(`; `None` if the group
/// is no argument.
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

/// Returns what follows the class that `text` is in, just after its `[`; `None` if there is
/// another class in it.
fn after_class(text: &str) -> Option<&str> {
    let text = text.strip_prefix('^').unwrap_or(text);
    // Not its end if it comes first.
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
