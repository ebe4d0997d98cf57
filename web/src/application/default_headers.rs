//! The headers of every response.

use std::fmt;

use super::Application;
use crate::http::{HeaderName, HeaderValue};
use crate::http1::header_list::{HeaderList, HeaderRole};

impl Application {
    /// Adds a header to every response, error pages and redirects included. A handler replaces it
    /// with [`set_header`](crate::Context::set_header), and removes it with
    /// [`clear_header`](crate::Context::clear_header). A default `Server` replaces that of Squall.
    ///
    /// # Panics
    ///
    /// Panics if the name or the value is invalid, and for `Content-Length`, `Transfer-Encoding` and
    /// `Connection`, which the server sets.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, get, route};
    ///
    /// let app = Application::new([route("/", get(async || "hello"))])
    ///     .default_header("X-Frame-Options", "DENY")
    ///     .default_header("Server", "mine");
    /// let client = TestClient::new(app);
    /// assert_eq!(client.get("/").send().header("server"), Some("mine"));
    /// assert_eq!(client.get("/nowhere").send().header("x-frame-options"), Some("DENY"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn default_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: fmt::Debug>,
        V: TryInto<HeaderValue, Error: fmt::Debug>,
    {
        let (Ok(name), Ok(value)) = (name.try_into(), value.try_into()) else {
            panic!("`Application::default_header`: not a valid header")
        };
        let is_governed = HeaderRole::of(&name).is_governed();
        assert!(!is_governed, "`Application::default_header`: the server sets {name:?}");
        self.default_headers.get_or_insert_default().set(name, value);
        self
    }

    /// Sends no `Server` header, unless a handler sets one.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::Application;
    ///
    /// let client = TestClient::new(Application::new([]).without_server_header());
    /// assert_eq!(client.get("/").send().header("server"), None);
    /// ```
    #[must_use]
    pub fn without_server_header(mut self) -> Self {
        self.default_headers.get_or_insert_default().leave_out(HeaderRole::Server);
        self
    }

    pub(crate) fn default_headers(&self) -> Option<HeaderList> {
        self.default_headers.clone()
    }
}
