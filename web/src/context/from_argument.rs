use std::any::{Any, TypeId};
use std::str::FromStr;

/// What an argument of a request can be parsed as: whatever implements [`FromStr`] and borrows
/// nothing.
///
/// For a type of your own, implement [`FromStr`]. This trait is there for what the compiler says
/// of a type that cannot be parsed, or that nobody named. An argument that a path may lack is an
/// `Option`: see [`PathArgument`](crate::PathArgument).
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
    note = "numbers, `bool`, `String` (not `&str`) and all else that implements `FromStr` can be parsed",
    note = "where no type is named, name one: `let id: u64 = cx.path_argument(\"id\")?`"
)]
pub trait FromArgument: Sized {
    /// Parses the argument, which is decoded; `None` if it is none of this type.
    fn from_argument(argument: &str) -> Option<Self>;

    /// What [`from_argument`](Self::from_argument) makes of an argument of nothing but digits, if
    /// this type is one of integers: they are read as such where they stand.
    #[doc(hidden)]
    #[inline(always)]
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

    #[inline(always)]
    fn from_digits(digits: impl Fn() -> Option<u64>) -> Option<Self> {
        // Which of them `T` is, is known to the compiler: one remains, or none.
        None.or_else(|| integer::<T, u64>(&digits))
            .or_else(|| integer::<T, u32>(&digits))
            .or_else(|| integer::<T, u16>(&digits))
            .or_else(|| integer::<T, u8>(&digits))
            .or_else(|| integer::<T, usize>(&digits))
            .or_else(|| integer::<T, i64>(&digits))
            .or_else(|| integer::<T, i32>(&digits))
    }
}

/// The number as a `T`, if that is an `I`, and large enough.
#[inline(always)]
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
    fn digits_are_what_they_parse_to() {
        fn check<T: FromArgument + PartialEq + std::fmt::Debug>() {
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
