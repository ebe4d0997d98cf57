//! The request as a handler reads it: its head, its client, and the state of its server.

use std::any::{Any, TypeId};
use std::time::Duration;

use squall_runtime::IOLoop;

use crate::connection::draining::Draining;
use crate::context::Context;
use crate::context::body::Body;
use crate::http::{HeaderMap, HeaderName, HeaderValue, Method};
use crate::http1::head::{Range, Version};
use crate::types::text::Text;

impl Context {
    /// Returns the method of the request.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn about(cx: &mut Context) -> Result {
    ///     let (method, path, host) = (cx.method(), cx.path(), cx.host());
    ///     cx.write(format!("{method} {path} of {host}, asking {}", cx.query()))
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/here", get(about))]));
    /// let response = client.get("/here?a=b").header("Host", "example.org").send();
    /// assert_eq!(response.text(), "GET /here of example.org, asking a=b");
    /// ```
    pub fn method(&self) -> &Method {
        &self.exchange.head.method
    }

    /// Returns the path of the request as it was sent: percent-encoded, without the query.
    ///
    /// # Examples
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

    /// Returns the query of the request as it was sent, without the `?`. It is empty if there is
    /// none.
    ///
    /// [`argument`](Self::argument) reads one field of it, [`query_as`](Self::query_as) all fields.
    pub fn query(&self) -> Text {
        self.exchange.head.query.map(|range| self.text(range)).unwrap_or_default()
    }

    /// Returns whether the request is HTTP/1.1. Otherwise it is HTTP/1.0.
    pub fn is_http11(&self) -> bool {
        self.exchange.head.version == Version::Http11
    }

    /// Returns the path and the query as the client has sent them: `/search?q=wind`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn echo(cx: &mut Context) -> Result {
    ///     write!(cx, "{} of {}", cx.uri(), cx.full_url())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/{name}", get(echo))]));
    /// let response = client.get("/a%20b?c=d").header("Host", "example.com").send();
    /// assert_eq!(response.text(), "/a%20b?c=d of http://example.com/a%20b?c=d");
    /// ```
    pub fn uri(&self) -> String {
        let mark = if self.exchange.head.query.is_some() { "?" } else { "" };
        format!("{}{mark}{}", self.path(), self.query())
    }

    /// Returns the time since the head of the request was complete.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route, sleep};
    /// async fn nap(cx: &mut Context) -> Result {
    ///     sleep(Duration::from_secs(2)).await;
    ///     cx.write(cx.request_time().as_secs().to_string())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(nap))]));
    /// assert_eq!(client.get("/").send().text(), "2");
    /// ```
    pub fn request_time(&self) -> Duration {
        let nanos = IOLoop::present_nanos().saturating_sub(self.exchange.began);
        Duration::from_nanos(nanos)
    }

    /// Returns whether there is a request. There is none while a hook of
    /// [`Application::on_error`](crate::Application::on_error) responds to bytes that are not a
    /// request: then the method is `GET`, the path and the query are empty, and there are no headers.
    pub fn has_request(&self) -> bool {
        let path = self.exchange.head.path;
        path.start < path.end
    }

    /// Returns the first header called `name`. The case of the name does not matter.
    ///
    /// A value that is not UTF-8 is read as ISO-8859-1; [`headers`](Self::headers) has the bytes
    /// that were sent. For a few headers, this is cheaper than `headers`.
    ///
    /// # Examples
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

    /// Returns all headers of the request. The map is built at the first call.
    ///
    /// The map borrows from the context. Copy a value before you write it to the response.
    ///
    /// It holds at most 24,576 names. If the server's
    /// [`max_header_count`](crate::HTTPServer::max_header_count) allows more, the rest is left out;
    /// [`header`](Self::header) finds them all.
    ///
    /// # Examples
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
                        // Fails if the map is full.
                        let _ = headers.try_append(name, value);
                    }
                }
                self.append_consumed_encoding(head, &mut headers);
                headers
            })
        })
    }

    /// Returns the pattern of the route that matches, as it was given to [`route`](crate::route()).
    /// `None` if no route matches.
    ///
    /// Use it in logs and metrics: there are only as many patterns as routes, but any number of
    /// paths.
    ///
    /// # Examples
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

    /// Returns the body of the request. Await it for the whole body, or read it in pieces: see
    /// [`Body`].
    #[inline]
    pub fn body(&self) -> Body {
        Body::new(&self.connection)
    }

    /// Sets the most bytes that the body of this request may have. Overrides the
    /// [limit of the route](crate::Route::max_body_size) or the server.
    ///
    /// Call it before the body is read, on a route that
    /// [streams](crate::Route::stream_request_body) the body: in `prepare`, for example, to allow
    /// some clients more than others. On other routes the body has been read before the handler
    /// runs, and this has no effect.
    ///
    /// # Examples
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

    /// Keeps `value` with the request, so that middleware can pass it to a handler. Replaces and
    /// returns an earlier value of the same type.
    ///
    /// # Examples
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
        let extensions = self.exchange.rare_mut().extensions.get_or_insert_default();
        let old = extensions.insert(TypeId::of::<T>(), Box::new(value) as Box<dyn Any>);
        old.and_then(|old| old.downcast().ok()).map(|old| *old)
    }

    /// Returns the value of type `T` that [`set_extension`](Self::set_extension) kept.
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.exchange.rare.as_ref()?.extensions.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(super) fn text(&self, range: Range) -> Text {
        self.connection.with(|buffers| buffers.input.text(range))
    }

    /// Returns a future that waits for the graceful shutdown of the server, and returns its
    /// [reason](crate::DrainReason).
    ///
    /// Use it in a handler whose response may take longer than the
    /// [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout). If the whole server stops, the
    /// shutdown begins after the [`drain_delay`](crate::HTTPServer::drain_delay).
    ///
    /// The future borrows nothing, so it can be kept and polled beside other futures. It is ready
    /// at once if the shutdown has begun.
    ///
    /// An [upgraded](Self::upgrade) connection has the [same method](crate::Upgraded::draining).
    /// Code that belongs to no request uses [`HTTPServer::on_drain`](crate::HTTPServer::on_drain).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall::{Context, Result, sleep, timeout};
    ///
    /// async fn clock(cx: &mut Context) -> Result {
    ///     let mut end = cx.draining();
    ///     loop {
    ///         cx.write("tick\n")?;
    ///         cx.flush().await?;
    ///         if timeout(Duration::from_secs(1), &mut end).await.is_ok() {
    ///             return cx.write("come back later\n");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn draining(&self) -> Draining {
        self.connection.server.draining()
    }

    /// Returns whether the graceful shutdown of the server has begun. This response is then the
    /// last of its connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, get, route};
    ///
    /// async fn state(cx: &mut Context) -> &'static str {
    ///     if cx.is_draining() { "draining" } else { "serving" }
    /// }
    ///
    /// let app = Application::new([route("/", get(state))]);
    /// assert_eq!(TestClient::new(app).get("/").send().text(), "serving");
    /// ```
    pub fn is_draining(&self) -> bool {
        self.connection.server.is_draining()
    }
}
