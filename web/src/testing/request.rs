//! [`TestRequest`].

use std::fmt::Write;

use serde::Serialize;

use crate::http::Method;
use crate::testing::client::AfterSending;
use crate::testing::{TestClient, TestResponse};

/// A request of a [`TestClient`] that has not been sent yet.
///
/// # Examples
///
/// ```
/// # use squall::{testing::TestClient, Application, Context, Result, post, route};
/// async fn save(cx: &mut Context) -> Result {
///     let name = cx.argument("name")?;
///     cx.write(format!("{name} of {}", cx.header("x-team").unwrap_or_default()))
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(save))]));
/// let request = client.post("/").header("X-Team", "engines").form(&[("name", "Ada")]);
/// assert_eq!(request.send().text(), "Ada of engines");
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct TestRequest<'a> {
    client: &'a TestClient,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl<'a> TestRequest<'a> {
    pub(super) fn new(client: &'a TestClient, method: Method, target: &str) -> Self {
        let target = target.to_owned();
        Self { client, method, target, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header. The default `Host` is `localhost`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body. It is sent with a `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body and its `Content-Type`.
    ///
    /// # Panics
    ///
    /// Panics if `value` cannot be converted to JSON.
    #[track_caller]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let body = serde_json::to_vec(value).expect("the value can be converted to JSON");
        self.header("Content-Type", "application/json").body(body)
    }

    /// Sets a form as the body, and its `Content-Type`.
    ///
    /// # Panics
    ///
    /// Panics if `value` cannot be converted to a list of fields.
    #[track_caller]
    pub fn form<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let body = serde_html_form::to_string(value).expect("the value can be converted to fields");
        self.header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sends the request and waits for the response. Reads while it writes, so the handler may
    /// respond to a large body in pieces. Cuts a response that is longer than
    /// [`TestClient::max_response_size`]. The response to `HEAD` ends with its head.
    ///
    /// # Panics
    ///
    /// Panics if no response arrives, or if it is malformed: see [`TestClient`].
    #[track_caller]
    pub fn send(self) -> TestResponse {
        let connection = self.client.connect();
        let request = [self.head().as_bytes(), &self.body].concat();
        // Without a body, the client need not wait for a handler that streams for ever.
        let is_whole =
            |received: &[u8]| self.method == Method::HEAD && TestResponse::has_head(received);
        match connection.exchange(&request, AfterSending::StayOpen, is_whole) {
            Ok((bytes, has_ended)) => TestResponse::parse(&bytes, has_ended, &self.method),
            Err(error) => panic!("no response to {} {}: {error}", self.method, self.target),
        }
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.target);
        let has =
            |name: &str| self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !has("host") {
            head.push_str("Host: localhost\r\n");
        }
        if !self.body.is_empty() && !has("transfer-encoding") && !has("content-length") {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}
