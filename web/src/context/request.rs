//! What is asked of a context about the request.

use std::any::{Any, TypeId};

use crate::context::Context;
use crate::context::body::Body;
use crate::http::{HeaderMap, HeaderName, HeaderValue, Method};
use crate::http1::head::{Range, Version};
use crate::types::text::Text;

impl Context {
    /// The method of the request.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn about(cx: &mut Context) -> Result {
    ///     cx.write(format!("{} {} of {}, asking {}", cx.method(), cx.path(), cx.host(), cx.query()))
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/here", get(about))]));
    /// let response = client.get("/here?a=b").header("Host", "example.org").send();
    /// assert_eq!(response.text(), "GET /here of example.org, asking a=b");
    /// ```
    pub fn method(&self) -> &Method {
        &self.exchange.head.method
    }

    /// The path of the request, as it was sent: percent-encoded, without the query.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn here(cx: &mut Context) -> Result {
    ///     cx.write(cx.path())
    /// }
    ///
    /// let app = Application::new([route("/{*rest}", get(here))]);
    /// assert_eq!(TestClient::new(app).get("/a%20b?c").send().text(), "/a%20b");
    /// ```
    pub fn path(&self) -> Text {
        self.text(self.exchange.head.path)
    }

    /// The query of the request, as it was sent, without the `?`; empty if there is none.
    ///
    /// [`argument`](Self::argument) reads a field of it, [`query_as`](Self::query_as) all.
    pub fn query(&self) -> Text {
        self.exchange.head.query.map(|range| self.text(range)).unwrap_or_default()
    }

    /// Whether the request is one of HTTP/1.1; otherwise it is one of HTTP/1.0.
    pub fn is_http11(&self) -> bool {
        self.exchange.head.version == Version::Http11
    }

    /// The first header called `name`, in any case.
    ///
    /// A value that is not UTF-8 is read as ISO-8859-1; [`headers`](Self::headers) has it as
    /// it was sent. Cheaper than `headers` for a few of them.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn agent(cx: &mut Context) -> Result {
    ///     cx.write(cx.header("user-agent").unwrap_or_default())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(agent))]));
    /// let response = client.get("/").header("User-Agent", "me/1").send();
    /// assert_eq!(response.text(), "me/1");
    /// ```
    pub fn header(&self, name: &str) -> Option<Text> {
        self.connection.with(|buffers| {
            let head = buffers.input.head();
            let matches = |field: Range| field.of(head).eq_ignore_ascii_case(name.as_bytes());
            let field = self.exchange.head.fields.iter().find(|field| matches(field.name));
            let value = field.map(|field| field.value).or_else(|| self.consumed_encoding(name))?;
            Some(buffers.input.text(value))
        })
    }

    /// All headers of the request; the map is built when it is first asked for.
    ///
    /// It borrows from the context: what is to be written of it is copied before.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn count(cx: &mut Context) -> Result {
    ///     let count = cx.headers().get_all("x-tag").iter().count();
    ///     cx.write(count.to_string())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(count))]));
    /// assert_eq!(client.get("/").header("X-Tag", "a").header("X-Tag", "b").send().text(), "2");
    /// ```
    ///
    /// A map holds at most 24,576 names. Where the server's
    /// [`max_header_count`](crate::HTTPServer::max_header_count) allows more, the rest is left
    /// out; [`header`](Self::header) finds them all.
    pub fn headers(&self) -> &HeaderMap {
        self.exchange.cache().headers.get_or_init(|| {
            self.connection.with(|buffers| {
                let head = buffers.input.head();
                let fields = &self.exchange.head.fields;
                let mut headers = HeaderMap::try_with_capacity(fields.len()).unwrap_or_default();
                for field in fields {
                    let name = HeaderName::from_bytes(field.name.of(head));
                    let value = HeaderValue::from_bytes(field.value.of(head));
                    if let (Ok(name), Ok(value)) = (name, value) {
                        // It fails where the map is full.
                        let _ = headers.try_append(name, value);
                    }
                }
                self.append_consumed_encoding(head, &mut headers);
                headers
            })
        })
    }

    /// The pattern of the route that answers, as it stands in the table; `None` where no route
    /// does. For logs and metrics: there are as many as routes, however many paths are asked for.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// let app = Application::new([route("/user/{id}", get(async || "somebody"))]);
    /// let app = app.around(async |cx, next| {
    ///     next.run(cx).await?;
    ///     let pattern = cx.route_pattern().unwrap_or_default();
    ///     cx.set_header("X-Route", pattern.as_str())
    /// });
    /// let response = TestClient::new(app).get("/user/7").send();
    /// assert_eq!(response.header("x-route"), Some("/user/{id}"));
    /// ```
    pub fn route_pattern(&self) -> Option<Text> {
        self.with_pattern(|pattern| Text::from(pattern.text().to_owned()))
    }

    /// The body of the request: `await` it whole, or take it piece by piece.
    ///
    /// See [`Body`].
    #[inline]
    pub fn body(&self) -> Body {
        Body::new(&self.connection)
    }

    /// Allows the body of this request to have `bytes`, in place of the
    /// [limit of its route](crate::Route::max_body_size) or server.
    ///
    /// For a route that [streams](crate::Route::stream_request_body), before the body is read: in
    /// `prepare`, for one client more than for another. Where the body has been read before the
    /// handler is called, it comes too late.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, post, route};
    /// async fn store(cx: &mut Context) -> Result {
    ///     if cx.header("authorization").is_some() {
    ///         cx.set_max_body_size(1 << 30);
    ///     }
    ///     cx.write(cx.body().await?.len().to_string())
    /// }
    ///
    /// let app = Application::new([route("/", post(store)).stream_request_body().max_body_size(3)]);
    /// let client = TestClient::new(app);
    /// assert_eq!(client.post("/").body("abcd").send().status(), 413);
    /// let response = client.post("/").header("Authorization", "me").body("abcd").send();
    /// assert_eq!(response.text(), "4");
    /// ```
    pub fn set_max_body_size(&mut self, bytes: u64) {
        self.connection.with(|buffers| buffers.body.set_limit(bytes));
    }

    /// Keeps `value` with the request, for whoever handles it later: middleware tells a
    /// handler what it has found. It replaces a value of the same type, which is returned.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// struct User(&'static str);
    ///
    /// async fn whoami(cx: &mut Context) -> Result {
    ///     let name = cx.extension::<User>().map_or("nobody", |user| user.0);
    ///     cx.write(name)
    /// }
    ///
    /// let app = Application::new([route("/", get(whoami))]).around(async |cx, next| {
    ///     cx.set_extension(User("ada"));
    ///     next.run(cx).await
    /// });
    /// assert_eq!(TestClient::new(app).get("/").send().text(), "ada");
    /// ```
    pub fn set_extension<T: 'static>(&mut self, value: T) -> Option<T> {
        let extensions = self.exchange.make_seldom().extensions.get_or_insert_default();
        let old = extensions.insert(TypeId::of::<T>(), Box::new(value) as Box<dyn Any>);
        old.and_then(|old| old.downcast().ok()).map(|old| *old)
    }

    /// The value of type `T` that was kept with the request.
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.exchange.seldom()?.extensions.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(super) fn text(&self, range: Range) -> Text {
        self.connection.with(|buffers| buffers.input.text(range))
    }
}
