//! A list of the rows, for people.

use std::fmt;
use std::panic::Location;

use super::Application;
use crate::http::Method;

/// A row of the route table, as [`Application::routes`] lists it.
///
/// It is printed as one line: the methods, the host and the pattern, the name, and the line of the
/// program that added it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The methods that have a function. Empty for a handler, which decides for each request.
    pub methods: Vec<Method>,
    /// The host, if the row is for one only.
    pub host: Option<String>,
    /// The pattern, with the prefixes of its scopes.
    pub pattern: String,
    /// The name.
    pub name: Option<String>,
    /// The line of the program that added the row.
    pub location: &'static Location<'static>,
}

impl fmt::Display for RouteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        let methods = if methods.is_empty() { "(handler)".to_owned() } else { methods.join(",") };
        let host = self.host.as_deref().unwrap_or_default();
        write!(f, "{methods:<16} {host}{:<32} ", self.pattern)?;
        write!(f, "{:<12} {}", self.name.as_deref().unwrap_or("-"), self.location)
    }
}

impl Application {
    /// Lists the rows of the route table, in the order in which they are tried. Merged rows of
    /// functions are one.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{Application, get, host, route, scope};
    ///
    /// let app = Application::new([
    ///     scope("/api", [route("/notes", get(async || "notes").post(async || "saved"))]),
    ///     host("www.example.com", [route("/", get(async || "home")).name("home")]),
    /// ]);
    /// let lines: Vec<_> = app.routes().iter().map(ToString::to_string).collect();
    /// assert!(lines[0].starts_with("GET,POST         /api/notes "), "{}", lines[0]);
    /// assert!(lines[1].starts_with("GET              www.example.com/ "), "{}", lines[1]);
    /// ```
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        let rows = self.rows.iter().map(|row| RouteInfo {
            methods: row.endpoint.methods(),
            host: row.host.as_ref().map(ToString::to_string),
            pattern: row.text.clone(),
            name: row.name.clone(),
            location: row.location,
        });
        rows.collect()
    }
}
