//! [`TableError`]: why a route table is invalid.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use crate::http::Method;
use crate::routing::{HostError, PatternError};

/// The reason why a route table is invalid.
#[derive(Debug)]
pub struct TableError {
    pub(super) place: RowAt,
    pub(super) fault: Fault,
}

/// A row, as the user wrote it.
#[derive(Clone, Debug)]
pub(super) struct RowAt {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) pattern: String,
    pub(super) location: &'static Location<'static>,
}

#[derive(Debug)]
pub(super) enum Fault {
    Pattern(PatternError),
    /// The prefix of a scope is malformed.
    Prefix,
    /// A regular expression in a scope whose prefix has arguments.
    RegexInScope(String),
    Host(HostError),
    HostInHost,
    Arguments {
        function: usize,
        pattern: usize,
    },
    Name {
        name: String,
        other: RowAt,
    },
    /// The row has two functions for this method.
    Repeated(Method),
    /// Another row for the same paths has a function for this method as well.
    Function {
        method: Method,
        other: RowAt,
    },
    /// Another row for the same paths has other options.
    Options(RowAt),
    /// Another row has the same paths, and one of the two is a handler.
    Handler(RowAt),
    /// An earlier row matches all paths that this one does.
    Covered(RowAt),
}

impl TableError {
    /// Returns the number of the row, counted from 1.
    pub fn row(&self) -> usize {
        self.place.number
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowAt { number, pattern, location } = &self.place;
        write!(f, "route {number}, {pattern:?}: {} (at {location})", self.fault)
    }
}

impl StdError for TableError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) => write!(f, "{error}"),
            Self::Prefix => {
                f.write_str("the prefix of a scope begins with `/` and does not end with one")
            }
            Self::RegexInScope(prefix) => write!(
                f,
                "a regular expression cannot be in the scope {prefix:?}, whose prefix has arguments"
            ),
            Self::Host(error) => write!(f, "{error}"),
            Self::HostInHost => f.write_str("a host cannot be inside of another host"),
            Self::Arguments { function, pattern } => {
                write!(f, "its function takes {function} path arguments, the pattern has {pattern}")
            }
            Self::Name { name, other } => write!(f, "{other} already has the name {name:?}"),
            Self::Repeated(method) => write!(f, "it has two functions for {method}"),
            Self::Function { method, other } => {
                write!(f, "{other} already has a function for {method} and the same paths")
            }
            Self::Options(other) => {
                write!(f, "{other} has the same pattern and other options or middleware")
            }
            Self::Handler(other) => write!(
                f,
                "{other} has the same pattern, and only functions of two rows can be merged"
            ),
            Self::Covered(other) => write!(
                f,
                "no request can reach it, because {other} comes first and matches the same paths"
            ),
        }
    }
}

impl fmt::Display for RowAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}, {:?} (at {}),", self.number, self.pattern, self.location)
    }
}
