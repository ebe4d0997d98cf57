//! The values that function handlers return.

use bytes::Bytes;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::StatusCode;
use crate::types::content::Content;
use crate::types::text::Text;

/// A value that a function handler can return.
///
/// Text and bytes become the body. A [`StatusCode`] becomes the status, and a pair sets both. `()`
/// leaves the response as the function wrote it. An error becomes the page of its status. Implement
/// the trait for your own types.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, StatusCode, get, route};
///
/// async fn created() -> (StatusCode, &'static str) {
///     (StatusCode::CREATED, "made")
/// }
///
/// let response = TestClient::new(Application::new([route("/", get(created))])).get("/").send();
/// assert_eq!((response.status(), response.text()), (StatusCode::CREATED, "made".into()));
/// ```
///
/// A type of your own:
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Respond, Result, get, route};
///
/// struct Json<T>(T);
///
/// impl<T: serde::Serialize> Respond for Json<T> {
///     fn respond(self, cx: &mut Context) -> Result {
///         cx.json(&self.0)
///     }
/// }
///
/// let app = Application::new([route("/", get(async || Json([1, 2])))]);
/// assert_eq!(TestClient::new(app).get("/").send().text(), "[1,2]");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response",
    label = "cannot be written as a response",
    note = "return `&'static str`, `String`, `Vec<u8>`, `()` after writing to the context, or a `Result` of these"
)]
pub trait Respond {
    /// Writes the value to the response.
    ///
    /// # Errors
    ///
    /// Returns the error if the value is one, and the error of writing it if that fails.
    fn respond(self, cx: &mut Context) -> Result;
}

impl Respond for () {
    fn respond(self, _cx: &mut Context) -> Result {
        Ok(())
    }
}

impl Respond for &'static str {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

impl Respond for String {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

impl Respond for Text {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

impl Respond for Vec<u8> {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

impl Respond for Content {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

impl Respond for Bytes {
    fn respond(self, cx: &mut Context) -> Result {
        cx.write(self)
    }
}

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
}

impl<R: Respond, E: Into<Error>> Respond for Result<R, E> {
    fn respond(self, cx: &mut Context) -> Result {
        match self {
            Ok(response) => response.respond(cx),
            Err(error) => Err(error.into()),
        }
    }
}
