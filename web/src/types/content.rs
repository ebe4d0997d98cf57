//! [`Content`]: the bytes of a request body.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;
use std::slice;

use bytes::Bytes;

/// The whole body of a request, as bytes: owned, and cheap to clone.
///
/// `cx.body().await` returns it. It reads like a `[u8]`.
///
/// A small body that arrived together with its head shares the memory in which both were received.
/// So it is not `Send`, and keeping it keeps all of that memory, 8 KiB or more. Convert it to
/// [`Bytes`] or a `Vec<u8>` to keep it for long, or to move it into another thread.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Bytes, Context, IOLoop, Result, post, route};
///
/// async fn sum(cx: &mut Context) -> Result {
///     let body = cx.body().await?;
///     if body.is_empty() {
///         return cx.write("no bytes");
///     }
///     let bytes = Bytes::from(body);
///     let sum = move || bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
///     let sum = IOLoop::current().run_in_executor(sum).await?;
///     cx.write(sum.to_string())
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(sum))]));
/// assert_eq!(client.post("/").body([1, 2, 3]).send().text(), "6");
/// ```
#[derive(Clone)]
pub struct Content(ContentKind);

#[derive(Clone)]
enum ContentKind {
    /// A range of the received bytes.
    Shared {
        bytes: Rc<[u8]>,
        start: u32,
        end: u32,
    },
    Owned(Bytes),
}

impl Content {
    /// Shares `bytes[start..end]`. `end` must be below 4 GiB.
    #[inline]
    pub(crate) fn shared(bytes: &Rc<[u8]>, start: usize, end: usize) -> Self {
        debug_assert!(u32::try_from(end).is_ok());
        Self(ContentKind::Shared { bytes: Rc::clone(bytes), start: start as u32, end: end as u32 })
    }

    /// Returns the bytes as a slice.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            ContentKind::Shared { bytes, start, end } => {
                bytes.get(*start as usize..*end as usize).unwrap_or_default()
            }
            ContentKind::Owned(bytes) => bytes,
        }
    }

    /// Whether the framework owns the memory. Then dropping it runs no user code.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, ContentKind::Shared { .. })
    }
}

impl Default for Content {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl Deref for Content {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl<'a> IntoIterator for &'a Content {
    type Item = &'a u8;
    type IntoIter = slice::Iter<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Content {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<Bytes> for Content {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self(ContentKind::Owned(bytes))
    }
}

impl From<Content> for Bytes {
    /// Copies shared bytes.
    fn from(content: Content) -> Self {
        match content.0 {
            ContentKind::Owned(bytes) => bytes,
            ContentKind::Shared { .. } => Self::copy_from_slice(&content),
        }
    }
}

impl From<Content> for Vec<u8> {
    /// Copies shared bytes.
    fn from(content: Content) -> Self {
        match content.0 {
            ContentKind::Owned(bytes) => bytes.into(),
            ContentKind::Shared { .. } => content.to_vec(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl Eq for Content {}

impl Ord for Content {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl PartialOrd for Content {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Content {
    fn eq(&self, other: &T) -> bool {
        self.as_slice() == other.as_ref()
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_content_has_its_range_and_outlives_other_handles() {
        let bytes: Rc<[u8]> = Rc::from(&b"head body next"[..]);
        let content = Content::shared(&bytes, 5, 9);
        drop(bytes);
        assert_eq!(content, "body");
        assert_eq!(content, content.clone());
        assert_eq!(
            (Bytes::from(content.clone()), Vec::from(content)),
            ("body".into(), b"body".to_vec())
        );
    }

    #[test]
    fn owned_content_is_not_copied() {
        let bytes = Bytes::from(vec![7; 100]);
        let place = bytes.as_ptr();
        let content = Content::from(bytes);
        assert_eq!((content.as_ptr(), content.clone().as_ptr()), (place, place));
        assert_eq!(Bytes::from(content).as_ptr(), place);
    }

    #[test]
    fn debug_shows_text_with_escapes() {
        assert_eq!(format!("{:?}", Content::from(Bytes::from("a\n\"\0"))), r#"b"a\n\"\x00""#);
        assert!(Content::default().is_empty());
    }
}
