//! The functions that can answer requests: their signatures and their path arguments.

use crate::context::{Context, FromArgument};
use crate::error::Result;
use crate::handler::endpoint::kind;

/// An async function that can answer requests.
///
/// It takes no arguments, or the [`Context`] and then up to three [path arguments](PathArgs) in
/// order. `A` is inferred. It keeps the implementations for different numbers of arguments apart.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// async fn no_arguments() -> &'static str {
///     "hello"
/// }
///
/// async fn the_context(cx: &mut Context) -> Result {
///     cx.write(cx.path())
/// }
///
/// async fn path_arguments(cx: &mut Context, year: u16, month: u8) -> Result {
///     write!(cx, "{month}/{year}")
/// }
///
/// let client = TestClient::new(Application::new([
///     route("/a", get(no_arguments)),
///     route("/b", get(the_context)),
///     route("/c/{year}/{month}", get(path_arguments)),
/// ]));
/// assert_eq!(client.get("/a").send().text(), "hello");
/// assert_eq!(client.get("/b").send().text(), "/b");
/// assert_eq!(client.get("/c/1999/7").send().text(), "7/1999");
/// ```
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

/// The arguments of a function that takes none, not even the context.
#[derive(Debug)]
pub struct Nothing;

// No `do_not_recommend` here: with it, rustc would not explain which captured variable makes a
// closure not an `AsyncFn`.
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

/// A type that a function can take as a path argument: one that can be [parsed](FromArgument), or
/// an `Option` of it.
///
/// An `Option` is `None` if the argument is absent, which only happens with an optional group of a
/// [regular expression](crate::regex()). An argument that does not parse is answered with 404, also
/// for an `Option`.
///
/// `Kind` is inferred. It keeps the two blanket implementations apart.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, regex};
///
/// async fn archive(cx: &mut Context, year: u16, month: Option<u8>) -> Result {
///     match month {
///         Some(month) => write!(cx, "{month}/{year}"),
///         None => write!(cx, "all of {year}"),
///     }
/// }
///
/// let app = Application::new([regex("/archive/([0-9]{4})(?:/([0-9]+))?", get(archive))]);
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/archive/1999/7").send().text(), "7/1999");
/// assert_eq!(client.get("/archive/1999").send().text(), "all of 1999");
/// assert_eq!(client.get("/archive/1999/700").send().status(), 404);
/// ```
#[diagnostic::on_unimplemented(
    message = "an argument of a request cannot be parsed as `{Self}`",
    label = "`{Self}` does not implement `FromStr`",
    note = "numbers, `bool`, `String` (not `&str`) and every other type that implements `FromStr` can be parsed",
    note = "for a path argument that may be absent, take an `Option` of such a type"
)]
pub trait PathArgument<Kind>: Sized {
    /// Parses the path argument at `position`, counted from 0.
    ///
    /// # Errors
    ///
    /// Like [`Context::path_argument_at`] or [`Context::optional_path_argument_at`].
    fn from_path(cx: &Context, position: usize) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: FromArgument> PathArgument<kind::Required> for T {
    #[inline]
    fn from_path(cx: &Context, position: usize) -> Result<Self> {
        cx.path_argument_at(position)
    }
}

impl<T: FromArgument> PathArgument<kind::Optional> for Option<T> {
    #[inline]
    fn from_path(cx: &Context, position: usize) -> Result<Self> {
        cx.optional_path_argument_at(position)
    }
}

/// The path arguments of a function, parsed: `()`, `(A,)`, `(A, B)` or `(A, B, C)`.
///
/// `Kinds` is inferred: the kind of each argument, required or optional.
pub trait PathArgs<Kinds>: Sized + 'static {
    /// The number of arguments.
    const COUNT: usize;

    /// Parses the path arguments of the request.
    ///
    /// # Errors
    ///
    /// 404 if an argument does not parse, or is absent and not an `Option`; 400 if it is not UTF-8.
    fn from_path(cx: &Context) -> Result<Self>;
}

impl PathArgs<()> for Nothing {
    const COUNT: usize = 0;

    fn from_path(_: &Context) -> Result<Self> {
        Ok(Self)
    }
}

impl PathArgs<()> for () {
    const COUNT: usize = 0;

    fn from_path(_: &Context) -> Result<Self> {
        Ok(())
    }
}

impl<A, K> PathArgs<(K,)> for (A,)
where
    A: PathArgument<K> + 'static,
{
    const COUNT: usize = 1;

    fn from_path(cx: &Context) -> Result<Self> {
        Ok((A::from_path(cx, 0)?,))
    }
}

impl<A, B, K, L> PathArgs<(K, L)> for (A, B)
where
    A: PathArgument<K> + 'static,
    B: PathArgument<L> + 'static,
{
    const COUNT: usize = 2;

    fn from_path(cx: &Context) -> Result<Self> {
        Ok((A::from_path(cx, 0)?, B::from_path(cx, 1)?))
    }
}

impl<A, B, C, K, L, M> PathArgs<(K, L, M)> for (A, B, C)
where
    A: PathArgument<K> + 'static,
    B: PathArgument<L> + 'static,
    C: PathArgument<M> + 'static,
{
    const COUNT: usize = 3;

    fn from_path(cx: &Context) -> Result<Self> {
        Ok((A::from_path(cx, 0)?, B::from_path(cx, 1)?, C::from_path(cx, 2)?))
    }
}
