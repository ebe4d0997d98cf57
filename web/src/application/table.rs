//! [`Table`]: builds a valid route table from the rows of the user. Merges rows of functions for
//! the same paths, and refuses rows that no request can reach.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use crate::application::route::Route;
use crate::handler::functions::Functions;
use crate::http::{HeaderValue, Method};
use crate::routing::{Pattern, ReverseError};

mod error;

pub use error::TableError;

use error::{Fault, RowAt};

/// The rows that were added, all of which are valid.
#[derive(Default)]
pub(super) struct Table {
    pub(super) routes: Vec<Route>,
    /// The rows by name. A merged row may have several names.
    pub(super) names: HashMap<String, usize>,
    /// Where each row was first written.
    places: Vec<RowAt>,
    /// Where the function for each method of a row was written.
    functions: HashMap<(usize, Method), RowAt>,
    /// The rows without arguments, by their path.
    paths: HashMap<String, usize>,
    /// The other rows.
    patterns: Vec<usize>,
}

impl Table {
    pub(super) fn new(rows: impl IntoIterator<Item = Route>) -> Result<Self, TableError> {
        let mut table = Self::default();
        for (number, route) in (1..).zip(rows) {
            let place = RowAt { number, pattern: route.text.clone(), location: route.location };
            if let Err(fault) = table.add(route, &place) {
                return Err(TableError { place, fault });
            }
        }
        Ok(table)
    }

    fn add(&mut self, mut route: Route, place: &RowAt) -> Result<(), Fault> {
        let pattern = route.pattern.clone().map_err(Fault::Pattern)?;
        check_arguments(&route, &pattern)?;
        let methods = methods(&mut route)?;
        let name = route.name.clone();
        let row = match self.earlier(&pattern) {
            None => self.push(route, &pattern, place),
            Some((row, Earlier::Same)) => self.merge(row, route, &methods)?,
            Some((row, Earlier::Covers)) => return Err(Fault::Covered(self.places[row].clone())),
        };
        self.functions.extend(methods.into_iter().map(|method| ((row, method), place.clone())));
        self.add_name(name, row)
    }

    /// Returns the first row that matches all paths of `pattern`.
    fn earlier(&self, pattern: &Pattern) -> Option<(usize, Earlier)> {
        let path = pattern.literal();
        if let Some(row) = path.and_then(|path| self.paths.get(&path)) {
            return Some((*row, Earlier::Same));
        }
        self.patterns.iter().find_map(|&row| {
            let other = self.routes[row].pattern.as_ref().ok()?;
            if other.is_same(pattern) {
                return Some((row, Earlier::Same));
            }
            other.covers(pattern).then_some((row, Earlier::Covers))
        })
    }

    fn push(&mut self, route: Route, pattern: &Pattern, place: &RowAt) -> usize {
        let row = self.routes.len();
        match pattern.literal() {
            Some(path) => drop(self.paths.insert(path, row)),
            None => self.patterns.push(row),
        }
        self.routes.push(route);
        self.places.push(place.clone());
        row
    }

    /// Adds the functions of `route`, which have `methods`, to those of `row`.
    fn merge(&mut self, row: usize, mut route: Route, methods: &[Method]) -> Result<usize, Fault> {
        let first = &mut self.routes[row];
        if first.options != route.options {
            return Err(Fault::Options(self.places[row].clone()));
        }
        let (Some(functions), Some(others)) = (functions(first), functions(&mut route)) else {
            return Err(Fault::Handler(self.places[row].clone()));
        };
        for method in methods {
            if let Some(other) = self.functions.get(&(row, method.clone())) {
                return Err(Fault::Function { method: method.clone(), other: other.clone() });
            }
        }
        functions.merge(others);
        Ok(row)
    }

    fn add_name(&mut self, name: Option<String>, row: usize) -> Result<(), Fault> {
        let Some(name) = name else { return Ok(()) };
        match self.names.get(&name) {
            Some(other) if *other != row => {
                Err(Fault::Name { name, other: self.places[*other].clone() })
            }
            _ => {
                self.names.insert(name, row);
                Ok(())
            }
        }
    }
}

/// How an earlier row matches all paths of a later one.
enum Earlier {
    /// It has the same pattern.
    Same,
    /// Its pattern matches all paths of the later row, and possibly others.
    Covers,
}

fn functions(route: &mut Route) -> Option<&mut Functions> {
    route.endpoint.mergeable()?.downcast_mut()
}

/// Returns the methods of the functions of `route`. A handler has none.
fn methods(route: &mut Route) -> Result<Vec<Method>, Fault> {
    let mut found = Vec::new();
    for method in functions(route).iter().flat_map(|functions| functions.methods()) {
        if found.contains(method) {
            return Err(Fault::Repeated(method.clone()));
        }
        found.push(method.clone());
    }
    Ok(found)
}

fn check_arguments(route: &Route, pattern: &Pattern) -> Result<(), Fault> {
    let (function, pattern) = (route.endpoint.path_arguments(), pattern.argument_count());
    match function > pattern {
        true => Err(Fault::Arguments { function, pattern }),
        false => Ok(()),
    }
}

/// The reason why [`Application::reverse_url`](crate::Application::reverse_url) returns no path.
#[derive(Debug)]
pub enum ReverseUrlError {
    /// No route has that name.
    UnknownName(String),
    /// The arguments do not match the pattern, or the pattern cannot be reversed.
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

/// Returns the value of an `Allow` header: the methods of the endpoint, and `OPTIONS`, which is
/// always allowed.
pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    let mut text = String::new();
    for method in methods.iter().filter(|method| **method != Method::OPTIONS) {
        text.push_str(method.as_str());
        text.push_str(", ");
    }
    text.push_str("OPTIONS");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}
