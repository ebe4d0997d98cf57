//! The request as a handler reads it: its head, its client, and the state of its server.

use std::any::{Any, TypeId};
use std::net::{IpAddr, SocketAddr};

use crate::connection::draining::Draining;
use crate::context::Context;
use crate::context::body::Body;
use crate::http::{HeaderMap, HeaderName, HeaderValue, Method};
use crate::http1::head::{Range, Version};
use crate::proxy::{Protocol, claims};
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
        let extensions = self.exchange.rare_mut().extensions.get_or_insert_default();
        let old = extensions.insert(TypeId::of::<T>(), Box::new(value) as Box<dyn Any>);
        old.and_then(|old| old.downcast().ok()).map(|old| *old)
    }

    /// The value of type `T` that was kept with the request.
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.exchange.rare.as_ref()?.extensions.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(super) fn text(&self, range: Range) -> Text {
        self.connection.with(|buffers| buffers.input.text(range))
    }

    /// Waits until the server has begun to end: for a handler whose response would go on for
    /// longer than the server will wait for it, which is the
    /// [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout). Where all of the server ends, that
    /// is after the [`drain_delay`](crate::HTTPServer::drain_delay).
    ///
    /// What this returns borrows nothing, and may be kept and polled beside other things. It is
    /// ready at once if the end has begun, and says [why](crate::DrainReason).
    ///
    /// A connection that was [upgraded](Self::upgrade) has [the same](crate::Upgraded::draining). What
    /// belongs to no request does it in [`HTTPServer::on_drain`](crate::HTTPServer::on_drain).
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
        Draining::new(&self.connection.worker)
    }

    /// Whether the server has begun to end. This response is then the last of its connection.
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
        self.connection.worker.is_draining()
    }
}

/// What is known of the client of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: Option<SocketAddr>,
    protocol: Protocol,
    host: Option<Range>,
}

impl Context {
    /// The IP address of the client: that of [`remote_addr`](Self::remote_addr).
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPServer, Result, get, route};
    ///
    /// async fn who(cx: &mut Context) -> Result {
    ///     cx.write(format!("{:?}", cx.remote_ip()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let server = HTTPServer::new(app).trusted_downstream(["10.0.0.0/8"])?;
    /// let nginx = TestClient::of(&server).peer_addr(([10, 0, 0, 1], 4711));
    /// let request = nginx.get("/").header("X-Real-Ip", "203.0.113.7");
    /// assert_eq!(request.send().text(), "Some(203.0.113.7)");
    ///
    /// // Anybody else can send such a header as well; it is not looked at.
    /// let stranger = TestClient::of(&server).peer_addr(([203, 0, 113, 9], 4711));
    /// let request = stranger.get("/").header("X-Real-Ip", "10.0.0.1");
    /// assert_eq!(request.send().text(), "Some(203.0.113.9)");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_addr().map(|address| address.ip())
    }

    /// The address of the client: the other end of the connection, unless that is a proxy of the
    /// server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream), and says in a header
    /// who the client is; the port is 0 then if the proxy does not tell it. Under the
    /// [PROXY protocol](crate::HTTPServer::proxy_protocol), the client that it names counts as the
    /// other end.
    ///
    /// `None` over a Unix socket, where no proxy says more, and when the client has reset the
    /// connection. An IPv4 address never comes in the form of an IPv6 one (`::ffff:192.0.2.1`).
    ///
    /// Found out when it is first asked for, which may cost a system call.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.known().address
    }

    /// The address of the socket at the other end of the connection, whatever it says: that of
    /// the proxy, behind one. `None` over a Unix socket, and when the connection is reset.
    ///
    /// Asked of the system each time: keep it rather than ask twice.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.stream.peer().address()
    }

    /// What the client speaks, `"http"` or `"https"`: as a proxy of the server's
    /// [`trusted_downstream`](crate::HTTPServer::trusted_downstream) says, else as the server is
    /// [set](crate::HTTPServer::protocol).
    pub fn protocol(&self) -> &'static str {
        let is_told = self.connection.worker.settings.trusted_downstream.is_some();
        let protocol = if is_told { self.known().protocol } else { self.connection.protocol() };
        protocol.as_str()
    }

    /// The host that the request is for, with the port if there is one; empty if there is none.
    ///
    /// It is the authority of an absolute target, else the `Host` header, as it was sent; unless a
    /// proxy of the server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream) says for
    /// which host it was asked.
    pub fn host(&self) -> Text {
        let is_told = self.connection.worker.settings.trusted_downstream.is_some();
        let host = if is_told { self.known().host } else { self.exchange.head.authority };
        host.map(|range| self.text(range)).unwrap_or_default()
    }

    fn known(&self) -> &Client {
        self.exchange.cache().client.get_or_init(|| self.find_client())
    }

    fn find_client(&self) -> Client {
        let settings = &self.connection.worker.settings;
        let peer = self.connection.client();
        let shown = Client {
            address: peer.address().map(canonical),
            protocol: self.connection.protocol(),
            host: self.exchange.head.authority,
        };
        let trusted = settings.trusted_downstream.as_ref();
        let Some(trusted) = trusted.filter(|trusted| trusted.trusts(peer)) else { return shown };
        self.connection.with(|buffers| {
            let head = buffers.input.head();
            let fields = self.exchange.head.fields.iter();
            let fields = fields.map(|field| (field.name.of(head), field.value.of(head)));
            let told = claims::read(fields, &settings.real_ip_header, trusted);
            Client {
                address: told.address.or(shown.address),
                protocol: told.protocol.unwrap_or(shown.protocol),
                host: told.host.map(|host| Range::within(head, host)).or(shown.host),
            }
        })
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
