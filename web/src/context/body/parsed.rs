//! The body of a request as JSON, a form or text.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Body;
use crate::context::Context;
use crate::error::{HTTPError, Result, bad_request, invalid};
use crate::forms::urlencoded::check_fields;

impl Body {
    /// Reads the whole body and deserializes it from JSON into a `T`. The `Content-Type` is not
    /// checked.
    ///
    /// # Errors
    ///
    /// 400 if it is not JSON, 422 if it does not fit the type, and the errors of reading [the
    /// body](Self#errors). The message for the client names the field.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, post, route};
    /// async fn sum(cx: &mut Context) -> Result {
    ///     let numbers: Vec<i64> = cx.body().json().await?;
    ///     cx.json(&numbers.iter().sum::<i64>())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", post(sum))]));
    /// assert_eq!(client.post("/").body("[1, 2]").send().text(), "3");
    /// assert_eq!(client.post("/").body("[1, ").send().status(), 400);
    /// ```
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let refusal = match error.classify() {
                Category::Data => HTTPError::UNPROCESSABLE_ENTITY,
                Category::Syntax | Category::Eof | Category::Io => HTTPError::BAD_REQUEST,
            };
            refusal.with_message(format!("JSON: {error}")).into()
        })
    }

    /// Reads the whole body and deserializes it from a form (`application/x-www-form-urlencoded`)
    /// into a `T`. The `Content-Type` is not checked.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, the replacement character. To refuse them, use
    /// [`Context::argument`](crate::Context::argument).
    ///
    /// # Errors
    ///
    /// 400 if it does not fit the type or has more than 1,000 fields, and the errors of reading
    /// [the body](Self#errors).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, post, route};
    /// #[derive(serde::Deserialize)]
    /// struct Letter {
    ///     to: String,
    ///     #[serde(default)]
    ///     urgent: bool,
    /// }
    ///
    /// async fn send(cx: &mut Context) -> Result {
    ///     let letter: Letter = cx.body().form().await?;
    ///     cx.write(format!("{}, urgent: {}", letter.to, letter.urgent))
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", post(send))]));
    /// assert_eq!(client.post("/").body("to=Ada&urgent=true").send().text(), "Ada, urgent: true");
    /// assert_eq!(client.post("/").body("urgent=true").send().status(), 400);
    /// ```
    pub async fn form<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.await?;
        check_fields(&bytes)?;
        serde_html_form::from_bytes(&bytes).map_err(|error| invalid("form", error))
    }

    /// Reads the whole body as text.
    ///
    /// # Errors
    ///
    /// 400 if it is not UTF-8, and the errors of reading [the body](Self#errors).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, post, route};
    /// async fn shout(cx: &mut Context) -> Result {
    ///     cx.write(cx.body().text().await?.to_uppercase())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", post(shout))]));
    /// assert_eq!(client.post("/").body("hello").send().text(), "HELLO");
    /// assert_eq!(client.post("/").body([0xff]).send().status(), 400);
    /// ```
    pub async fn text(self) -> Result<String> {
        let bytes = self.await?;
        String::from_utf8(bytes.into()).map_err(bad_request)
    }
}

impl Context {
    /// Checks that the body is declared as JSON.
    ///
    /// # Errors
    ///
    /// 415 if it is not, unless the server accepts JSON of any content type.
    pub(crate) fn check_json_content_type(&self) -> Result {
        let content_type = self.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        if self.connection.server.settings.any_json_content_type || is_json(media_type.trim()) {
            return Ok(());
        }
        let message = "the body must be application/json";
        Err(HTTPError::UNSUPPORTED_MEDIA_TYPE.with_message(message).into())
    }
}

/// Whether `media_type` is `application/json` or `application/…+json` (RFC 6839 §3.1).
fn is_json(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}
