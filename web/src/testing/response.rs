//! [`TestResponse`].

use serde::de::DeserializeOwned;

use crate::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use crate::http1::body::{BodyDecoder, BodyStep};
use crate::http1::head::Framing;

/// A response to a [`TestClient`](crate::testing::TestClient), after it was received.
///
/// # Examples
///
/// ```
/// # use squall::{testing::TestClient, Application, Context, Result, get, route};
/// async fn list(cx: &mut Context) -> Result {
///     cx.json(&["a", "b"])
/// }
///
/// let response = TestClient::new(Application::new([route("/", get(list))])).get("/").send();
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.header("content-type"), Some("application/json; charset=UTF-8"));
/// assert_eq!(response.json::<Vec<String>>(), ["a", "b"]);
/// assert!(response.is_complete() && response.body().len() == 9);
/// ```
#[derive(Clone, Debug)]
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    complete: bool,
}

impl TestResponse {
    /// Returns the status. It can be compared with a number.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the first header called `name`, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body without chunk framing.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as text. Replaces invalid UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    ///
    /// Panics if the body is not JSON in the form of a `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).expect("the body is JSON of the type")
    }

    /// Whether the whole body was received. It was not if the server cut it short, or at
    /// [`TestClient::max_response_size`](crate::testing::TestClient::max_response_size).
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns whether `bytes` begin with the whole head of a final response.
    pub(super) fn has_head(mut bytes: &[u8]) -> bool {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let mut head = httparse::Response::new(&mut fields);
            match (head.parse(bytes), head.code) {
                (Ok(httparse::Status::Complete(length)), Some(100 | 102..=199)) => {
                    bytes = &bytes[length..];
                }
                (status, _) => return status.is_ok_and(|status| status.is_complete()),
            }
        }
    }

    #[track_caller]
    pub(super) fn parse(mut bytes: &[u8], has_ended: bool, method: &Method) -> Self {
        loop {
            let (response, rest) = Self::parse_head(bytes);
            // Skip interim responses.
            if response.status.is_informational() && response.status != 101 {
                bytes = rest;
                continue;
            }
            let mut response = response.with_body(rest, method);
            response.complete &= has_ended;
            return response;
        }
    }

    #[track_caller]
    fn parse_head(bytes: &[u8]) -> (Self, &[u8]) {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else {
            panic!("no response: {:?}", String::from_utf8_lossy(bytes));
        };
        let headers = head.headers.iter().filter_map(|field| {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(field.value).ok()?))
        });
        let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let response = Self { status, headers: map, body: Vec::new(), complete: false };
        (response, &bytes[length..])
    }

    fn with_body(mut self, bytes: &[u8], method: &Method) -> Self {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        let framing = match (self.header("transfer-encoding"), length) {
            _ if *method == Method::HEAD => Framing::None,
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            (None, None) => Framing::Length(bytes.len() as u64),
        };
        let mut decoder = BodyDecoder::new(framing);
        let mut rest = bytes;
        loop {
            match decoder.decode(rest) {
                Ok(BodyStep::Data { skip, len }) => {
                    self.body.extend_from_slice(&rest[skip..skip + len]);
                    rest = &rest[skip + len..];
                }
                Ok(BodyStep::Skip(skip)) if skip > 0 => rest = &rest[skip..],
                end => {
                    self.complete = matches!(end, Ok(BodyStep::Done { .. }));
                    return self;
                }
            }
        }
    }
}
