//! Groups of rows: below a prefix, or for a host. And rows that redirect.

use std::panic::Location;

use super::route::{Entry, PatternKind, Route, Scope};
use crate::context::Context;
use crate::error::Result;
use crate::handler::endpoint::{Endpoint, IntoEndpoint};
use crate::http::{Method, StatusCode};
use crate::routing::HostPattern;
use crate::types::local_future::LocalBoxFuture;

/// Puts `prefix` before the patterns of `rows`.
///
/// The texts are joined: in `scope("/api", …)`, the row `"/notes"` matches `/api/notes`, and the row
/// `""` matches `/api`. The prefix begins with `/`, does not end with one, and may have arguments,
/// which come before those of the rows. Scopes can be nested, and rows of the same paths are
/// [merged](crate::Application::new) across scopes.
///
/// The options and the middleware of a scope apply to all of its rows. [`Route::fallback`] answers
/// the requests below the prefix that no row matches.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, get, post, route, scope};
///
/// async fn show(team: String, id: u64) -> String {
///     format!("note {id} of {team}")
/// }
///
/// let notes = scope("/notes", [
///     route("", post(async |_team: String| "saved")),
///     route("/{id}", get(show)).name("note"),
/// ]);
/// let app = Application::new([scope("/teams/{team}", [notes])]);
/// assert_eq!(app.reverse_url("note", &["blue", "7"]).unwrap(), "/teams/blue/notes/7");
///
/// let client = TestClient::new(app);
/// assert_eq!(client.post("/teams/blue/notes").send().text(), "saved");
/// assert_eq!(client.get("/teams/blue/notes/7").send().text(), "note 7 of blue");
/// ```
#[track_caller]
pub fn scope(prefix: &str, rows: impl IntoIterator<Item = Route>) -> Route {
    let rows = rows.into_iter().collect();
    let scope = Scope { prefix: prefix.to_owned(), host: None, rows, fallback: None };
    Route::of(Entry::Scope(scope), Location::caller())
}

/// Serves `rows` to requests for one host only: `api.example.com`, or `*.example.com` for all
/// subdomains of a domain.
///
/// The host of a request is the authority of its target, or its `Host` header, without the port. The
/// case does not matter. If no row of a matching host matches the path, the rows without a host are
/// tried. Behind a proxy, configure it to pass the `Host` header on.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, get, host, route};
///
/// let app = Application::new([
///     host("api.example.com", [route("/", get(async || "the API"))]),
///     host("*.example.com", [route("/", get(async || "a subdomain"))]),
///     route("/", get(async || "any other host")),
/// ]);
/// let client = TestClient::new(app);
/// let text = |host: &str| client.get("/").header("Host", host).send().text();
/// assert_eq!(text("api.example.com:8000"), "the API");
/// assert_eq!(text("www.example.com"), "a subdomain");
/// assert_eq!(text("example.com"), "any other host");
/// ```
#[track_caller]
pub fn host(pattern: &str, rows: impl IntoIterator<Item = Route>) -> Route {
    let (host, rows) = (Some(HostPattern::parse(pattern)), rows.into_iter().collect());
    let scope = Scope { prefix: String::new(), host, rows, fallback: None };
    Route::of(Entry::Scope(scope), Location::caller())
}

/// Redirects requests whose path matches `pattern` to `url`, for good: 301, as Tornado's
/// `RedirectHandler` does.
///
/// `{name}` in `url` stands for the path argument of that name, as the client has sent it. The query
/// of the request is appended. Only `GET` and `HEAD` are redirected. For another status, write a
/// function that returns a [`Redirect`](crate::Redirect).
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, redirect};
///
/// let app = Application::new([redirect("/blog/{id}", "/articles/{id}")]);
/// let response = TestClient::new(app).get("/blog/a%20b?page=2").send();
/// assert_eq!(response.status(), 301);
/// assert_eq!(response.header("location"), Some("/articles/a%20b?page=2"));
/// ```
#[track_caller]
pub fn redirect(pattern: &str, url: &str) -> Route {
    let endpoint = Box::new(RedirectEndpoint(url.to_owned()));
    let (text, kind) = (pattern.to_owned(), PatternKind::Segments);
    Route::of(Entry::Row { text, kind, name: None, endpoint }, Location::caller())
}

struct RedirectEndpoint(String);

impl Endpoint for RedirectEndpoint {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::GET, Method::HEAD]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move {
            let mut url = cx.fill_with_path_arguments(&self.0);
            if url.starts_with("//") && !self.0.starts_with("//") {
                // An argument must not become the name of another host.
                url.insert_str(0, "/.");
            }
            let query = cx.query();
            if !query.is_empty() {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&query);
            }
            cx.redirect_with(StatusCode::MOVED_PERMANENTLY, &url)
        })
    }
}

impl Route {
    /// Makes `endpoint` answer the requests below the prefix of this scope that no row matches.
    ///
    /// `endpoint` is functions or a handler, as for [`route`](crate::route()). If it does not have
    /// the method of the request, the response is the usual 404. The middleware of the scope is
    /// around it. See also [`Application::fallback`](crate::Application::fallback).
    ///
    /// # Panics
    ///
    /// Panics for a row, which has no fallback.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Json, StatusCode, get, route, scope};
    ///
    /// async fn not_found() -> (StatusCode, Json<&'static str>) {
    ///     (StatusCode::NOT_FOUND, Json("there is no such resource"))
    /// }
    ///
    /// let api = scope("/api", [route("/notes", get(async || "notes"))]).fallback(get(not_found));
    /// let client = TestClient::new(Application::new([api]));
    /// assert_eq!(client.get("/api/nots").send().text(), "\"there is no such resource\"");
    /// assert!(client.get("/nowhere").send().text().starts_with("<html>"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn fallback<Kind>(mut self, endpoint: impl IntoEndpoint<Kind>) -> Self {
        let location = Location::caller();
        match &mut self.entry {
            Entry::Scope(scope) => scope.fallback = Some((endpoint.into_endpoint(), location)),
            Entry::Row { .. } => panic!("`Route::fallback`: a row has no fallback; use a scope"),
        }
        self
    }
}
