//! The values that functions return.

use std::fmt;

use bytes::Bytes;
use futures_lite::{Stream, StreamExt};

use crate::context::Context;
use crate::context::stream::BodyStream;
use crate::error::{HTTPError, IntoError, KnownFailures, Result};
use crate::http::{HeaderName, HeaderValue, StatusCode};
use crate::types::chunk::IntoChunk;
use crate::types::content::Content;
use crate::types::text::Text;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A value that a function can return.
///
/// | value | response |
/// |---|---|
/// | `&'static str`, `String`, [`Text`] | the text, as `text/plain; charset=UTF-8` |
/// | `Vec<u8>`, [`Bytes`], [`Content`] | the bytes, as `application/octet-stream` |
/// | [`Html<T>`](crate::Html) | the text, as `text/html; charset=UTF-8` |
/// | [`Json<T>`](crate::Json) | the value, as `application/json; charset=UTF-8` |
/// | [`Redirect`](crate::Redirect) | 303, 307 or 308 with a `Location` |
/// | [`StreamBody`](crate::StreamBody) | the pieces of a stream, as they come |
/// | [`StatusCode`] | the status, without a body |
/// | [`NoContent`](crate::NoContent) | 204 |
/// | `(StatusCode, R)` | `R` with this status |
/// | `(StatusCode, [(name, value); N], R)` | `R` with this status and these headers |
/// | `Option<R>` | `R`, or 404 for `None` |
/// | `Result<R, E>` | `R`, or the response to the error |
/// | `()` | the response as the function wrote it |
///
/// A `Content-Type` that the function has set is kept. Note the difference: `cx.write("…")` sends
/// HTML by default, as in Tornado, and a function that returns text sends plain text, so that text
/// from a client cannot become markup.
///
/// Implement the trait for your own types.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Html, StatusCode, get, route};
///
/// async fn created() -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
///     (StatusCode::CREATED, [("Location", "/notes/7")], "made")
/// }
///
/// async fn page(id: u64) -> Option<Html<String>> {
///     (id == 7).then(|| Html(format!("<p>note {id}</p>")))
/// }
///
/// let app = Application::new([route("/", get(created)), route("/notes/{id}", get(page))]);
/// let client = TestClient::new(app);
/// let response = client.get("/").send();
/// assert_eq!((response.status(), response.text()), (StatusCode::CREATED, "made".into()));
/// assert_eq!(response.header("location"), Some("/notes/7"));
/// assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
/// assert_eq!(client.get("/notes/7").send().text(), "<p>note 7</p>");
/// assert_eq!(client.get("/notes/8").send().status(), 404);
/// ```
///
/// A type of your own:
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Respond, Result, get, route};
///
/// struct Csv(Vec<[u32; 2]>);
///
/// impl Respond for Csv {
///     fn respond(self, cx: &mut Context) -> Result {
///         cx.set_header("Content-Type", "text/csv")?;
///         for [a, b] in self.0 {
///             writeln!(cx, "{a},{b}")?;
///         }
///         Ok(())
///     }
/// }
///
/// let app = Application::new([route("/", get(async || Csv(vec![[1, 2]])))]);
/// assert_eq!(TestClient::new(app).get("/").send().text(), "1,2\n");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response",
    label = "cannot be written as a response",
    note = "return text, bytes, `Json<T>` with `T: Serialize`, `Html<T>`, a `StatusCode`, `()` after writing to the context, or an `Option` or a `Result` of these"
)]
pub trait Respond {
    /// Writes the value to the response.
    ///
    /// # Errors
    ///
    /// Returns the error if the value is one, and the error of writing it if that fails.
    fn respond(self, cx: &mut Context) -> Result;

    /// Reports the failures that the value can be.
    #[doc(hidden)]
    fn know(known: &mut KnownFailures)
    where
        Self: Sized,
    {
        let _ = known;
    }
}

impl Respond for () {
    fn respond(self, _cx: &mut Context) -> Result {
        Ok(())
    }
}

/// Implements [`Respond`] for types that are written with this `Content-Type`.
macro_rules! written_as {
    ($content_type:expr; $($type:ty)*) => {
        $(
            impl Respond for $type {
                fn respond(self, cx: &mut Context) -> Result {
                    cx.write_as($content_type, self)
                }
            }
        )*
    };
}

