//! [`Json`]: a body in JSON, in both directions.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::Result;
use crate::handler::parameters::from_request::{OptionalParameter, Parameter, Reader};
use crate::handler::parameters::kind;
use crate::handler::respond::Respond;

/// JSON: as a parameter of a function the body of the request, as its result the body of the
/// response.
///
/// A request with another `Content-Type` than `application/json` (or `application/…+json`) is
/// answered with 415, malformed JSON with 400, and JSON that does not fit the type with 422. The
/// message names the field. `Option<Json<T>>` is `None` for a request without a body.
/// [`HTTPServer::any_json_content_type`](crate::HTTPServer::any_json_content_type) accepts JSON of
/// any content type.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Json, post, route};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct Point {
///     x: i32,
///     y: i32,
/// }
///
/// async fn mirror(Json(point): Json<Point>) -> Json<Point> {
///     Json(Point { x: point.y, y: point.x })
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(mirror))]));
/// let response = client.post("/").json(&Point { x: 1, y: 2 }).send();
/// assert_eq!(response.text(), r#"{"x":2,"y":1}"#);
///
/// let json = |body: &str| client.post("/").header("Content-Type", "application/json").body(body);
/// assert_eq!(json(r#"{"x":1,"#).send().status(), 400);
/// let refused = json(r#"{"x":1}"#).send();
/// assert_eq!(refused.status(), 422);
/// assert!(refused.text().contains("JSON: missing field `y`"));
/// assert_eq!(client.post("/").body("{}").send().status(), 415);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: 'static> Parameter<kind::TakesBody> for Json<T> {
    type Reader = JsonReader;
}

/// Reads [`Json`].
#[derive(Debug)]
pub struct JsonReader;

impl<T: DeserializeOwned + 'static> Reader<Json<T>> for JsonReader {
    async fn read(cx: &mut Context, _: usize) -> Result<Json<T>> {
        cx.check_json_content_type()?;
        cx.body().json().await.map(Json)
    }
}

impl<T: DeserializeOwned + 'static> OptionalParameter<kind::TakesBody> for Json<T> {
    async fn read_optional(cx: &mut Context) -> Result<Option<Self>> {
        match cx.has_body() {
            true => JsonReader::read(cx, 0).await.map(Some),
            false => Ok(None),
        }
    }
}

impl<T: Serialize> Respond for Json<T> {
    fn respond(self, cx: &mut Context) -> Result {
        cx.json(&self.0)
    }
}
