//! The state that an application shares between its requests, and the check that none is missing.

use std::any::type_name;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::Application;
use crate::handler::parameters::needs::Needs;
use crate::types::local_future::LocalBoxFuture;
use crate::types::state_map::StateMap;

impl Application {
    /// Adds a value that all requests of a worker share. Functions take it as
    /// [`State<T>`](crate::State), and handlers call [`Context::state`](crate::Context::state).
    ///
    /// An application has one value of each type. The value need not be `Send`. Use a `Cell` or a
    /// `RefCell` for what changes. Each worker process has a copy of its own: build values that must
    /// not cross a fork, such as connections to a database, in
    /// [`HTTPServer::with`](crate::HTTPServer::with).
    ///
    /// # Panics
    ///
    /// Panics if there is a value of this type already. Wrap one of them in a type of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, State, get, route};
    ///
    /// struct Title(&'static str);
    ///
    /// async fn home(title: State<Title>) -> String {
    ///     format!("Welcome to {}", title.0)
    /// }
    ///
    /// let app = Application::new([route("/", get(home))]).state(Title("Notes"));
    /// assert_eq!(TestClient::new(app).get("/").send().text(), "Welcome to Notes");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn state<T: 'static>(self, value: T) -> Self {
        let name = type_name::<T>();
        assert!(self.state.add(value), "the application has a state of type `{name}` already");
        self
    }

    /// Checks that the application has all state that its functions take.
    ///
    /// [`HTTPServer`](crate::HTTPServer) and [`TestClient`](crate::testing::TestClient) call this,
    /// and refuse the application if it fails. Call it yourself in a test of the route table.
    ///
    /// # Errors
    ///
    /// Returns the first row that needs a state that is missing, and its type.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{Application, State, get, route};
    ///
    /// struct Db;
    ///
    /// async fn list(_db: State<Db>) {}
    ///
    /// let error = Application::new([route("/notes", get(list))]).check().unwrap_err();
    /// let text = error.to_string();
    /// assert!(text.starts_with("route \"/notes\""), "{text}");
    /// assert!(text.contains("::Db`"), "{text}");
    /// ```
    pub fn check(&self) -> Result<(), MissingState> {
        let rows = self.rows.iter().map(|row| (&*row.endpoint, &*row.text, row.location));
        let fallbacks = self.fallbacks.endpoints();
        let fallbacks = fallbacks.map(|(endpoint, location)| (endpoint, "(fallback)", location));
        for (endpoint, pattern, location) in rows.chain(fallbacks) {
            let mut needs = Needs::default();
            endpoint.needs(&mut needs);
            if let Some((_, name)) = needs.types().find(|(id, _)| !self.state.has(*id)) {
                return Err(MissingState { pattern: pattern.to_owned(), location, name });
            }
        }
        Ok(())
    }

    /// Adds a function that runs when the worker ends, after its last request: close connections to
    /// databases here, or write what is left in a buffer.
    ///
    /// The functions run one after the other, in the order in which they were added, in each worker
    /// that ends gracefully. They have the rest of the
    /// [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout), and at least one second. A panic is
    /// logged, and the next function runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use squall::Application;
    /// use squall::testing::TestClient;
    ///
    /// let closed = Rc::new(Cell::new(false));
    /// let database = Rc::clone(&closed);
    /// let app = Application::new([]).on_stop(async move || database.set(true));
    /// TestClient::new(app).finish_shutdown();
    /// assert!(closed.get());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn on_stop(self, stop: impl AsyncFnOnce() + 'static) -> Self {
        let location = Location::caller();
        let begin = Box::new(move || -> LocalBoxFuture<'static, ()> {
            Box::pin(async move { stop().await })
        });
        self.on_stop.borrow_mut().push(StopHook { location, begin });
        self
    }

    pub(crate) fn take_stop_hooks(&self) -> Vec<StopHook> {
        self.on_stop.take()
    }

    pub(crate) fn shared_state(&self) -> &Rc<StateMap> {
        &self.state
    }
}

/// A function of [`Application::on_stop`], and the line that added it.
pub(crate) struct StopHook {
    pub(crate) location: &'static Location<'static>,
    pub(crate) begin: Box<dyn FnOnce() -> LocalBoxFuture<'static, ()>>,
}

/// A function takes a state that the application does not have: see [`Application::check`].
#[derive(Debug)]
pub struct MissingState {
    pattern: String,
    location: &'static Location<'static>,
    name: &'static str,
}

impl fmt::Display for MissingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, location, name } = self;
        write!(
            f,
            "route {pattern:?}, at {location}, takes a state of type `{name}`, which the \
             application does not have: add it with `Application::state`"
        )
    }
}

impl StdError for MissingState {}
