//! Patterns of segments, such as `/story/{id}`.

use std::fmt::Write;

use percent_encoding::utf8_percent_encode;

use super::escape::{RESERVED, RESERVED_BUT_SLASH, normal_literal};
use super::pattern::Problem;
use super::reverse::ReverseError;

/// A pattern of segments, such as `/story/{id}`.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    /// The pattern as it was written.
    text: String,
    /// The names of the arguments, in order. No two are the same.
    names: Vec<String>,
    /// Never empty, because `/` has one empty segment. Only the last may be [`Segment::Rest`].
    segments: Vec<Segment>,
}

/// The part of a pattern between two slashes. All text is normally spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    /// An argument and the literal text around it, often none.
    Argument {
        before: String,
        after: String,
    },
    /// The argument that matches the rest of the path, which may be empty.
    Rest,
}

impl Segments {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let inside = text.strip_prefix('/').ok_or(Problem::NoSlash)?;
        let mut names: Vec<String> = Vec::new();
        let mut segments = Vec::new();
        for text in inside.split('/') {
            if let (Some(Segment::Rest), Some(name)) = (segments.last(), names.last()) {
                return Err(Problem::RestNotLast(name.clone()));
            }
            let (segment, name) = parse_segment(text)?;
            if let Some(name) = name {
                if names.contains(&name) {
                    return Err(Problem::DuplicateName(name));
                }
                names.push(name);
            }
            segments.push(segment);
        }
        Ok(Self { text: text.to_owned(), names, segments })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn argument_names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the only path that this matches, if it has no arguments.
    pub(super) fn literal(&self) -> Option<String> {
        self.names.is_empty().then(|| self.reverse(&[]).ok())?
    }

    pub(super) fn reverse(&self, arguments: &[&str]) -> Result<String, ReverseError> {
        ReverseError::check_count(self.names.len(), arguments.len())?;
        let takes_rest = self.segments.last() == Some(&Segment::Rest);
        let never_empty = self.names.len() - usize::from(takes_rest);
        let is_empty = |argument: &&str| argument.is_empty();
        if let Some(empty) = arguments[..never_empty].iter().position(is_empty) {
            return Err(ReverseError::empty(&self.names[empty]));
        }
        let mut path = String::with_capacity(self.text.len());
        let mut arguments = arguments.iter();
        let mut encode =
            |set| utf8_percent_encode(arguments.next().copied().unwrap_or_default(), set);
        for segment in &self.segments {
            // Writing to a string cannot fail.
            let _ = match segment {
                Segment::Literal(text) => write!(path, "/{text}"),
                Segment::Argument { before, after } => {
                    write!(path, "/{before}{}{after}", encode(RESERVED))
                }
                Segment::Rest => write!(path, "/{}", encode(RESERVED_BUT_SLASH)),
            };
        }
        Ok(path)
    }
}

/// Parses the text between two slashes. Also returns the name of the argument in it.
fn parse_segment(text: &str) -> Result<(Segment, Option<String>), Problem> {
    let mut literal = String::new();
    let mut argument: Option<(String, Argument<'_>)> = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            literal.push(character);
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or(Problem::Unclosed)?;
            let name = Argument::parse(name)?;
            if argument.is_some() {
                return Err(Problem::SharedSegment(name.name.to_owned()));
            }
            argument = Some((std::mem::take(&mut literal), name));
            rest = after;
        } else {
            literal.push(literal_character(character)?);
            rest = &rest[character.len_utf8()..];
        }
    }

    let literal = normal_literal(&literal).ok_or(Problem::BadEscape)?;
    let Some((before, Argument { name, is_rest })) = argument else {
        return Ok((Segment::Literal(literal), None));
    };
    let before = normal_literal(&before).ok_or(Problem::BadEscape)?;
    let segment = match is_rest {
        false => Segment::Argument { before, after: literal },
        true if before.is_empty() && literal.is_empty() => Segment::Rest,
        true => return Err(Problem::RestNotAlone(name.to_owned())),
    };
    Ok((segment, Some(name.to_owned())))
}

/// The text in braces.
struct Argument<'a> {
    name: &'a str,
    is_rest: bool,
}

impl<'a> Argument<'a> {
    fn parse(text: &'a str) -> Result<Self, Problem> {
        let name = text.strip_prefix('*').unwrap_or(text);
        let mut characters = name.chars();
        let first = characters.next().ok_or(Problem::NoName)?;
        let begins_well = first.is_alphabetic() || first == '_';
        if !begins_well || !characters.all(|c| c.is_alphanumeric() || c == '_') {
            return Err(Problem::BadName(text.to_owned()));
        }
        Ok(Self { name, is_rest: name.len() < text.len() })
    }
}

/// Refuses characters that can only be a mistake.
fn literal_character(character: char) -> Result<char, Problem> {
    match character {
        '}' => Err(Problem::Unopened),
        '?' | '#' => Err(Problem::NotInPaths(character)),
        _ if character.is_control() => Err(Problem::Control(character)),
        _ => Ok(character),
    }
}
