//! [`Table`]: builds a valid route table from the rows of the user. Merges rows of functions for
//! the same paths, and refuses rows that no request can reach.

use std::collections::HashMap;
use std::rc::Rc;

use crate::application::fault::{Fault, RowAt, TableError};
use crate::application::flatten::{Fallback, Flat, ScopeFault, Surroundings};
use crate::application::route::{Route, Row};
use crate::handler::functions::Functions;
use crate::http::{HeaderValue, Method};
use crate::routing::{HostPattern, Pattern};

/// The rows that were added, all of which are valid.
#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) fallbacks: Vec<Fallback>,
    /// The rows by name. A merged row may have several names.
    pub(super) names: HashMap<String, usize>,
    /// Where each row was first written.
    places: Vec<RowAt>,
    /// Where the function for each method of a row was written.
    functions: HashMap<(usize, Method), RowAt>,
    /// The rows without arguments, by their host and path.
    paths: HashMap<(Option<HostPattern>, String), usize>,
    /// The other rows.
    patterns: Vec<usize>,
}

impl Table {
    pub(super) fn new(routes: impl IntoIterator<Item = Route>) -> Result<Self, TableError> {
        let mut flat = Flat::default();
        for route in routes {
            let added = flat.add(route, &Surroundings::default());
            added.map_err(|ScopeFault { text, location, fault }| {
                let number = flat.rows.len() + 1;
                TableError { place: RowAt { number, pattern: text, location }, fault }
            })?;
        }
        let Flat { rows, fallbacks } = flat;
        let mut table = Self { fallbacks, ..Self::default() };
        for (number, row) in (1..).zip(rows) {
            let place = RowAt { number, pattern: row.text.clone(), location: row.location };
            if let Err(fault) = table.add(row, &place) {
                return Err(TableError { place, fault });
            }
        }
        Ok(table)
    }

    fn add(&mut self, mut route: Row, place: &RowAt) -> Result<(), Fault> {
        let pattern = route.pattern.clone().map_err(Fault::Pattern)?;
        check_arguments(&route, &pattern)?;
        let methods = methods(&mut route)?;
        let name = route.name.clone();
        let row = match self.earlier(&pattern, route.host.as_ref()) {
            None => self.push(route, &pattern, place),
            Some((row, Earlier::Same)) => self.merge(row, route, &methods)?,
            Some((row, Earlier::Covers)) => return Err(Fault::Covered(self.places[row].clone())),
        };
        self.functions.extend(methods.into_iter().map(|method| ((row, method), place.clone())));
        self.add_name(name, row)
    }

    /// Returns the first row for the same host that matches all paths of `pattern`.
    fn earlier(&self, pattern: &Pattern, host: Option<&HostPattern>) -> Option<(usize, Earlier)> {
        let path = pattern.literal().map(|path| (host.cloned(), path));
        if let Some(row) = path.and_then(|path| self.paths.get(&path)) {
            return Some((*row, Earlier::Same));
        }
        let of_host = |row: &&usize| self.rows[**row].host.as_ref() == host;
        self.patterns.iter().filter(of_host).find_map(|&row| {
            let other = self.rows[row].pattern.as_ref().ok()?;
            if other.is_same(pattern) {
                return Some((row, Earlier::Same));
            }
            other.covers(pattern).then_some((row, Earlier::Covers))
        })
    }

    fn push(&mut self, route: Row, pattern: &Pattern, place: &RowAt) -> usize {
        let row = self.rows.len();
        match pattern.literal() {
            Some(path) => drop(self.paths.insert((route.host.clone(), path), row)),
            None => self.patterns.push(row),
        }
        self.rows.push(route);
        self.places.push(place.clone());
        row
    }

    /// Adds the functions of `route`, which have `methods`, to those of `row`.
    fn merge(&mut self, row: usize, mut route: Row, methods: &[Method]) -> Result<usize, Fault> {
        let first = &mut self.rows[row];
        let same = |(one, other): (&Rc<_>, &Rc<_>)| Rc::ptr_eq(one, other);
        let same_around = first.around.len() == route.around.len()
            && first.around.iter().zip(&route.around).all(same);
        if first.options != route.options || !same_around {
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

fn functions(route: &mut Row) -> Option<&mut Functions> {
    route.endpoint.mergeable()?.downcast_mut()
}

/// Returns the methods of the functions of `route`. A handler has none.
fn methods(route: &mut Row) -> Result<Vec<Method>, Fault> {
    let mut found = Vec::new();
    for method in functions(route).iter().flat_map(|functions| functions.methods()) {
        if found.contains(method) {
            return Err(Fault::Repeated(method.clone()));
        }
        found.push(method.clone());
    }
    Ok(found)
}

fn check_arguments(route: &Row, pattern: &Pattern) -> Result<(), Fault> {
    let (function, pattern) = (route.endpoint.path_arguments(), pattern.argument_count());
    match function > pattern {
        true => Err(Fault::Arguments { function, pattern }),
        false => Ok(()),
    }
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
