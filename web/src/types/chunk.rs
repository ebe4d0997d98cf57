//! [`Chunk`]: a piece of a response body.

use std::borrow::Cow;

use bytes::Bytes;

use crate::types::content::Content;
use crate::types::text::Text;

/// A piece of a body, for [`Context::write`](crate::Context::write).
///
/// `Bytes`, `Vec<u8>`, `String` and [`Content`] move into the response; `&str`, `&[u8]` and
/// [`Text`] are copied. Created with `From`; you seldom need the type itself.
///
/// # Examples
///
/// ```
/// use squall::Chunk;
///
/// let chunks = [Chunk::from("borrowed"), Chunk::from(String::from("moved"))];
/// assert_eq!(chunks[1].as_bytes(), b"moved");
/// ```
#[derive(Debug)]
pub struct Chunk<'a>(pub(crate) ChunkKind<'a>);

#[derive(Debug)]
pub(crate) enum ChunkKind<'a> {
    Borrowed(&'a [u8]),
    Vec(Vec<u8>),
    Bytes(Bytes),
    Content(Content),
    Text(Text),
}

/// A value that can be written to a response: anything that converts to a [`Chunk`].
///
/// To write a type of your own, implement `From` for [`Chunk`]. This trait only improves the
/// compiler's message for a value that is neither text nor bytes.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Chunk, Context, Result, get, route};
///
/// struct Bold(&'static str);
///
/// impl From<Bold> for Chunk<'_> {
///     fn from(bold: Bold) -> Self {
///         format!("<b>{}</b>", bold.0).into()
///     }
/// }
///
/// async fn hello(cx: &mut Context) -> Result {
///     cx.write(Bold("hello"))
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(hello))]));
/// assert_eq!(client.get("/").send().text(), "<b>hello</b>");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a response",
    label = "neither text nor bytes",
    note = "write a `&str`, `String`, `&[u8]`, `Vec<u8>`, `Bytes`, `Content` or `Text`; make text of a number by `.to_string()`",
    note = "for a value as JSON: `cx.json(&value)`; for what has to be waited for: `.await?`"
)]
pub trait IntoChunk<'a> {
    /// Converts the value to a chunk.
    fn into_chunk(self) -> Chunk<'a>;
}

#[diagnostic::do_not_recommend]
impl<'a, T: Into<Chunk<'a>>> IntoChunk<'a> for T {
    fn into_chunk(self) -> Chunk<'a> {
        self.into()
    }
}

impl Chunk<'_> {
    /// Returns the bytes of the chunk.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            ChunkKind::Borrowed(bytes) => bytes,
            ChunkKind::Vec(bytes) => bytes,
            ChunkKind::Bytes(bytes) => bytes,
            ChunkKind::Content(content) => content,
            ChunkKind::Text(text) => text.as_bytes(),
        }
    }
}

impl<'a> From<&'a str> for Chunk<'a> {
    fn from(text: &'a str) -> Self {
        Self(ChunkKind::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Chunk<'a> {
    fn from(text: &'a String) -> Self {
        Self(ChunkKind::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a [u8]> for Chunk<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(ChunkKind::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Chunk<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(ChunkKind::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Chunk<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(ChunkKind::Borrowed(bytes))
    }
}

impl<'a> From<&'a Content> for Chunk<'a> {
    fn from(content: &'a Content) -> Self {
        Self(ChunkKind::Borrowed(content))
    }
}

impl<'a> From<&'a Text> for Chunk<'a> {
    fn from(text: &'a Text) -> Self {
        Self(ChunkKind::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<Cow<'a, str>> for Chunk<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<String> for Chunk<'_> {
    fn from(text: String) -> Self {
        Self(ChunkKind::Vec(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Chunk<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(ChunkKind::Vec(bytes))
    }
}

impl From<Bytes> for Chunk<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(ChunkKind::Bytes(bytes))
    }
}

impl From<Content> for Chunk<'_> {
    fn from(content: Content) -> Self {
        Self(ChunkKind::Content(content))
    }
}

impl From<Text> for Chunk<'_> {
    fn from(text: Text) -> Self {
        Self(ChunkKind::Text(text))
    }
}
