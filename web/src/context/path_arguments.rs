//! The arguments in the path of a request, and the types that arguments are parsed into.

use std::any::{Any, TypeId};
use std::fmt;
use std::str::FromStr;

use crate::context::Context;
use crate::error::{HTTPError, Result, invalid};
use crate::http1::field::decimal;
use crate::http1::head::Range;
use crate::routing::{InvalidUtf8, decode_argument};

impl Context {
    /// Returns the path argument called `name`, percent-decoded and parsed.
    ///
    /// # Errors
    ///
    /// - 404 if it does not parse as a `T`, or is absent because an optional group of a regular
    ///   expression did not match: see [`optional_path_argument`](Self::optional_path_argument);
    /// - 400 if it is not UTF-8;
    /// - 500 if the route has no argument of that name.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, RequestHandler, route};
    /// #[derive(Clone)]
    /// struct Story;
    ///
    /// impl RequestHandler for Story {
    ///     async fn get(&mut self, cx: &mut Context) -> Result {
    ///         let id: u64 = cx.path_argument("id")?;
    ///         cx.write(format!("story {id}"))
    ///     }
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/story/{id}", Story)]));
    /// assert_eq!(client.get("/story/7").send().text(), "story 7");
    /// assert_eq!(client.get("/story/seven").send().status(), 404);
    /// ```
    #[track_caller]
    pub fn path_argument<T: FromArgument>(&self, name: &str) -> Result<T> {
        self.path_argument_at(self.position_of(name)?)
    }

    /// Returns the path argument called `name`, or `None` if it is absent because an optional group
    /// of a regular expression did not match.
    ///
    /// A function handler can take an `Option` instead: see [`PathArgument`](crate::PathArgument).
    ///
    /// # Errors
    ///
    /// Like [`path_argument`](Self::path_argument), but an absent argument is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, regex};
    /// async fn archive(cx: &mut Context) -> Result {
    ///     let month: Option<u8> = cx.optional_path_argument("month")?;
    ///     write!(cx, "{month:?}")
    /// }
    ///
    /// let pattern = "/(?<year>[0-9]{4})(?:/(?<month>[0-9]+))?";
    /// let app = Application::new([regex(pattern, get(archive))]);
    /// let client = TestClient::new(app);
    /// assert_eq!(client.get("/1999/7").send().text(), "Some(7)");
    /// assert_eq!(client.get("/1999").send().text(), "None");
    /// ```
    #[track_caller]
    pub fn optional_path_argument<T: FromArgument>(&self, name: &str) -> Result<Option<T>> {
        self.optional_path_argument_at(self.position_of(name)?)
    }

    #[track_caller]
    fn position_of(&self, name: &str) -> Result<usize> {
        let position = self.with_pattern(|pattern| {
            pattern.argument_names().iter().position(|other| other == name)
        });
        match position.flatten() {
            Some(position) => Ok(position),
            None => Err(NoSuchArgument(name.to_owned()).into()),
        }
    }

    /// Returns the path argument at `position`, counted from 0, percent-decoded and parsed.
    ///
    /// # Errors
    ///
    /// Like [`path_argument`](Self::path_argument), but 404 if there is no argument at `position`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, regex};
    /// async fn archive(cx: &mut Context) -> Result {
    ///     let (year, month): (u16, u8) = (cx.path_argument_at(0)?, cx.path_argument_at(1)?);
    ///     cx.write(format!("{month}/{year}"))
    /// }
    ///
    /// let app = Application::new([regex(r"/(\d{4})-(\d\d)", get(archive))]);
    /// assert_eq!(TestClient::new(app).get("/1999-07").send().text(), "7/1999");
    /// ```
    pub fn path_argument_at<T: FromArgument>(&self, position: usize) -> Result<T> {
        let range = self.exchange.arguments.range(position).ok_or(HTTPError::NOT_FOUND)?;
        let range = self.exchange.head.path.part(range.start, range.end);
        match T::from_digits(|| self.with_bytes(range, decimal)) {
            Some(number) => Ok(number),
            None => self.parse_path_argument(range),
        }
    }

    /// Returns the path argument at `position`, counted from 0. Returns `None` if an optional group
    /// of a regular expression did not match, or if the route has fewer arguments.
    ///
    /// # Errors
    ///
    /// Like [`path_argument`](Self::path_argument), but an absent argument is not an error.
    pub fn optional_path_argument_at<T: FromArgument>(&self, position: usize) -> Result<Option<T>> {
        let is_there = self.exchange.arguments.range(position).is_some();
        is_there.then(|| self.path_argument_at(position)).transpose()
    }

