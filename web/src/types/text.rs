//! [`Text`]: a piece of a request as text.

use std::borrow::{Borrow, Cow};
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;
use std::str::FromStr;

use bytes::Bytes;
use http::header::InvalidHeaderValue;
use serde::{Deserialize, Deserializer};

use super::http::HeaderValue;

/// A piece of a request as text: owned, and cheap to clone.
///
/// The methods of a [`Context`](crate::Context) return the path, arguments and headers as `Text`.
/// It reads like a `str`. It borrows nothing, so a handler can keep it, move it into a background
/// task, or write it to the response.
///
/// Most texts share the buffer in which the request was received, and keep it alive: 8 KiB, or more
/// for a larger head. Convert a text to a `String` to keep it for long.
///
/// # Examples
///
/// ```
/// use squall::Text;
///
/// let name = Text::from("Grace");
/// assert_eq!(name, "Grace");
/// assert!(name.starts_with('G'));
/// assert_eq!(name.to_uppercase(), "GRACE");
/// ```
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Owned(Rc<str>),
    /// Long text, which was moved and not copied.
    Long(Rc<String>),
    /// A range of the request's bytes, which is valid UTF-8.
    Shared {
        bytes: Rc<[u8]>,
        start: u32,
        end: u32,
    },
}

/// A `String` of at least this many bytes is moved. A shorter one is copied: both take one
/// allocation.
const LONG: usize = 1024;

impl Text {
    /// Copies `text`, in one allocation.
    pub(crate) fn copied(text: &str) -> Self {
        Self(Repr::Owned(text.into()))
    }

    /// Shares `bytes[start..end]`. Decodes invalid UTF-8 as ISO-8859-1, the encoding of headers and
    /// paths before UTF-8.
    pub(crate) fn shared(bytes: Rc<[u8]>, start: usize, end: usize) -> Self {
        let range = bytes.get(start..end).unwrap_or_default();
        if str::from_utf8(range).is_err() {
            let latin1: String = range.iter().map(|&byte| char::from(byte)).collect();
            return Self::from(latin1);
        }
        // The bytes are a head, which is far smaller than 4 GiB.
        Self(Repr::Shared { bytes, start: start as u32, end: end as u32 })
    }

    /// Returns the text as a `&str`.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Owned(text) => text,
            Repr::Long(text) => text,
            Repr::Shared { bytes, start, end } => {
                // Cannot fail, because the range was checked before. Checking the few bytes of a
                // path again is better than `unsafe`.
                let range = bytes.get(*start as usize..*end as usize).unwrap_or_default();
                str::from_utf8(range).unwrap_or_default()
            }
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Repr::Static(""))
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<String> for Text {
    /// Does not copy text of 1 KiB or more.
    fn from(text: String) -> Self {
        match text.len() {
            LONG.. => Self(Repr::Long(Rc::new(text))),
            _ => Self(Repr::Owned(text.into())),
        }
    }
}

impl From<Text> for String {
    /// Does not copy long text that came from a `String` and has no other clones.
    fn from(text: Text) -> Self {
        match text.0 {
            Repr::Long(text) => Rc::unwrap_or_clone(text),
            Repr::Static(_) | Repr::Owned(_) | Repr::Shared { .. } => text.as_str().to_owned(),
        }
    }
}

impl From<Text> for Bytes {
    /// Does not copy static text, or long text that came from a `String` and has no other clones.
    fn from(text: Text) -> Self {
        match text.0 {
            Repr::Static(text) => Self::from_static(text.as_bytes()),
            Repr::Long(text) => Rc::unwrap_or_clone(text).into(),
            Repr::Owned(_) | Repr::Shared { .. } => Self::copy_from_slice(text.as_bytes()),
        }
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Repr::Owned(text.into()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Eq for Text {}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<HeaderValue> for Text {
    fn eq(&self, other: &HeaderValue) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<Text> for HeaderValue {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// The bytes of the text. Fails for control characters.
impl TryFrom<Text> for HeaderValue {
    type Error = InvalidHeaderValue;

    fn try_from(text: Text) -> Result<Self, InvalidHeaderValue> {
        Self::from_bytes(text.as_bytes())
    }
}

/// The value as text. A value that is not UTF-8 is read as ISO-8859-1.
impl From<&HeaderValue> for Text {
    fn from(value: &HeaderValue) -> Self {
        match str::from_utf8(value.as_bytes()) {
            Ok(text) => text.to_owned().into(),
            Err(_) => {
                value.as_bytes().iter().map(|&byte| char::from(byte)).collect::<String>().into()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_text_reads_its_range_and_outlives_the_other_handles() {
        let bytes: Rc<[u8]> = Rc::from(&b"GET /caf\xc3\xa9 HTTP/1.1"[..]);
        let text = Text::shared(Rc::clone(&bytes), 4, 10);
        drop(bytes);
        assert_eq!(text, "/caf\u{e9}");
    }

    #[test]
    fn long_text_is_not_copied_while_it_is_not_shared() {
        for length in [1, 5, LONG - 1, LONG, 5 * LONG] {
            let string = "x".repeat(length);
            let place = string.as_ptr();
            let text = Text::from(string.clone());
            assert_eq!(text, string);
            let shared = text.clone();
            assert_eq!(shared.as_ptr(), text.as_ptr());
            assert_eq!(Bytes::from(shared), string.as_bytes());
            assert_eq!(String::from(text), string);
            let bytes = Bytes::from(Text::from(string));
            assert!(length < LONG || bytes.as_ptr() == place, "{length}");
        }
        let text = "static";
        assert_eq!(Bytes::from(Text::from(text)).as_ptr(), text.as_ptr());
        assert_eq!(Text::copied("copied"), "copied");
    }

    #[test]
    fn octets_that_are_not_utf8_are_read_as_latin1() {
        let text = Text::shared(Rc::from(&b"caf\xe9"[..]), 0, 4);
        assert_eq!(text, "caf\u{e9}");
    }
}
