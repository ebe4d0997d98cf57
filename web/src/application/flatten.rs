//! From nested groups of rows to one list.

use std::panic::Location;
use std::rc::Rc;

use super::fault::Fault;
use super::middleware::Around;
use super::route::{Entry, PatternKind, Route, Row, Scope};
use crate::context::policy::RouteOptions;
use crate::handler::endpoint::Endpoint;
use crate::routing::{HostPattern, Pattern, PatternError, literal_regex};

/// A scope that answers requests which no row matches.
pub(super) struct Fallback {
    /// The paths below the prefix, and the prefix itself.
    pub(super) patterns: [Pattern; 2],
    pub(super) host: Option<HostPattern>,
    pub(super) endpoint: Option<(Box<dyn Endpoint>, &'static Location<'static>)>,
    pub(super) around: Vec<Rc<dyn Around>>,
}

/// The rows of all scopes, and the fallbacks. Inner ones come first.
#[derive(Default)]
pub(super) struct Flat {
    pub(super) rows: Vec<Row>,
    pub(super) fallbacks: Vec<Fallback>,
}

/// What the scopes around a row add to it.
#[derive(Clone, Default)]
pub(super) struct Surroundings {
    prefix: String,
    host: Option<HostPattern>,
    options: RouteOptions,
    around: Vec<Rc<dyn Around>>,
}

impl Flat {
    /// Adds `route`, or the rows of the scope that it is.
    ///
    /// # Errors
    ///
    /// Returns the fault of the scope, with its text and its line.
    pub(super) fn add(&mut self, route: Route, outer: &Surroundings) -> Result<(), ScopeFault> {
        let Route { entry, options, around, location } = route;
        let inner = Surroundings {
            prefix: outer.prefix.clone(),
            host: outer.host.clone(),
            options: options.within(&outer.options),
            around: [outer.around.as_slice(), &around].concat(),
        };
        match entry {
            Entry::Row { text, kind, name, endpoint } => {
                self.add_row(inner, &text, kind, name, endpoint, location)
            }
            Entry::Scope(scope) => self.add_scope(scope, inner, location),
        }
    }

    fn add_row(
        &mut self,
        around: Surroundings,
        text: &str,
        kind: PatternKind,
        name: Option<String>,
        endpoint: Box<dyn Endpoint>,
        location: &'static Location<'static>,
    ) -> Result<(), ScopeFault> {
        let Surroundings { prefix, host, options, around } = around;
        let text = match kind {
            // Without its slash, the row would continue the last segment of the prefix.
            PatternKind::Segments if !text.is_empty() && !text.starts_with('/') => text.to_owned(),
            PatternKind::Segments => format!("{prefix}{text}"),
            PatternKind::Regex if prefix.contains(['{', '}']) => {
                let (text, fault) = (text.to_owned(), Fault::RegexInScope(prefix));
                return Err(ScopeFault { text, location, fault });
            }
            PatternKind::Regex => format!("{}{text}", literal_regex(&prefix)),
        };
        let pattern = kind.parse(&text).map(Rc::new);
        self.rows.push(Row { pattern, text, host, endpoint, name, options, around, location });
        Ok(())
    }

    fn add_scope(
        &mut self,
        scope: Scope,
        mut inner: Surroundings,
        location: &'static Location<'static>,
    ) -> Result<(), ScopeFault> {
        let Scope { prefix, host, rows, fallback } = scope;
        let fault = |fault| ScopeFault { text: prefix.clone(), location, fault };
        if prefix.ends_with('/') || !prefix.is_empty() && !prefix.starts_with('/') {
            return Err(fault(Fault::Prefix));
        }
        inner.prefix.push_str(&prefix);
        match host {
            None => {}
            Some(Ok(host)) if inner.host.is_none() => inner.host = Some(host),
            Some(Ok(_)) => return Err(fault(Fault::HostInHost)),
            Some(Err(error)) => return Err(fault(Fault::Host(error))),
        }
        for row in rows {
            self.add(row, &inner)?;
        }
        if fallback.is_some() || !inner.around.is_empty() {
            let patterns = below(&inner.prefix).map_err(|error| fault(Fault::Pattern(error)))?;
            let (host, around) = (inner.host, inner.around);
            self.fallbacks.push(Fallback { patterns, host, endpoint: fallback, around });
        }
        Ok(())
    }
}

/// Returns patterns for all paths below `prefix`, and for the prefix itself.
fn below(prefix: &str) -> Result<[Pattern; 2], PatternError> {
    let below = Pattern::parse(&format!("{prefix}/{{*_below_}}"))?;
    let itself = if prefix.is_empty() { below.clone() } else { Pattern::parse(prefix)? };
    Ok([below, itself])
}

/// The fault of a scope or a row, before the table numbers it.
pub(super) struct ScopeFault {
    pub(super) text: String,
    pub(super) location: &'static Location<'static>,
    pub(super) fault: Fault,
}