written_as!(TEXT; &'static str String Text);
written_as!(BYTES; Vec<u8> Content Bytes);

impl Respond for StatusCode {
    fn respond(self, cx: &mut Context) -> Result {
        cx.set_status(self);
        Ok(())
    }
}

impl<R: Respond> Respond for (StatusCode, R) {
    fn respond(self, cx: &mut Context) -> Result {
        cx.set_status(self.0);
        self.1.respond(cx)
    }

    fn know(known: &mut KnownFailures) {
        R::know(known);
    }
}

impl<N, V, R, const COUNT: usize> Respond for (StatusCode, [(N, V); COUNT], R)
where
    N: TryInto<HeaderName, Error: Into<::http::Error>>,
    V: TryInto<HeaderValue, Error: Into<::http::Error>>,
    R: Respond,
{
    fn respond(self, cx: &mut Context) -> Result {
        let (status, headers, response) = self;
        cx.set_status(status);
        for (name, value) in headers {
            cx.add_header(name, value)?;
        }
        response.respond(cx)
    }

    fn know(known: &mut KnownFailures) {
        R::know(known);
    }
}

impl<R: Respond> Respond for Option<R> {
    fn respond(self, cx: &mut Context) -> Result {
        match self {
            Some(response) => response.respond(cx),
            None => Err(HTTPError::NOT_FOUND.into()),
        }
    }

    fn know(known: &mut KnownFailures) {
        R::know(known);
    }
}

impl<R: Respond, E: IntoError> Respond for Result<R, E> {
    fn respond(self, cx: &mut Context) -> Result {
        match self {
            Ok(response) => response.respond(cx),
            Err(error) => Err(error.into_error()),
        }
    }

    fn know(known: &mut KnownFailures) {
        R::know(known);
        E::know(known);
    }
}

/// Text that is sent as HTML.
///
/// Nothing is escaped: escape text from clients yourself.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Html, get, route};
///
/// async fn home() -> Html<&'static str> {
///     Html("<h1>Hello</h1>")
/// }
///
/// let response = TestClient::new(Application::new([route("/", get(home))])).get("/").send();
/// assert_eq!(response.header("content-type"), Some("text/html; charset=UTF-8"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Html<T>(pub T);

impl<T: IntoChunk<'static>> Respond for Html<T> {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write_as(HTML, self.0)
    }
}

/// 204 No Content: the request has succeeded, and there is nothing to send.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, NoContent, delete, route};
///
/// let app = Application::new([route("/{id}", delete(async |_id: u64| NoContent))]);
/// assert_eq!(TestClient::new(app).delete("/7").send().status(), 204);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

impl Respond for NoContent {
    fn respond(self, cx: &mut Context) -> Result {
        StatusCode::NO_CONTENT.respond(cx)
    }
}

/// A redirect to another URL.
///
/// Spaces, tabs and text outside ASCII are percent-encoded, as by
/// [`Context::redirect`](crate::Context::redirect).
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Redirect, post, route};
///
/// async fn save() -> Redirect {
///     Redirect::to("/notes/7")
/// }
///
/// let response = TestClient::new(Application::new([route("/", post(save))])).post("/").send();
/// assert_eq!((response.status().as_u16(), response.header("location")), (303, Some("/notes/7")));
/// ```
#[derive(Clone, Debug)]
pub struct Redirect {
    status: StatusCode,
    url: String,
}

impl Redirect {
    /// The client gets `url` with `GET`: 303. Use it after a form.
    pub fn to(url: impl Into<String>) -> Self {
        Self { status: StatusCode::SEE_OTHER, url: url.into() }
    }

    /// The client repeats the request at `url`, this time: 307.
    pub fn temporary(url: impl Into<String>) -> Self {
        Self { status: StatusCode::TEMPORARY_REDIRECT, url: url.into() }
    }

    /// The client repeats the request at `url`, now and in the future: 308.
    pub fn permanent(url: impl Into<String>) -> Self {
        Self { status: StatusCode::PERMANENT_REDIRECT, url: url.into() }
    }
}

impl Respond for Redirect {
    fn respond(self, cx: &mut Context) -> Result {
        cx.redirect_with(self.status, &self.url)
    }
}

/// The pieces of a stream as the body, each sent as soon as it comes.
///
/// The stream yields text or bytes, or `Result`s of these. The next piece is asked for when the
/// client has room for it, so a client that reads slowly slows the stream down. If the client
/// disconnects, the stream is dropped where it waits. An error after the first piece cuts the
/// connection, so the client sees that the body is incomplete. `HEAD` drops the stream unread.
///
/// The `Content-Type` is `application/octet-stream`, unless the function sets another one.
///
/// # Examples
///
/// ```
/// use futures_lite::stream;
/// use squall::testing::TestClient;
/// use squall::{Application, StreamBody, get, route};
///
/// async fn numbers() -> StreamBody {
///     StreamBody::new(stream::iter(1..=3).map(|number| format!("{number}\n")))
/// }
/// # use futures_lite::StreamExt;
///
/// let client = TestClient::new(Application::new([route("/", get(numbers))]));
/// assert_eq!(client.get("/").send().text(), "1\n2\n3\n");
/// ```
pub struct StreamBody(BodyStream);

impl StreamBody {
    /// Makes a body of a stream of text or bytes.
    pub fn new<S>(stream: S) -> Self
    where
        S: Stream<Item: Into<Bytes>> + 'static,
    {
        Self(Box::pin(stream.map(|piece| Ok(piece.into()))))
    }

    /// Makes a body of a stream that may fail.
    pub fn fallible<S, T, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + 'static,
        T: Into<Bytes>,
        E: IntoError,
    {
        Self(Box::pin(stream.map(|piece| match piece {
            Ok(piece) => Ok(piece.into()),
            Err(error) => Err(error.into_error()),
        })))
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}

impl Respond for StreamBody {
    fn respond(self, cx: &mut Context) -> Result {
        cx.set_default_content_type(BYTES);
        cx.set_stream(self.0);
        Ok(())
    }
}
