//! The path arguments of functions that serve WebSockets.

use crate::context::{Context, FromArgument};
use crate::error::Result;
use crate::handler::endpoint::kind;

/// A type that a WebSocket function can take as a path argument: one that can be
/// [parsed](FromArgument), or an `Option` of it.
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
