//! What a type must provide to be a parameter.

use std::marker::PhantomData;

use crate::context::{Context, FromArgument};
use crate::error::{Error, Result};

use super::kind;
use super::needs::Needs;

/// A type that functions can take as a parameter, and that is read from the request.
///
/// Implement it for types of your own: the user who is logged in, a tenant, a database connection
/// from a pool. A type that takes the body implements `FromRequest<kind::TakesBody>`.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, FromRequest, HTTPError, Needs, Result, State, get, route};
///
/// struct Tokens(Vec<String>);
///
/// struct User(String);
///
/// impl FromRequest for User {
///     fn needs(needs: &mut Needs) {
///         needs.state::<Tokens>();
///     }
///
///     async fn from_request(cx: &mut Context) -> Result<Self> {
///         let token = cx.header("authorization").unwrap_or_default();
///         let tokens: State<Tokens> = cx.state()?;
///         match tokens.0.iter().any(|known| known == token.as_str()) {
///             true => Ok(Self(token.to_string())),
///             false => Err(HTTPError::UNAUTHORIZED)?,
///         }
///     }
/// }
///
/// async fn whoami(user: User) -> String {
///     user.0
/// }
///
/// let app = Application::new([route("/", get(whoami))]).state(Tokens(vec!["ada".into()]));
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/").header("Authorization", "ada").send().text(), "ada");
/// assert_eq!(client.get("/").send().status(), 401);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not read from a request",
    note = "implement `squall::FromRequest` for it"
)]
pub trait FromRequest<Kind = kind::Request>: Sized + 'static {
    /// Reports the state that must be there, so that
    /// [`Application::check`](crate::Application::check) finds out early that it is missing.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// The error becomes the response, as if the function had returned it.
    fn from_request(cx: &mut Context) -> impl Future<Output = Result<Self>>;
}

/// A type whose `Option` functions can take as a parameter: `None` if it is absent.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Json, post, route};
///
/// async fn count(numbers: Option<Json<Vec<u8>>>) -> String {
///     format!("{:?}", numbers.map(|Json(numbers)| numbers.len()))
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(count))]));
/// assert_eq!(client.post("/").json(&[1, 2]).send().text(), "Some(2)");
/// assert_eq!(client.post("/").send().text(), "None");
/// ```
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be a parameter",
    label = "`{Self}` is never absent"
)]
pub trait OptionalParameter<Kind = kind::Request>: Sized + 'static {
    /// Reads the value, or returns `None` if it is absent.
    ///
    /// # Errors
    ///
    /// An error if the value is there and invalid.
    fn read_optional(cx: &mut Context) -> impl Future<Output = Result<Option<Self>>>;
}

/// A type that functions can take as a parameter. `Kind` is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a function that answers requests",
    label = "`{Self}` is neither a path argument (`FromStr`, owned: `String`, not `&str`) nor read from the request",
    note = "`cx: &mut Context` is the first parameter, by `&mut`",
    note = "for a type of your own, implement `FromStr` (a path argument) or `squall::FromRequest`"
)]
pub trait Parameter<Kind>: Sized + 'static {
    /// Reads the value. It is a type of its own, so that an error about `Json<T>` names the trait
    /// that `T` lacks.
    type Reader;
}

/// Reads a parameter of type `T`.
pub trait Reader<T> {
    /// The number of path arguments that this takes: 0 or 1.
    const PATH_ARGUMENTS: usize = 0;

    /// Reports the state that must be there.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Reads the value. `position` is the position of the next path argument.
    fn read(cx: &mut Context, position: usize) -> impl Future<Output = Result<T>>;
}

#[diagnostic::do_not_recommend]
impl<T: FromArgument + 'static> Parameter<kind::Path> for T {
    type Reader = PathReader;
}

/// Reads a path argument.
#[derive(Debug)]
pub struct PathReader;

impl<T: FromArgument + 'static> Reader<T> for PathReader {
    const PATH_ARGUMENTS: usize = 1;

    async fn read(cx: &mut Context, position: usize) -> Result<T> {
        cx.path_argument_at(position)
    }
}

#[diagnostic::do_not_recommend]
impl<T: FromArgument + 'static> Parameter<kind::OptionalPath> for Option<T> {
    type Reader = OptionalPathReader;
}

/// Reads a path argument that may be absent.
#[derive(Debug)]
pub struct OptionalPathReader;

impl<T: FromArgument + 'static> Reader<Option<T>> for OptionalPathReader {
    const PATH_ARGUMENTS: usize = 1;

    async fn read(cx: &mut Context, position: usize) -> Result<Option<T>> {
        cx.optional_path_argument_at(position)
    }
}

#[diagnostic::do_not_recommend]
impl<T: FromRequest<kind::Request>> Parameter<kind::Request> for T {
    type Reader = RequestReader<kind::Request>;
}

#[diagnostic::do_not_recommend]
impl<T: FromRequest<kind::TakesBody>> Parameter<kind::TakesBody> for T {
    type Reader = RequestReader<kind::TakesBody>;
}

/// Reads a type that implements [`FromRequest`].
#[derive(Debug)]
pub struct RequestReader<K>(PhantomData<K>);

impl<T: FromRequest<K>, K> Reader<T> for RequestReader<K> {
    fn needs(needs: &mut Needs) {
        T::needs(needs);
    }

    fn read(cx: &mut Context, _: usize) -> impl Future<Output = Result<T>> {
        T::from_request(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<T: OptionalParameter<kind::Request>> Parameter<kind::Request> for Option<T> {
    type Reader = OptionalReader<kind::Request>;
}

#[diagnostic::do_not_recommend]
impl<T: OptionalParameter<kind::TakesBody>> Parameter<kind::TakesBody> for Option<T> {
    type Reader = OptionalReader<kind::TakesBody>;
}

/// Reads a parameter that may be absent.
#[derive(Debug)]
pub struct OptionalReader<K>(PhantomData<K>);

impl<T: OptionalParameter<K>, K> Reader<Option<T>> for OptionalReader<K> {
    fn read(cx: &mut Context, _: usize) -> impl Future<Output = Result<Option<T>>> {
        T::read_optional(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Parameter<kind::Request> for Result<T, Error>
where
    T: Parameter<kind::Request, Reader: Reader<T>>,
{
    type Reader = FallibleReader<kind::Request>;
}

#[diagnostic::do_not_recommend]
impl<T> Parameter<kind::TakesBody> for Result<T, Error>
where
    T: Parameter<kind::TakesBody, Reader: Reader<T>>,
{
    type Reader = FallibleReader<kind::TakesBody>;
}

/// Reads a parameter, and gives its error to the function.
#[derive(Debug)]
pub struct FallibleReader<K>(PhantomData<K>);

impl<T: Parameter<K, Reader: Reader<T>>, K> Reader<Result<T, Error>> for FallibleReader<K> {
    fn needs(needs: &mut Needs) {
        <T::Reader as Reader<T>>::needs(needs);
    }

    async fn read(cx: &mut Context, position: usize) -> Result<Result<T, Error>> {
        Ok(<T::Reader as Reader<T>>::read(cx, position).await)
    }
}
