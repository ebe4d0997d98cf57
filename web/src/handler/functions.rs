use std::any::Any;
use std::fmt;

use crate::context::Context;
use crate::error::{HTTPError, Result};
use crate::handler::endpoint::{Endpoint, IntoEndpoint, kind};
use crate::handler::future_slot::Answer;
use crate::handler::respond::Respond;
use crate::http::Method;
use crate::types::drop_each::DropEach;
use crate::types::local_future::LocalBoxFuture;

mod path_args;
mod typed;

pub use path_args::{PathArgs, PathArgument};

use typed::Call;

/// The functions of a route, one for each HTTP method: `get(list).post(create)`.
///
/// `HEAD` is answered as `GET` without the body, `OPTIONS` with the `Allow` header, every
/// method that has no function with 405 and that header.
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
    functions: Vec<(Method, Box<dyn Call>)>,
    allowed: Vec<Method>,
}

impl Drop for Functions {
    fn drop(&mut self) {
        let mut each = DropEach::default();
        self.functions.drain(..).for_each(|(_, function)| each.drop(function));
        each.finish();
    }
}

/// Answers `GET` (and `HEAD`) with `function`.
pub fn get<F, A, K>(function: F) -> Functions
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Functions::default().on(Method::GET, function)
}

/// Answers `POST` with `function`.
pub fn post<F, A, K>(function: F) -> Functions
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Functions::default().on(Method::POST, function)
}

/// Answers `PUT` with `function`.
pub fn put<F, A, K>(function: F) -> Functions
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Functions::default().on(Method::PUT, function)
}

/// Answers `PATCH` with `function`.
pub fn patch<F, A, K>(function: F) -> Functions
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Functions::default().on(Method::PATCH, function)
}

/// Answers `DELETE` with `function`.
pub fn delete<F, A, K>(function: F) -> Functions
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Functions::default().on(Method::DELETE, function)
}

impl Functions {
    /// Answers `GET` (and `HEAD`) with `function` as well.
    #[must_use]
    pub fn get<F, A, K>(self, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.on(Method::GET, function)
    }

    /// Answers `POST` with `function` as well.
    #[must_use]
    pub fn post<F, A, K>(self, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.on(Method::POST, function)
    }

    /// Answers `PUT` with `function` as well.
    #[must_use]
    pub fn put<F, A, K>(self, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.on(Method::PUT, function)
    }

    /// Answers `PATCH` with `function` as well.
    #[must_use]
    pub fn patch<F, A, K>(self, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.on(Method::PATCH, function)
    }

    /// Answers `DELETE` with `function` as well.
    #[must_use]
    pub fn delete<F, A, K>(self, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.on(Method::DELETE, function)
    }

    /// Answers `method`, which may be one of the user's own, with `function` as well.
    /// [`Application::new`](crate::Application::new) refuses two functions for one method.
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Method, get, put, route};
    ///
    /// let purge = Method::from_bytes(b"PURGE").unwrap();
    /// let cached = get(async || "cached").put(async || "stored").on(purge.clone(), async || "gone");
    /// let client = TestClient::new(Application::new([
    ///     route("/", cached),
    ///     route("/drop", put(async || "taken").delete(async || "dropped")),
    /// ]));
    /// assert_eq!(client.request(purge, "/").send().text(), "gone");
    /// assert_eq!(client.delete("/drop").send().text(), "dropped");
    /// ```
    #[must_use]
    pub fn on<F, A, K>(mut self, method: Method, function: F) -> Self
    where
        F: Function<A, Output: Respond>,
        A: PathArgs<K>,
        K: 'static,
    {
        self.functions.push((method, typed::erased(function)));
        self.allow();
        self
    }

    /// Adds the functions of `other`, none of which may have a method that this has.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.functions.append(&mut other.functions);
        self.allow();
    }

    /// The methods that there are functions for, in the order in which they were added.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.functions.iter().map(|(method, _)| method)
    }

    fn allow(&mut self) {
        self.allowed = self.methods().cloned().collect();
        if self.allowed.contains(&Method::GET) && !self.allowed.contains(&Method::HEAD) {
            self.allowed.push(Method::HEAD);
        }
    }

    fn find(&self, method: &Method) -> Option<&dyn Call> {
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

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        match self.find(cx.method()) {
            Some(function) => function.call(cx),
            None => Box::pin(std::future::ready(Err(HTTPError::METHOD_NOT_ALLOWED.into()))),
        }
    }

    fn answer(&self, cx: Context) -> Result<Answer, Context> {
        match self.find(cx.method()) {
            Some(function) => Ok(function.answer(cx)),
            None => Err(cx),
        }
    }
}

#[diagnostic::do_not_recommend]
impl IntoEndpoint<kind::Functions> for Functions {
    fn into_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(self)
    }
}

/// An async function that can answer requests.
///
/// It takes the [`Context`] and then the [path arguments](PathArgs) in order, or nothing at
/// all. `A` is inferred, and keeps apart functions of different arity.
#[diagnostic::on_unimplemented(
    message = "this is not a function that a route can call",
    label = "expected `async fn()`, or `async fn(&mut Context, A, B, C)` with at most three path arguments",
    note = "what it returns may not borrow from the context: a `String` for a `&str`",
    note = "a closure is `async |cx: &mut Context| ...`, not `|cx| async {{ ... }}`",
    note = "a `RequestHandler` is its own row: `route(\"/\", Handler)`, without `get`"
)]
pub trait Function<A>: 'static {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call(&self, cx: &mut Context, args: A) -> impl Future<Output = Self::Output>;
}

/// The arguments of a function that takes not even the context.
#[derive(Debug)]
pub struct Nothing;

// No `do_not_recommend` on these: rustc says of a closure that moves or changes what it has
// captured that it is no `AsyncFn`, and where.
impl<F, R> Function<Nothing> for F
where
    F: AsyncFn() -> R + 'static,
{
    type Output = R;

    async fn call(&self, _: &mut Context, Nothing: Nothing) -> R {
        self().await
    }
}

impl<F, R> Function<()> for F
where
    F: AsyncFn(&mut Context) -> R + 'static,
{
    type Output = R;

    async fn call(&self, cx: &mut Context, (): ()) -> R {
        self(cx).await
    }
}

impl<F, A, R> Function<(A,)> for F
where
    F: AsyncFn(&mut Context, A) -> R + 'static,
{
    type Output = R;

    async fn call(&self, cx: &mut Context, (a,): (A,)) -> R {
        self(cx, a).await
    }
}

impl<F, A, B, R> Function<(A, B)> for F
where
    F: AsyncFn(&mut Context, A, B) -> R + 'static,
{
    type Output = R;

    async fn call(&self, cx: &mut Context, (a, b): (A, B)) -> R {
        self(cx, a, b).await
    }
}

impl<F, A, B, C, R> Function<(A, B, C)> for F
where
    F: AsyncFn(&mut Context, A, B, C) -> R + 'static,
{
    type Output = R;

    async fn call(&self, cx: &mut Context, (a, b, c): (A, B, C)) -> R {
        self(cx, a, b, c).await
    }
}
