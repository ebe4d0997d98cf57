//! The head of a response as a handler sets it: status, headers, trailers, informational responses.

use crate::context::Context;
use crate::context::response::ResponseError;
use crate::error::{Result, client_closed_request};
use crate::http::{HeaderName, HeaderValue, StatusCode, header};
use crate::http1::encode::encode_informational;
use crate::http1::field::is_reason_phrase;

/// Headers that frame, control or route a message, or say how to read its content. The client must
/// know them before the body.
const NO_TRAILERS: [HeaderName; 17] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::EXPECT,
    header::HOST,
    header::LOCATION,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::WWW_AUTHENTICATE,
];

impl Context {
    /// Sets the status of the response. The default is 200.
    ///
    /// Has no effect once the head has been [flushed](Self::flush), with one exception: another
    /// status after a flushed 101 takes the [upgrade](Self::upgrade) back, and the connection is
    /// closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, StatusCode, post, route};
    /// async fn create(cx: &mut Context) -> Result {
    ///     cx.set_status(StatusCode::CREATED);
    ///     cx.set_header("Location", "/stories/7")?;
    ///     cx.write("stored")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", post(create))]));
    /// let response = client.post("/").send();
    /// assert_eq!(response.status(), StatusCode::CREATED);
    /// assert_eq!(response.header("location"), Some("/stories/7"));
    /// ```
    pub fn set_status(&mut self, status: StatusCode) {
        if self.is_head_sent() {
            // A handler that wants another status after its 101 does not want the new protocol.
            if status != self.status() {
                self.take_upgrade();
            }
            return;
        }
        self.exchange.response.status = status;
        self.exchange.response.reason = None;
        self.exchange.response.is_changed = true;
    }