    /// Parses an argument that is not an integer of plain digits.
    #[inline(never)]
    #[track_caller]
    fn parse_path_argument<T: FromArgument>(&self, range: Range) -> Result<T> {
        // The input cannot be borrowed here: parsing runs code of the user.
        let (buffer, range) = self.connection.with(|buffers| buffers.input.share(range));
        let raw = buffer.get(range).unwrap_or_default();
        let text = decode_argument(raw);
        let text = text.map_err(|InvalidUtf8| invalid("path argument", "not UTF-8"))?;
        T::from_argument(&text).ok_or_else(|| HTTPError::NOT_FOUND.into())
    }
}

/// A handler asked for an argument that its route does not have.
#[derive(Debug)]
struct NoSuchArgument(String);

impl fmt::Display for NoSuchArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the route has no path argument {:?}", self.0)
    }
}

impl std::error::Error for NoSuchArgument {}

/// A type that an argument of a request can be parsed into. Every type that implements [`FromStr`]
/// and borrows nothing is one.
///
/// For a type of your own, implement [`FromStr`]. This trait exists for its compile errors, which
/// name types that cannot be parsed. An optional path argument is an `Option`: see
/// [`PathArgument`](crate::PathArgument).
///
/// # Examples
///
/// ```
/// use std::str::FromStr;
///
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, get, route};
///
/// struct Hex(u32);
///
/// impl FromStr for Hex {
///     type Err = std::num::ParseIntError;
///
///     fn from_str(text: &str) -> Result<Self, Self::Err> {
///         u32::from_str_radix(text, 16).map(Self)
///     }
/// }
///
/// async fn show(cx: &mut Context, id: Hex) -> Result {
///     cx.write(id.0.to_string())
/// }
///
/// let client = TestClient::new(Application::new([route("/{id}", get(show))]));
/// assert_eq!(client.get("/ff").send().text(), "255");
/// assert_eq!(client.get("/fg").send().status(), 404);
/// ```
#[diagnostic::on_unimplemented(
    message = "an argument of a request cannot be parsed as `{Self}`",
    label = "`{Self}` does not implement `FromStr`",
    note = "numbers, `bool`, `String` (not `&str`) and every other type that implements `FromStr` can be parsed",
    note = "if no type is named, name one: `let id: u64 = cx.path_argument(\"id\")?`"
)]
pub trait FromArgument: Sized {
    /// Parses the decoded argument. Returns `None` if it is not valid for this type.
    fn from_argument(argument: &str) -> Option<Self>;

    /// Fast path of [`from_argument`](Self::from_argument): same result; skip on a first reading.
    ///
    /// Converts an argument of plain digits to an integer, without decoding it to text.
    #[doc(hidden)]
    #[inline]
    fn from_digits(digits: impl Fn() -> Option<u64>) -> Option<Self> {
        let _ = digits;
        None
    }
}

#[diagnostic::do_not_recommend]
impl<T: FromStr + 'static> FromArgument for T {
    fn from_argument(argument: &str) -> Option<Self> {
        argument.parse().ok()
    }

    #[inline]
    fn from_digits(digits: impl Fn() -> Option<u64>) -> Option<Self> {
        // The compiler knows `T`, and removes the other lines.
        None.or_else(|| integer::<T, u64>(&digits))
            .or_else(|| integer::<T, u32>(&digits))
            .or_else(|| integer::<T, u16>(&digits))
            .or_else(|| integer::<T, u8>(&digits))
            .or_else(|| integer::<T, usize>(&digits))
            .or_else(|| integer::<T, i64>(&digits))
            .or_else(|| integer::<T, i32>(&digits))
    }
}

/// Converts the number if `T` is the integer type `I` and the number fits.
#[inline]
fn integer<T: 'static, I: TryFrom<u64> + 'static>(digits: impl Fn() -> Option<u64>) -> Option<T> {
    if TypeId::of::<T>() != TypeId::of::<I>() {
        return None;
    }
    let mut value: Option<T> = None;
    let place: &mut dyn Any = &mut value;
    *place.downcast_mut()? = I::try_from(digits()?).ok();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_from_digits_equal_parsed_integers() {
        fn check<T: FromArgument + PartialEq + fmt::Debug>() {
            for number in [0, 7, 127, 128, 255, 256, 65_536, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
                let parsed = T::from_argument(&number.to_string());
                assert_eq!(T::from_digits(|| Some(number)), parsed, "{number}");
                assert_eq!(T::from_digits(|| None), None);
            }
        }
        check::<u64>();
        check::<u32>();
        check::<u16>();
        check::<u8>();
        check::<usize>();
        check::<i64>();
        check::<i32>();
        assert_eq!(String::from_digits(|| Some(1)), None);
        assert_eq!(char::from_digits(|| Some(1)), None);
    }
}
