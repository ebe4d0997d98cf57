//! The parameters of functions: their types decide what a function is called with.
//!
//! `get(show)` takes `async fn show(id: u64, db: State<Db>) -> Option<Json<Note>>` as it is. The
//! compiler finds out in three steps how to call it. Each step is a trait of its own, so that a
//! mistake fails in the step that can name it:
//!
//! 1. [`Takes`] infers the types of the parameters: `(u64, State<Db>)`.
//! 2. [`Parameters`] infers the [kind](kind) of each type, such as a path argument or a part of the
//!    request, and reads the values. It has no bound on the function, so an error here names the
//!    type of one parameter.
//! 3. [`Invoke`] calls the function with the values.
//!
//! Only the first parameter may be `cx: &mut Context`. It is a type like the others in step 1, and
//! [`Leading`] tells it apart in step 2. Its value is [`kind::Cx`], and step 3 puts the context in
//! its place.
//!
//! # Layout
//!
//! - `from_request`: [`FromRequest`](crate::FromRequest), for parameters of your own, and the traits
//!   of one parameter.
//! - `values`: the parameters that Squall provides. `json`: JSON, in both directions.
//! - `kind`: markers. `needs`: the state that parameters need.

#![expect(
    non_snake_case,
    unused_assignments,
    reason = "in the macro, a variable has the name of its type, and the last position is not read"
)]

use crate::context::Context;
use crate::error::Result;

pub(crate) mod from_request;
pub(crate) mod json;
pub mod kind;
pub(crate) mod needs;
pub(crate) mod values;

pub use from_request::{
    FallibleReader, FromRequest, OptionalParameter, OptionalPathReader, OptionalReader, Parameter,
    PathReader, Reader, RequestReader,
};
pub use json::JsonReader;
pub use needs::Needs;
pub use values::{FormReader, QueryReader};

/// An async function of parameters with the types `A`. `A` is inferred.
///
/// A function takes `cx: &mut Context`, if it needs the context, and then at most eight other
/// parameters in any order:
///
/// | parameter | value | refused with |
/// |---|---|---|
/// | a type that implements [`FromStr`](std::str::FromStr) | the next path argument | 404 |
/// | `Option` of such a type | the next path argument, if a group of a [regular expression](crate::regex()) matched | 404 |
/// | [`Query<T>`](crate::Query) | the query, deserialized | 400 |
/// | [`Json<T>`](crate::Json), [`Form<T>`](crate::Form) | the body, deserialized | 400, 415, 422 |
/// | [`Bytes`](crate::Bytes), [`Content`](crate::Content), [`BodyText`](crate::BodyText), [`Body`](crate::Body) | the body, whole or to be read in pieces | 400, 413 |
/// | [`Header<T>`](crate::Header) | a request header | 400 |
/// | [`State<T>`](crate::State) | the state of the application | |
/// | [`RemoteAddr`](crate::RemoteAddr) | the address of the client | |
/// | a type of your own | see [`FromRequest`](crate::FromRequest) | |
/// | `Option` of `Json`, `Form` or `Header` | `None` if it is absent | |
/// | `Result` of one that reads the request or the body | the error, for the function to handle | |
///
/// They are read from left to right. Only one parameter can take the body.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Json, Query, Result, State, get, post, route};
///
/// #[derive(serde::Deserialize)]
/// struct Page {
///     page: u32,
/// }
///
/// async fn sum(a: i64, b: i64) -> String {
///     (a + b).to_string()
/// }
///
/// async fn list(cx: &mut Context, Query(page): Query<Page>, title: State<String>) -> Result {
///     write!(cx, "{} page {}", *title, page.page)
/// }
///
/// async fn save(Json(numbers): Json<Vec<u8>>) -> Json<usize> {
///     Json(numbers.len())
/// }
///
/// let app = Application::new([
///     route("/sum/{a}/{b}", get(sum)),
///     route("/list", get(list)),
///     route("/save", post(save)),
/// ]);
/// let client = TestClient::new(app.state("Notes,".to_owned()));
/// assert_eq!(client.get("/sum/40/2").send().text(), "42");
/// assert_eq!(client.get("/list?page=3").send().text(), "Notes, page 3");
/// assert_eq!(client.post("/save").json(&[1, 2]).send().text(), "2");
/// ```
///
/// # Errors that rustc cannot explain
///
/// A closure is written `async |cx: &mut Context| …`. In the older form, `|cx: &mut Context| async
/// move { … }`, the future borrows the context for longer than the call, and rustc says
///
/// ```text
/// error: lifetime may not live long enough
///    |
///  4 |     get(|cx: &mut Context| async move { cx.write("Hello, world") })
///    |              -           - ^^^^^^^^^^ returning this value requires that `'1` must outlive `'2`
///    |              |           |
///    |              |           return type of closure `{async block}` contains a lifetime `'2`
///    |              let's call the lifetime of this reference `'1`
/// ```
///
/// Move `async` before the bars.
///
/// A closure with a `?` needs the type of its result. Without it, rustc says `error[E0282]: type
/// annotations needed` at the `Ok(())`. Write `async |cx: &mut Context| -> Result { … }`.
#[diagnostic::on_unimplemented(
    message = "this is not a function that a route can call",
    label = "expected an `async fn` with at most eight parameters after the context",
    note = "what it returns may not borrow from the context: a `String` for a `&str`",
    note = "a closure is `async |cx: &mut Context| ...`, not `|cx| async {{ ... }}`, and names the types of its parameters",
    note = "a `RequestHandler` is its own row: `route(\"/\", Handler)`, without `get`"
)]
pub trait Takes<A>: 'static {}

