//! The parameters that Squall provides.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::context::body::Body;
use crate::context::state::State;
use crate::error::{HTTPError, Result};
use crate::handler::parameters::from_request::{FromRequest, OptionalParameter, Parameter, Reader};
use crate::handler::parameters::kind;
use crate::handler::parameters::needs::Needs;
use crate::types::content::Content;

impl<T: 'static> FromRequest for State<T> {
    fn needs(needs: &mut Needs) {
        needs.state::<T>();
    }

    async fn from_request(cx: &mut Context) -> Result<Self> {
        cx.state()
    }
}

/// The query of a request, deserialized into a `T`, as a parameter of a function.
///
/// A field that may be absent is an `Option`, or has `#[serde(default)]`. A field that may be
/// repeated is a `Vec`. A query that does not fit the type is answered with 400 and a message that
/// names the field.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Query, get, route};
///
/// #[derive(serde::Deserialize)]
/// struct Search {
///     q: String,
///     page: Option<u32>,
/// }
///
/// async fn search(Query(search): Query<Search>) -> String {
///     format!("{} on page {}", search.q, search.page.unwrap_or(1))
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(search))]));
/// assert_eq!(client.get("/?q=wind").send().text(), "wind on page 1");
/// let refused = client.get("/?page=2").send();
/// assert_eq!(refused.status(), 400);
/// assert!(refused.text().contains("query: missing field `q`"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: 'static> Parameter<kind::Request> for Query<T> {
    type Reader = QueryReader;
}

/// Reads [`Query`].
#[derive(Debug)]
pub struct QueryReader;

impl<T: DeserializeOwned + 'static> Reader<Query<T>> for QueryReader {
    async fn read(cx: &mut Context, _: usize) -> Result<Query<T>> {
        cx.query_as().map(Query)
    }
}

/// A form in the body (`application/x-www-form-urlencoded`), deserialized into a `T`, as a
/// parameter of a function.
///
/// A field that may be absent is an `Option`, or has `#[serde(default)]`. A field that may be
/// repeated is a `Vec`. Another content type is answered with 415, and a form that does not fit the
/// type with 400 and a message that names the field. `Option<Form<T>>` is `None` for a request
/// without a body.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Form, post, route};
///
/// #[derive(serde::Deserialize)]
/// struct Letter {
///     to: String,
/// }
///
/// async fn send(Form(letter): Form<Letter>) -> String {
///     format!("sent to {}", letter.to)
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(send))]));
/// assert_eq!(client.post("/").form(&[("to", "Ada")]).send().text(), "sent to Ada");
/// assert_eq!(client.post("/").form(&[("from", "Ada")]).send().status(), 400);
/// assert_eq!(client.post("/").body("to=Ada").send().status(), 415);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

impl<T: 'static> Parameter<kind::TakesBody> for Form<T> {
    type Reader = FormReader;
}

/// Reads [`Form`].
#[derive(Debug)]
pub struct FormReader;

impl<T: DeserializeOwned + 'static> Reader<Form<T>> for FormReader {
    async fn read(cx: &mut Context, _: usize) -> Result<Form<T>> {
        if !cx.has_form() {
            let message = "the body must be application/x-www-form-urlencoded";
            Err(HTTPError::UNSUPPORTED_MEDIA_TYPE.with_message(message))?;
        }
        cx.body().form().await.map(Form)
    }
}

impl<T: DeserializeOwned + 'static> OptionalParameter<kind::TakesBody> for Form<T> {
    async fn read_optional(cx: &mut Context) -> Result<Option<Self>> {
        match cx.has_body() {
            true => FormReader::read(cx, 0).await.map(Some),
            false => Ok(None),
        }
    }
}

/// A type that is read from one request header: see [`Header`].
pub trait FromHeader: Sized + 'static {
    /// The name of the header, in any case.
    const NAME: &'static str;

    /// Parses the value. Returns `None` if it is invalid.
    fn from_header(value: &str) -> Option<Self>;
}

/// A request header, as a parameter of a function.
///
/// The response is 400 if the header is absent or invalid. `Option<Header<T>>` is `None` if it is
/// absent.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, FromHeader, Header, get, route};
///
/// struct Depth(u8);
///
/// impl FromHeader for Depth {
///     const NAME: &'static str = "Depth";
///
///     fn from_header(value: &str) -> Option<Self> {
///         value.parse().ok().map(Self)
///     }
/// }
///
/// async fn list(Header(depth): Header<Depth>) -> String {
///     format!("{} levels", depth.0)
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(list))]));
/// assert_eq!(client.get("/").header("Depth", "2").send().text(), "2 levels");
/// assert_eq!(client.get("/").send().status(), 400);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Header<T>(pub T);

impl<T: FromHeader> FromRequest for Header<T> {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        match Self::read_optional(cx).await? {
            Some(header) => Ok(header),
            None => Err(invalid_header::<T>("missing"))?,
        }
    }
}

impl<T: FromHeader> OptionalParameter for Header<T> {
    async fn read_optional(cx: &mut Context) -> Result<Option<Self>> {
        let Some(value) = cx.header(T::NAME) else { return Ok(None) };
        match T::from_header(&value) {
            Some(header) => Ok(Some(Self(header))),
            None => Err(invalid_header::<T>("invalid"))?,
        }
    }
}

fn invalid_header<T: FromHeader>(reason: impl fmt::Display) -> HTTPError {
    HTTPError::BAD_REQUEST.with_message(format!("header {:?}: {reason}", T::NAME))
}

/// The address of the client, as a parameter of a function: see
/// [`Context::remote_addr`](crate::Context::remote_addr).
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, RemoteAddr, get, route};
///
/// async fn whoami(client: RemoteAddr) -> String {
///     format!("{:?}", client.ip())
/// }
///
/// let app = Application::new([route("/", get(whoami))]);
/// let client = TestClient::new(app).peer_addr(([192, 0, 2, 1], 4711));
/// assert_eq!(client.get("/").send().text(), "Some(192.0.2.1)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddr(
    /// `None` over a Unix socket, and if the client has reset the connection.
    pub Option<SocketAddr>,
);

impl RemoteAddr {
    /// Returns the IP address.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        self.0.map(|address| address.ip())
    }
}

impl FromRequest for RemoteAddr {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        Ok(Self(cx.remote_addr()))
    }
}

/// The whole body as text, as a parameter of a function. A body that is not UTF-8 is answered with
/// 400.
///
/// For the body as bytes, take [`Bytes`] or [`Content`].
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, BodyText, post, route};
///
/// async fn shout(BodyText(text): BodyText) -> String {
///     text.to_uppercase()
/// }
///
/// let client = TestClient::new(Application::new([route("/", post(shout))]));
/// assert_eq!(client.post("/").body("hello").send().text(), "HELLO");
/// assert_eq!(client.post("/").body([0xff]).send().status(), 400);
/// ```
#[derive(Clone, Debug)]
pub struct BodyText(pub String);

impl FromRequest<kind::TakesBody> for BodyText {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        cx.body().text().await.map(Self)
    }
}

impl FromRequest<kind::TakesBody> for Bytes {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        cx.body().await.map(Self::from)
    }
}

impl FromRequest<kind::TakesBody> for Content {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        cx.body().await
    }
}

impl FromRequest<kind::TakesBody> for Body {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        Ok(cx.body())
    }
}
