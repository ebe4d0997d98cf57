//! Handlers as functions: [`get`], [`post`] and the other constructors of [`Functions`].

use std::any::Any;
use std::fmt;
use std::future::ready;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::context::Context;
use crate::error::{HTTPError, KnownFailures, Result};
use crate::handler::drive::drive;
use crate::handler::endpoint::{Endpoint, IntoEndpoint, Started, kind};
use crate::handler::future_slot::{Answered, RunningHandler, in_slot};
use crate::handler::parameters::needs::Needs;
use crate::handler::parameters::{Invoke, Parameters, Takes};
use crate::handler::respond::Respond;
use crate::http::Method;
use crate::types::drop_each::DropEach;
use crate::types::local_future::LocalBoxFuture;

/// The functions of a route, one for each HTTP method: `get(list).post(create)`.
///
/// `HEAD` is answered like `GET` without the body, `OPTIONS` with the `Allow` header, and every
/// method without a function with 405 and that header.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// async fn hello() -> &'static str {
///     "Hello, world"
/// }
///
/// async fn sum(cx: &mut Context, a: i64, b: i64) -> Result {
///     cx.write((a + b).to_string())
/// }
///
/// let app = Application::new([
///     route("/", get(hello).post(async |cx: &mut Context| cx.write("noted"))),
///     route("/sum/{a}/{b}", get(sum)),
/// ]);
/// let client = TestClient::new(app);
/// assert_eq!(client.post("/").send().text(), "noted");
/// assert_eq!(client.get("/sum/40/2").send().text(), "42");
/// assert_eq!(client.get("/sum/40/two").send().status(), 404);
/// ```
#[derive(Default)]
pub struct Functions {
    functions: Vec<(Method, Box<dyn ErasedFunction>)>,
    allowed: Vec<Method>,
}

impl Drop for Functions {
    fn drop(&mut self) {
        let mut each = DropEach::default();
        self.functions.drain(..).for_each(|(_, function)| each.drop(function));
        each.finish();
    }
}

/// Answers `GET` and `HEAD` with `function`.
///
/// [`Takes`] describes the parameters of the function, and [`Respond`] its result.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, get, route};
///
/// let app = Application::new([route("/", get(async || "done"))]);
/// assert_eq!(TestClient::new(app).get("/").send().text(), "done");
/// ```
pub fn get<F, A, K, W>(function: F) -> Functions
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    Functions::default().on(Method::GET, function)
}

/// Answers `POST` with `function`.
///
/// [`Takes`] describes the parameters of the function, and [`Respond`] its result.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, post, route};
///
/// let app = Application::new([route("/", post(async || "done"))]);
/// assert_eq!(TestClient::new(app).post("/").send().text(), "done");
/// ```
pub fn post<F, A, K, W>(function: F) -> Functions
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    Functions::default().on(Method::POST, function)
}

/// Answers `PUT` with `function`.
///
/// [`Takes`] describes the parameters of the function, and [`Respond`] its result.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, put, route};
///
/// let app = Application::new([route("/", put(async || "done"))]);
/// assert_eq!(TestClient::new(app).put("/").send().text(), "done");
/// ```
pub fn put<F, A, K, W>(function: F) -> Functions
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    Functions::default().on(Method::PUT, function)
}

/// Answers `PATCH` with `function`.
///
/// [`Takes`] describes the parameters of the function, and [`Respond`] its result.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, patch, route};
///
/// let app = Application::new([route("/", patch(async || "done"))]);
/// assert_eq!(TestClient::new(app).patch("/").send().text(), "done");
/// ```
pub fn patch<F, A, K, W>(function: F) -> Functions
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    Functions::default().on(Method::PATCH, function)
}

/// Answers `DELETE` with `function`.
///
/// [`Takes`] describes the parameters of the function, and [`Respond`] its result.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, delete, route};
///
/// let app = Application::new([route("/", delete(async || "done"))]);
/// assert_eq!(TestClient::new(app).delete("/").send().text(), "done");
/// ```
pub fn delete<F, A, K, W>(function: F) -> Functions
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    Functions::default().on(Method::DELETE, function)
}

impl Functions {
    /// Answers `GET` and `HEAD` with `function` as well.
    #[must_use]
    pub fn get<F, A, K, W>(self, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.on(Method::GET, function)
    }

    /// Answers `POST` with `function` as well.
    #[must_use]
    pub fn post<F, A, K, W>(self, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.on(Method::POST, function)
    }

    /// Answers `PUT` with `function` as well.
    #[must_use]
    pub fn put<F, A, K, W>(self, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.on(Method::PUT, function)
    }

    /// Answers `PATCH` with `function` as well.
    #[must_use]
    pub fn patch<F, A, K, W>(self, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.on(Method::PATCH, function)
    }

    /// Answers `DELETE` with `function` as well.
    #[must_use]
    pub fn delete<F, A, K, W>(self, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.on(Method::DELETE, function)
    }