/// The parameters of a function, as a tuple. `Kinds` is inferred.
///
/// This trait is implemented for tuples of up to nine types, each of which a function can
/// [take](Takes).
pub trait Parameters<Kinds> {
    /// The values that the function is called with.
    type Values: 'static;

    /// The number of path arguments that the parameters take.
    const PATH_ARGUMENTS: usize;

    /// Reports the state that the parameters need.
    fn needs(needs: &mut Needs);

    /// Reads the values from the request, from left to right.
    ///
    /// # Errors
    ///
    /// The error of the first parameter that cannot be read.
    fn read(cx: &mut Context) -> impl Future<Output = Result<Self::Values>>;
}

/// Values that the function `F` can be called with. `Way` is inferred.
#[diagnostic::on_unimplemented(
    message = "this function cannot answer requests: `cx: &mut Context` comes first, and nothing that is returned borrows from it",
    label = "cannot be called with a context",
    note = "beside `cx: &mut Context`, `-> impl Respond` is written `-> impl Respond + use<>`, and `-> &str` is `-> String`"
)]
pub trait Invoke<F, Way> {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn invoke(self, function: &F, cx: &mut Context) -> impl Future<Output = Self::Output>;
}

/// The first parameter: the context, or any other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a function that answers requests",
    label = "`{Self}` is neither `&mut Context`, nor a path argument (`FromStr`, owned: `String`, not `&str`), nor read from the request",
    note = "for a type of your own, implement `FromStr` (a path argument) or `squall::FromRequest`"
)]
pub trait Leading<Kind> {
    /// The value that the function is called with.
    type Value: 'static;
    /// Reads the value.
    type Reader;
}

impl Leading<kind::Cx> for &mut Context {
    type Value = kind::Cx;
    type Reader = ContextReader;
}

#[diagnostic::do_not_recommend]
impl<T: Parameter<K>, K> Leading<kind::Other<K>> for T {
    type Value = kind::First<T>;
    type Reader = FirstReader<T::Reader>;
}

/// Stands in for the context, which is not read.
#[derive(Debug)]
pub struct ContextReader;

impl Reader<kind::Cx> for ContextReader {
    async fn read(_: &mut Context, _: usize) -> Result<kind::Cx> {
        Ok(kind::Cx)
    }
}

/// Reads a first parameter that is not the context.
#[derive(Debug)]
pub struct FirstReader<R>(R);

impl<T, R: Reader<T>> Reader<kind::First<T>> for FirstReader<R> {
    const PATH_ARGUMENTS: usize = R::PATH_ARGUMENTS;

    fn needs(needs: &mut Needs) {
        R::needs(needs);
    }

    async fn read(cx: &mut Context, position: usize) -> Result<kind::First<T>> {
        R::read(cx, position).await.map(kind::First)
    }
}

/// Checks that one parameter at most takes the body. `Before` says whether the parameters on the
/// left have taken it.
#[diagnostic::on_unimplemented(
    message = "the body of a request can be taken only once",
    label = "this function has two parameters that take it",
    note = "`Json<T>`, `Form<T>`, `Bytes`, `Content`, `BodyText` and `Body` each take the body"
)]
pub trait Then<Before> {
    /// Whether the body has been taken after this parameter.
    type After;
}

impl<B> Then<B> for kind::Cx {
    type After = B;
}

impl<B> Then<B> for kind::Path {
    type After = B;
}

impl<B> Then<B> for kind::OptionalPath {
    type After = B;
}

impl<B> Then<B> for kind::Request {
    type After = B;
}

impl Then<kind::Unread> for kind::TakesBody {
    type After = kind::Read;
}

// With one implementation alone, rustc would infer from it that the body is unread, and complain
// about the wrong parameter.
impl Then<kind::Never> for kind::TakesBody {
    type After = kind::Never;
}

#[diagnostic::do_not_recommend]
impl<B, K: Then<B>> Then<B> for kind::Other<K> {
    type After = K::After;
}

impl<F, R> Takes<()> for F where F: AsyncFn() -> R + 'static {}