    /// Sets the status and its reason phrase, the text after the code on the status line.
    ///
    /// A phrase with a control character in it becomes `Unknown`. Has no effect when
    /// [`set_status`](Self::set_status) has none.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, StatusCode, get, route};
    /// async fn calm(cx: &mut Context) {
    ///     let status = StatusCode::from_u16(420).unwrap();
    ///     cx.set_status_with_reason(status, "Enhance Your Calm");
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(calm))]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// assert!(answer.starts_with("HTTP/1.1 420 Enhance Your Calm\r\n"));
    /// ```
    pub fn set_status_with_reason(&mut self, status: StatusCode, reason: impl Into<String>) {
        self.set_status(status);
        if !self.is_head_sent() {
            self.set_reason(reason.into());
        }
    }

    /// Sets the reason phrase. One that is invalid on a status line must not reach an error page
    /// either.
    pub(super) fn set_reason(&mut self, reason: String) {
        let reason = if is_reason_phrase(&reason) { reason } else { "Unknown".to_owned() };
        self.exchange.response.reason = Some(reason);
    }

    /// Returns the current status of the response.
    ///
    /// It is 499 if the client did not wait for the response: it disconnected before the response
    /// was finished, or reads it too slowly. Middleware sees this status after
    /// [`next`](crate::Next::run), and [`on_finish`](crate::RequestHandler::on_finish) does. It is
    /// also in the access log and in the [metrics](crate::observe::metrics). It cannot be changed
    /// and is never sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall::{Context, Next, Result, log};
    ///
    /// async fn watch(cx: &mut Context, next: Next<'_>) -> Result {
    ///     let result = next.run(cx).await;
    ///     if cx.status().as_u16() == 499 {
    ///         log::info(log::APPLICATION, format_args!("{}: the client left", cx.path()));
    ///     }
    ///     result
    /// }
    /// ```
    pub fn status(&self) -> StatusCode {
        match self.is_disconnected() {
            true => client_closed_request(),
            false => self.exchange.response.status,
        }
    }

    /// Sets the header `name` to `value`. Replaces all headers of that name.
    ///
    /// The server treats these headers specially:
    /// - `Date`, `Server` and `ETag` replace the server's own. The tag is compared with
    ///   `If-None-Match`.
    /// - `Connection`: only `close` has an effect.
    /// - `Content-Length` is a promise. If the body has another length, the handler gets an error
    ///   or the connection is closed.
    /// - `Transfer-Encoding` is ignored, because the server decides it.
    ///
    /// # Errors
    ///
    /// If `name` or `value` is not valid in a header (a line end in a value), and
    /// [`ResponseError::HeadSent`] once the head has been flushed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn page(cx: &mut Context) -> Result {
    ///     cx.set_header("Content-Type", "text/plain")?;
    ///     cx.set_header("X-Count", 7)?;
    ///     cx.add_header("Link", "</style.css>; rel=preload")?;
    ///     cx.add_header("Link", "</code.js>; rel=preload")?;
    ///     cx.clear_header("x-count");
    ///     assert_eq!(cx.response_header("content-type").unwrap(), "text/plain");
    ///     cx.write("two links")
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(page))])).get("/").send();
    /// assert_eq!(response.headers().get_all("link").iter().count(), 2);
    /// assert_eq!(response.header("x-count"), None);
    /// ```
    #[track_caller]
    pub fn set_header<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = self.checked(name, value)?;
        self.exchange.response.headers.set(name, value);
        self.exchange.response.is_changed = true;
        Ok(())
    }

    /// Adds a header. Keeps the headers of the same name.
    ///
    /// # Errors
    ///
    /// Like [`set_header`](Self::set_header).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn cookies(cx: &mut Context) -> Result {
    ///     cx.add_header("Set-Cookie", "a=1")?;
    ///     cx.add_header("Set-Cookie", "b=2")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(cookies))]));
    /// let response = client.get("/").send();
    /// assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    /// ```
    #[track_caller]
    pub fn add_header<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = self.checked(name, value)?;
        self.exchange.response.headers.add(name, value);
        self.exchange.response.is_changed = true;
        Ok(())
    }

    /// Removes all headers called `name`. Has no effect once the head has been flushed.
    pub fn clear_header(&mut self, name: &str) {
        self.exchange.response.headers.remove(name);
        self.exchange.response.is_changed = true;
    }

    /// Returns the first header of the response called `name`, if it has been set.
    pub fn response_header(&self, name: &str) -> Option<&HeaderValue> {
        self.exchange.response.headers.first_called(name)
    }

    #[track_caller]
    fn checked<N, V>(&self, name: N, value: V) -> Result<(HeaderName, HeaderValue)>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        Ok((name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?))
    }

    /// Adds a trailer: a header after the body, such as a checksum that is known only at the end
    /// (RFC 9110 §6.5).
    ///
    /// The trailer is sent if the response goes in chunks, because it was [flushed](Self::flush),
    /// and the client said `TE: trailers`. Otherwise it is dropped, so send only what a client can
    /// do without. To announce it with a `Trailer` header (RFC 9110 §6.6.2), set that header before
    /// the flush.
    ///
    /// # Errors
    ///
    /// - if `name` or `value` is not valid in a header;
    /// - [`ResponseError::NoTrailer`] for a header that a client must know before the body;
    /// - [`ResponseError::Finished`] once the response is finished.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn sum(cx: &mut Context) -> Result {
    ///     cx.write("data")?;
    ///     cx.flush().await?;
    ///     cx.add_trailer("X-Checksum", "410")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(sum))]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    /// assert!(answer.ends_with("4\r\ndata\r\n0\r\nX-Checksum: 410\r\n\r\n"));
    /// ```
    #[track_caller]
    pub fn add_trailer<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        let trailer = (name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?);
        if NO_TRAILERS.contains(&trailer.0) {
            return Err(ResponseError::NoTrailer.into());
        }
        self.exchange.response.trailers.push(trailer);
        Ok(())
    }

    /// Sends an informational response before the final one, for example `103 Early Hints` (RFC
    /// 8297), so that the client can load what the page will need.
    ///
    /// It is sent at once. A client of HTTP/1.0 gets none (RFC 9110 §15.2).
    ///
    /// # Errors
    ///
    /// - if a name or a value is not valid in a header;
    /// - [`ResponseError::HeadSent`] once the head of the response has been flushed;
    /// - [`ResponseError::NotInformational`] for a status other than 100 and 102 to 199;
    /// - like [`flush`](Self::flush), if the client has disconnected or reads too slowly.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// use squall::StatusCode;
    ///
    /// async fn page(cx: &mut Context) -> Result {
    ///     let hint = ("Link", "</style.css>; rel=preload");
    ///     cx.send_informational(StatusCode::EARLY_HINTS, [hint]).await?;
    ///     cx.write("the page")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(page))]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let hint = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    /// assert!(answer.starts_with(&format!("{hint}HTTP/1.1 200 OK\r\n")));
    /// ```
    pub async fn send_informational<N, V>(
        &mut self,
        status: StatusCode,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let checked = headers.into_iter().map(|(name, value)| {
            Ok((name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?))
        });
        let headers = checked.collect::<Result<Vec<(HeaderName, HeaderValue)>, http::Error>>()?;
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ResponseError::NotInformational(status).into());
        }
        if !self.is_http11() {
            return Ok(());
        }
        self.connection.with(|buffers| {
            buffers.output.append(|out| encode_informational(out, status, &headers));
        });
        self.connection.flush().await?;
        Ok(())
    }
}