    /// Answers `method` with `function` as well. `method` can also be an extension method, like
    /// `PURGE`. [`Application::new`](crate::Application::new) refuses two functions for one method.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Method, get, put, route};
    ///
    /// let purge = Method::from_bytes(b"PURGE").unwrap();
    /// let cached = get(async || "cached").put(async || "stored");
    /// let cached = cached.on(purge.clone(), async || "gone");
    /// let client = TestClient::new(Application::new([
    ///     route("/", cached),
    ///     route("/drop", put(async || "taken").delete(async || "dropped")),
    /// ]));
    /// assert_eq!(client.request(purge, "/").send().text(), "gone");
    /// assert_eq!(client.delete("/drop").send().text(), "dropped");
    /// ```
    #[must_use]
    pub fn on<F, A, K, W>(mut self, method: Method, function: F) -> Self
    where
        F: Takes<A>,
        A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
        K: 'static,
        W: 'static,
    {
        self.functions.push((method, erased(function)));
        self.update_allowed();
        self
    }

    /// Moves the functions of `other` here. The caller has checked that no method has two
    /// functions.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.functions.append(&mut other.functions);
        self.update_allowed();
    }

    /// Returns the methods that have a function, in the order in which they were added.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.functions.iter().map(|(method, _)| method)
    }

    /// Recomputes the methods of the `Allow` header.
    fn update_allowed(&mut self) {
        self.allowed = self.methods().cloned().collect();
        if self.allowed.contains(&Method::GET) && !self.allowed.contains(&Method::HEAD) {
            self.allowed.push(Method::HEAD);
        }
    }

    fn find(&self, method: &Method) -> Option<&dyn ErasedFunction> {
        let find = |method| self.functions.iter().find(|(name, _)| name == method);
        let found = match find(method) {
            None if *method == Method::HEAD => find(&Method::GET),
            found => found,
        };
        found.map(|(_, function)| &**function)
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Functions").field(&self.allowed).finish()
    }
}

impl Endpoint for Functions {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &self.allowed
    }

    fn mergeable(&mut self) -> Option<&mut dyn Any> {
        Some(self)
    }

    fn path_arguments(&self) -> usize {
        self.functions.iter().map(|(_, function)| function.path_arguments()).max().unwrap_or(0)
    }

    fn methods(&self) -> Vec<Method> {
        Self::methods(self).cloned().collect()
    }

    fn needs(&self, needs: &mut Needs) {
        self.functions.iter().for_each(|(_, function)| function.needs(needs));
    }

    fn know(&self, known: &mut KnownFailures) {
        self.functions.iter().for_each(|(_, function)| function.know(known));
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        match self.find(cx.method()) {
            Some(function) => function.call(cx),
            None => Box::pin(ready(Err(HTTPError::METHOD_NOT_ALLOWED.into()))),
        }
    }

    fn start(&self, cx: Context) -> Started {
        match self.find(cx.method()) {
            Some(function) => Started::Running(function.start(cx)),
            None => Started::CallInstead(cx),
        }
    }
}

#[diagnostic::do_not_recommend]
impl IntoEndpoint<kind::Functions> for Functions {
    fn into_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(self)
    }
}

/// A function of any type.
trait ErasedFunction {
    fn path_arguments(&self) -> usize;
    fn needs(&self, needs: &mut Needs);
    fn know(&self, known: &mut KnownFailures);
    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result>;
    fn start(&self, cx: Context) -> RunningHandler;
}

/// A function with the types that were inferred for it: its parameters `A`, their kinds `K`, and
/// the way `W` in which it is called.
///
/// `S` is the function that [`in_slot`] returns for [`run`]; its type has no name.
struct TypedFunction<F, A, K, W, S> {
    function: Rc<F>,
    inferred: PhantomData<(A, K, W)>,
    start: S,
}

fn erased<F, A, K, W>(function: F) -> Box<dyn ErasedFunction>
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>> + 'static,
    K: 'static,
    W: 'static,
{
    let start = in_slot(run::<F, A, K, W>);
    let inferred = PhantomData::<(A, K, W)>;
    Box::new(TypedFunction { function: Rc::new(function), inferred, start })
}

impl<F, A, K, W, S> ErasedFunction for TypedFunction<F, A, K, W, S>
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>>,
    S: Fn(Rc<F>, Context) -> RunningHandler,
{
    fn path_arguments(&self) -> usize {
        A::PATH_ARGUMENTS
    }

    fn needs(&self, needs: &mut Needs) {
        A::needs(needs);
    }

    fn know(&self, known: &mut KnownFailures) {
        <<A::Values as Invoke<F, W>>::Output as Respond>::know(known);
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(execute::<F, A, K, W>(&self.function, cx))
    }

    fn start(&self, cx: Context) -> RunningHandler {
        (self.start)(Rc::clone(&self.function), cx)
    }
}

/// The life of a request inside a function.
async fn execute<F, A, K, W>(function: &F, cx: &mut Context) -> Result
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>>,
{
    let values = A::read(cx).await?;
    values.invoke(function, cx).await.respond(cx)?;
    match cx.has_stream() {
        true => cx.send_stream().await,
        false => Ok(()),
    }
}

/// Runs `function`. The future owns the context.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would hold its arguments twice")]
fn run<F, A, K, W>(function: Rc<F>, mut cx: Context) -> impl Future<Output = Answered>
where
    F: Takes<A>,
    A: Parameters<K, Values: Invoke<F, W, Output: Respond>>,
{
    async move {
        let (connection, in_flight) = (cx.connection(), cx.in_flight());
        let outcome = drive(connection, in_flight, execute::<F, A, K, W>(&function, &mut cx)).await;
        Answered { cx, outcome }
    }
}
