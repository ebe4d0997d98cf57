//! From the name of a route to its path.

use std::error::Error as StdError;
use std::fmt;

use crate::context::Context;
use crate::error::Result;
use crate::routing::{Pattern, ReverseError};

impl Context {
    /// Returns the path of the route called `name`, with these path arguments: see
    /// [`Application::reverse_url`](crate::Application::reverse_url).
    ///
    /// # Errors
    ///
    /// 500 if no route has that name, or if the arguments do not match its pattern.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn save(cx: &mut Context) -> Result {
    ///     let url = cx.reverse_url("note", &["7"])?;
    ///     cx.redirect(&url)
    /// }
    ///
    /// let app = Application::new([
    ///     route("/notes", get(save)),
    ///     route("/notes/{id}", get(async |_id: u64| "a note")).name("note"),
    /// ]);
    /// let response = TestClient::new(app).get("/notes").send();
    /// assert_eq!(response.header("location"), Some("/notes/7"));
    /// ```
    #[track_caller]
    pub fn reverse_url(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let policies = &self.exchange.policies;
        let pattern = policies.names.get(name).and_then(|&row| policies.pattern_of(row));
        Ok(reverse(pattern, name, arguments)?)
    }
}

/// Returns the path of `pattern`, which is that of the route called `name`.
pub(crate) fn reverse(
    pattern: Option<&Pattern>,
    name: &str,
    arguments: &[&str],
) -> Result<String, ReverseUrlError> {
    let pattern = pattern.ok_or_else(|| ReverseUrlError::UnknownName(name.to_owned()))?;
    pattern.reverse(arguments).map_err(ReverseUrlError::Pattern)
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