impl Parameters<()> for () {
    type Values = ();
    const PATH_ARGUMENTS: usize = 0;

    fn needs(_: &mut Needs) {}

    async fn read(_: &mut Context) -> Result {
        Ok(())
    }
}

impl<F, R> Invoke<F, kind::Usual> for ()
where
    F: AsyncFn() -> R + 'static,
{
    type Output = R;

    async fn invoke(self, function: &F, _: &mut Context) -> R {
        function().await
    }
}

/// Implements the three steps for functions of one number of parameters. `$A` is the type of the
/// first, and `$T` are those of the others; `$KA` and `$K` are their kinds; `$NA` and `$N` say
/// whether the body has been taken after them.
macro_rules! functions_of {
    ($A:ident $KA:ident $NA:ident; $($T:ident $K:ident $N:ident),*) => {
        impl<F, R, $A, $($T,)*> Takes<($A, $($T,)*)> for F
        where
            F: AsyncFn($A, $($T),*) -> R + 'static,
        {
        }

        functions_of!(@chain [] [$NA] [$($T $K $N),*] [$A $KA $NA] [$($T $K $N),*]);

        impl<F, R, $($T,)*> Invoke<F, kind::Usual> for (kind::Cx, $($T,)*)
        where
            F: AsyncFn(&mut Context, $($T),*) -> R + 'static,
        {
            type Output = R;

            async fn invoke(self, function: &F, cx: &mut Context) -> R {
                let (kind::Cx, $($T,)*) = self;
                function(cx, $($T),*).await
            }
        }

        // With one implementation alone, rustc would report a mismatch of types instead of the
        // message of the trait.
        #[diagnostic::do_not_recommend]
        impl<F: kind::NoFunction, $($T,)*> Invoke<F, kind::Never> for (kind::Cx, $($T,)*) {
            type Output = ();

            async fn invoke(self, _: &F, _: &mut Context) {}
        }

        impl<F, R, $A, $($T,)*> Invoke<F, kind::Usual> for (kind::First<$A>, $($T,)*)
        where
            F: AsyncFn($A, $($T),*) -> R + 'static,
        {
            type Output = R;

            async fn invoke(self, function: &F, _: &mut Context) -> R {
                let (kind::First($A), $($T,)*) = self;
                function($A, $($T),*).await
            }
        }
    };
    // Chains the parameters: the kind of each is `Then` what is left of it.
    (@chain [$($done:tt)*] [$P:ident] [$T:ident $K:ident $N:ident $(, $($more:tt)*)?] $first:tt $all:tt) => {
        functions_of!(@chain [$($done)* [$K $P $N]] [$N] [$($($more)*)?] $first $all);
    };
    (@chain [$([$CK:ident $CP:ident $CN:ident])*] [$P:ident] [] [$A:ident $KA:ident $NA:ident] [$($T:ident $K:ident $N:ident),*]) => {
        impl<$A, $KA, $NA, $($T, $K, $N),*> Parameters<($KA, $($K,)*)> for ($A, $($T,)*)
        where
            $A: Leading<$KA, Reader: Reader<$A::Value>>,
            $($T: Parameter<$K, Reader: Reader<$T>>,)*
            $KA: Then<kind::Unread, After = $NA>,
            $($CK: Then<$CP, After = $CN>,)*
        {
            type Values = ($A::Value, $($T,)*);
            const PATH_ARGUMENTS: usize = <$A::Reader as Reader<$A::Value>>::PATH_ARGUMENTS
                $(+ <$T::Reader as Reader<$T>>::PATH_ARGUMENTS)*;

            fn needs(needs: &mut Needs) {
                <$A::Reader as Reader<$A::Value>>::needs(needs);
                $(<$T::Reader as Reader<$T>>::needs(needs);)*
            }

            async fn read(cx: &mut Context) -> Result<Self::Values> {
                let mut position = 0;
                let $A = <$A::Reader as Reader<$A::Value>>::read(cx, position).await?;
                position += <$A::Reader as Reader<$A::Value>>::PATH_ARGUMENTS;
                $(
                    let $T = <$T::Reader as Reader<$T>>::read(cx, position).await?;
                    position += <$T::Reader as Reader<$T>>::PATH_ARGUMENTS;
                )*
                Ok(($A, $($T,)*))
            }
        }
    };
}

functions_of!(A KA NA; );
functions_of!(A KA NA; B KB NB);
functions_of!(A KA NA; B KB NB, C KC NC);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL, E KE NE);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL, E KE NE, G KG NG);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL, E KE NE, G KG NG, H KH NH);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL, E KE NE, G KG NG, H KH NH, I KI NI);
functions_of!(A KA NA; B KB NB, C KC NC, L KL NL, E KE NE, G KG NG, H KH NH, I KI NI, J KJ NJ);
