//! When a response leaves, and what may follow it.

use crate::connection::upgrade::Upgraded;
use crate::context::Context;
use crate::context::exchange::Progress;
use crate::context::response::ResponseError;
use crate::error::undelivered::Undelivered;
use crate::error::{Error, Result};

impl Context {
    /// Completes the response and sends it on its way, without waiting for it to arrive.
    ///
    /// A handler seldom needs it: when it returns, its response is finished. Called earlier,
    /// it lets the client have the response while the handler goes on.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn quick(cx: &mut Context) -> Result {
    ///     cx.write("noted")?;
    ///     cx.finish()?;
    ///     assert!(cx.is_finished() && cx.write("too late").is_err());
    ///     Ok(()) // What takes long goes before this, or into a task of its own.
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(quick))]));
    /// assert_eq!(client.get("/").send().text(), "noted");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is finished already, or cannot be sent as it is: a
    /// body with a status that allows none, a `Content-Length` that is not that of the body.
    #[track_caller]
    pub fn finish(&mut self) -> Result {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        self.complete()?;
        self.send_rest()
    }

    /// Whether the response is complete: nothing can be written to it.
    pub fn is_finished(&self) -> bool {
        match self.exchange.response.progress {
            Progress::Open | Progress::Streaming => false,
            Progress::Complete | Progress::Finished | Progress::Broken => true,
        }
    }

    /// Sends what has been written, and waits until the system has taken all of it: a slow
    /// client slows down the handler rather than filling the memory.
    ///
    /// The first flush sends the head: status and headers are final with it. Unless a
    /// `Content-Length` was set, the body goes on in chunks, or to a client of HTTP/1.0 until
    /// the connection is closed.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route, sleep};
    /// # use std::time::Duration;
    /// async fn count(cx: &mut Context) -> Result {
    ///     for n in 1..=3 {
    ///         cx.write(format!("{n}\n"))?;
    ///         cx.flush().await?;
    ///         sleep(Duration::from_secs(1)).await;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(count))]));
    /// assert_eq!(client.get("/").send().text(), "1\n2\n3\n");
    /// ```
    ///
    /// # Errors
    ///
    /// If the client is gone, or does not read for longer than the server's
    /// [`write_timeout`](crate::HTTPServer::write_timeout); and as
    /// [`finish`](Self::finish), for what makes the response impossible to send.
    pub async fn flush(&mut self) -> Result {
        self.send_written()?;
        let flushed: Result = self.connection.flush().await.map_err(Error::from);
        if let Some(why) = flushed.as_ref().err().and_then(Undelivered::of) {
            self.mark_disconnected(why.departure());
        }
        flushed
    }

    /// Leaves HTTP: answers `101 Switching Protocols`, then gives the stream to `serve`.
    ///
    /// Set the `Upgrade` header first; `Connection: Upgrade` is added. The context and the
    /// handler are gone when `serve` begins, so that a long conversation holds only what it
    /// needs.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    ///
    /// async fn echo(cx: &mut Context) -> Result {
    ///     if cx.header("upgrade").as_deref() != Some("echo") {
    ///         Err(HTTPError::BAD_REQUEST)?;
    ///     }
    ///     cx.set_header("Upgrade", "echo")?;
    ///     cx.upgrade(async |mut stream| {
    ///         let mut byte = [0];
    ///         while let Ok(1) = stream.read(&mut byte).await {
    ///             if stream.write_all(&byte).await.is_err() {
    ///                 break;
    ///             }
    ///         }
    ///     })
    /// }
    /// # let client = TestClient::new(Application::new([route("/", get(echo))]));
    /// # let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi";
    /// # let answer = client.exchange(request);
    /// # assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nhi"), "{answer}");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is finished, its head has been flushed, or no `Upgrade`
    /// header is set; 400 to a request that does not offer to go on with another protocol
    /// (`Connection: upgrade` and an `Upgrade` header), one of HTTP/1.0 and one with a body.
    #[track_caller]
    pub fn upgrade<F>(&mut self, serve: F) -> Result
    where
        F: AsyncFnOnce(Upgraded) + 'static,
    {
        self.begin_upgrade(Box::new(|stream| Box::pin(serve(stream))))
    }

    /// Whether the head of the response has left: status and headers are final then.
    ///
    /// For middleware that changes the response of a handler: one that was
    /// [flushed](Self::flush) is beyond it.
    pub fn is_head_sent(&self) -> bool {
        match self.exchange.response.progress {
            Progress::Open | Progress::Complete => false,
            Progress::Streaming | Progress::Finished | Progress::Broken => true,
        }
    }

    /// Forgets what was written, the status and the headers, to begin anew. An
    /// [upgrade](Self::upgrade) is taken back. See [`clear_body`](Self::clear_body), which keeps the
    /// status and the headers.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn change_of_mind(cx: &mut Context) -> Result {
    ///     cx.write("half a page")?;
    ///     cx.clear()?;
    ///     cx.write("another page")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(change_of_mind))]));
    /// assert_eq!(client.get("/").send().text(), "another page");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResponseError::HeadSent`] once the head has been flushed or the response is finished.
    #[track_caller]
    pub fn clear(&mut self) -> Result {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        self.take_upgrade();
        self.exchange.response.clear();
        self.exchange.response.progress = Progress::Open;
        Ok(())
    }

    /// Forgets the body that was written, its trailers, and the headers that are true of that body
    /// alone: `Content-Length`, `Content-Encoding`, `Content-Range`, `ETag` and `Last-Modified`. The
    /// status and all other headers stay, the `Content-Type` included.
    ///
    /// For middleware that writes another page for an error: the headers of the error (`Allow`,
    /// `WWW-Authenticate`, `Retry-After`) stay, which [`clear`](Self::clear) would remove.
    ///
    /// # Errors
    ///
    /// [`ResponseError::HeadSent`] once the head has been flushed or the response is finished.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, get, route};
    /// let app = Application::new([route("/", get(async || "hello"))]).around(async |cx, next| {
    ///     if let Err(error) = next.run(cx).await {
    ///         cx.send_error(&error);
    ///     }
    ///     if cx.status().is_client_error() {
    ///         cx.clear_body()?;
    ///         cx.json(&[cx.status().as_u16()])?;
    ///     }
    ///     Ok(())
    /// });
    /// let response = TestClient::new(app).post("/").send();
    /// assert_eq!((response.status().as_u16(), response.text()), (405, "[405]".into()));
    /// assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    /// ```
    #[track_caller]
    pub fn clear_body(&mut self) -> Result {
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        self.exchange.response.clear_body();
        self.exchange.response.progress = Progress::Open;
        Ok(())
    }

    /// Answers with `error` in place of what was written: its status, its headers and the
    /// standard page. It is logged as if the handler had returned it.
    ///
    /// For middleware that answers the errors of functions itself: write another page after
    /// [`clear_body`](Self::clear_body), or look at the [`status`](Self::status) that this sets.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// async fn nothing() -> Result {
    ///     Err(HTTPError::NOT_FOUND)?
    /// }
    ///
    /// let app = Application::new([route("/", get(nothing))]).around(async |cx, next| {
    ///     if let Err(error) = next.run(cx).await {
    ///         cx.send_error(&error);
    ///     }
    ///     cx.set_header("X-Site", "mine")
    /// });
    /// let response = TestClient::new(app).get("/").send();
    /// assert_eq!((response.status().as_u16(), response.header("x-site")), (404, Some("mine")));
    /// ```
    pub fn send_error(&mut self, error: &Error) {
        self.answer_error(error);
    }
}
