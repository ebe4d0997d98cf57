//! What makes a route table sound.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use crate::http::{HeaderValue, Method};
use crate::route::Route;
use crate::routing::{PatternError, ReverseError};

/// Why a route table is not sound.
#[derive(Debug)]
pub struct TableError {
    row: usize,
    pattern: String,
    location: &'static std::panic::Location<'static>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Pattern(PatternError),
    Arguments { function: usize, pattern: usize },
    Name { name: String, other: usize },
}

impl TableError {
    /// Which row it is, counted from 1.
    pub fn row(&self) -> usize {
        self.row
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}, {:?}: ", self.row, self.pattern)?;
        match &self.fault {
            Fault::Pattern(error) => write!(f, "{error}")?,
            Fault::Arguments { function, pattern } => {
                write!(
                    f,
                    "its function takes {function} path arguments, the pattern has {pattern}"
                )?;
            }
            Fault::Name { name, other } => {
                write!(f, "the name {name:?} is that of route {other} already")?;
            }
        }
        write!(f, " (at {})", self.location)
    }
}

impl StdError for TableError {}

/// Checks each row; returns the rows by name.
pub(super) fn check(routes: &[Route]) -> Result<HashMap<String, usize>, TableError> {
    let mut names = HashMap::new();
    for (row, route) in routes.iter().enumerate() {
        check_row(row, route, &mut names).map_err(|fault| TableError {
            row: row + 1,
            pattern: route.text.clone(),
            location: route.location,
            fault,
        })?;
    }
    Ok(names)
}

fn check_row(row: usize, route: &Route, names: &mut HashMap<String, usize>) -> Result<(), Fault> {
    let pattern = route.pattern.as_ref().map_err(|error| Fault::Pattern(error.clone()))?;
    let (function, pattern) = (route.endpoint.path_arguments(), pattern.argument_count());
    if function > pattern {
        return Err(Fault::Arguments { function, pattern });
    }
    if let Some(name) = &route.name
        && let Some(other) = names.insert(name.clone(), row)
    {
        return Err(Fault::Name { name: name.clone(), other: other + 1 });
    }
    Ok(())
}

/// Why a route's path could not be told.
#[derive(Debug)]
pub enum ReverseUrlError {
    /// No route has that name.
    UnknownName(String),
    /// The arguments do not fit, or the pattern cannot be reversed.
    Pattern(ReverseError),
}

impl fmt::Display for ReverseUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName(name) => write!(f, "no route is called {name:?}"),
            Self::Pattern(error) => write!(f, "{error}"),
        }
    }
}

impl StdError for ReverseUrlError {}

pub(super) fn reverse(
    routes: &[Route],
    names: &HashMap<String, usize>,
    name: &str,
    arguments: &[&str],
) -> Result<String, ReverseUrlError> {
    let pattern = names.get(name).and_then(|&row| routes[row].pattern.as_ref().ok());
    let pattern = pattern.ok_or_else(|| ReverseUrlError::UnknownName(name.to_owned()))?;
    pattern.reverse(arguments).map_err(ReverseUrlError::Pattern)
}

/// The value of an `Allow` header: the methods of the endpoint, and `OPTIONS`, which is
/// always answered.
pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    let mut text = String::new();
    for method in methods.iter().filter(|method| **method != Method::OPTIONS) {
        text.push_str(method.as_str());
        text.push_str(", ");
    }
    text.push_str("OPTIONS");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}
