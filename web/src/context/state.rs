//! [`State`]: what the application shares between its requests.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::context::Context;
use crate::error::Result;

/// The state of the application with the type `T`, as a parameter of a function.
///
/// [`Application::state`](crate::Application::state) sets it. All requests of a worker share it, so
/// use a `Cell` or a `RefCell` for what changes. It need not be `Send`. Each worker process has its
/// own. [`Context::state`] returns the same value in a handler.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// use squall::testing::TestClient;
/// use squall::{Application, State, get, route};
///
/// #[derive(Default)]
/// struct Visits(Cell<u32>);
///
/// async fn visit(visits: State<Visits>) -> String {
///     visits.0.set(visits.0.get() + 1);
///     visits.0.get().to_string()
/// }
///
/// let app = Application::new([route("/", get(visit))]).state(Visits::default());
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/").send().text(), "1");
/// assert_eq!(client.get("/").send().text(), "2");
/// ```
#[derive(Debug)]
pub struct State<T: ?Sized>(Rc<T>);

impl<T: ?Sized> State<T> {
    /// Returns the shared value, for a task that outlives the request.
    #[must_use]
    pub fn into_rc(self) -> Rc<T> {
        self.0
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Context {
    /// Returns the [state](crate::Application::state) of the application with the type `T`.
    ///
    /// # Errors
    ///
    /// 500 if the application has no state of this type. A function with a [`State`] parameter
    /// never runs into this, because [`Application::check`](crate::Application::check) finds it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, RequestHandler, Result, route};
    /// #[derive(Clone)]
    /// struct Home;
    ///
    /// impl RequestHandler for Home {
    ///     async fn get(&mut self, cx: &mut Context) -> Result {
    ///         let title = cx.state::<String>()?;
    ///         cx.write(title.as_str())
    ///     }
    /// }
    ///
    /// let app = Application::new([route("/", Home)]).state("Notes".to_owned());
    /// assert_eq!(TestClient::new(app).get("/").send().text(), "Notes");
    /// ```
    #[track_caller]
    pub fn state<T: 'static>(&self) -> Result<State<T>> {
        match self.connection.server.state.get() {
            Some(value) => Ok(State(value)),
            None => Err(NoState(type_name::<T>()).into()),
        }
    }
}

/// The application has no state of the type.
#[derive(Debug)]
struct NoState(&'static str);

impl fmt::Display for NoState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application has no state of type `{}`: see `Application::state`", self.0)
    }
}

impl std::error::Error for NoState {}
