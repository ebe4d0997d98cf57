use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_lite::Stream;
use serde::de::DeserializeOwned;

use crate::connection::Connection;
use crate::connection::request_body::BodyFailure;
use crate::error::undelivered::Undelivered;
use crate::error::{Result, bad_request};
use crate::forms::urlencoded::check_fields;
use crate::types::content::Content;

/// The body of a request.
///
/// `cx.body().await` is all of it, as [`Content`]. Unless its route
/// [streams](crate::Route::stream_request_body), the body has been read before the handler
/// was called, and this is ready at once.
///
/// [`next`](Self::next) gives it piece by piece: nothing is received before it is asked for,
/// so that a handler that is slow to take the body holds back the client, not the memory of
/// the server. A piece is what has come, whether the client sent it in chunks or not.
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, Result, post, route};
///
/// async fn count(cx: &mut Context) -> Result {
///     let mut body = cx.body();
///     let mut total = 0;
///     while let Some(piece) = body.next().await {
///         total += piece?.len();
///     }
///     cx.write(total.to_string())
/// }
///
/// let app = Application::new([route("/", post(count)).stream_request_body()]);
/// assert_eq!(TestClient::new(app).post("/").body("12345").send().text(), "5");
/// ```
///
/// A body that came compressed is given out as it was sent, unless the server or its route
/// [decompresses](crate::HTTPServer::decompress_request) it.
///
/// # Errors
///
/// Each piece, and the whole, may be an error that `?` turns into the response: 413 for more
/// than the [limit](crate::HTTPServer::max_body_size), 400 for framing that is not HTTP, 408
/// for a client that stops sending.
///
/// A body belongs to its request: one that is kept, or moved into a background task, and not
/// read to its end when the handler returns ends in an error. What one body has given it does not
/// give again. Another one of the same request, as middleware may have made it, begins anew; on a
/// route that [streams](crate::Route::stream_request_body) it goes on where the first stopped.
#[must_use = "a body is read by `.await`, or piece by piece by `next`"]
pub struct Body {
    connection: Rc<Connection>,
    /// The request of the connection that this is the body of.
    request: u32,
    given: bool,
    /// Somebody may wait, or have waited, for it.
    is_polled: bool,
    /// In a box, so that bodies whose handler does not choose are no larger.
    pieces: Option<Box<Pieces>>,
}

/// How large the pieces of a body are, if its handler has chosen.
struct Pieces {
    /// The most bytes of a piece.
    size: usize,
    /// What is left of a body that was received before the handler was called.
    rest: Bytes,
}

/// The largest piece that a handler can choose.
const MAX_CHUNK_SIZE: usize = 16 * 1024 * 1024;

impl Body {
    #[inline]
    pub(crate) fn new(connection: &Rc<Connection>) -> Self {
        let request = connection.request();
        Self {
            connection: Rc::clone(connection),
            request,
            given: false,
            is_polled: false,
            pieces: None,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// As told [above](Self#errors); there are no more pieces then.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        let connection = Rc::clone(&self.connection);
        let _stop = StopReceiving { connection: &connection, request: self.request };
        std::future::poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Makes the pieces that [`next`](Self::next) gives have at most `bytes` bytes, and makes room for
    /// as many to be received at once. The default is 8 KiB at most.
    ///
    /// Larger pieces take fewer system calls, and more memory for as long as the body is read: choose
    /// 64 KiB for large uploads. A piece is still what has come, and may be shorter. Pieces of a body
    /// that is [decompressed](crate::Route::decompress_request) have 64 KiB at most, whatever is
    /// chosen. On a route that does not [stream](crate::Route::stream_request_body) the body, all of
    /// it has been received, and is only divided.
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, Result, post, route};
    ///
    /// async fn store(cx: &mut Context) -> Result {
    ///     let mut body = cx.body().chunk_size(64 * 1024);
    ///     let mut total = 0;
    ///     while let Some(piece) = body.next().await {
    ///         total += piece?.len();
    ///     }
    ///     write!(cx, "{total}")
    /// }
    ///
    /// let app = Application::new([route("/", post(store)).stream_request_body()]);
    /// assert_eq!(TestClient::new(app).post("/").body(vec![7; 200_000]).send().text(), "200000");
    /// ```
    ///
    /// # Panics
    ///
    /// If `bytes` is 0 or more than 16 MiB.
    #[track_caller]
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        assert!(
            (1..=MAX_CHUNK_SIZE).contains(&bytes),
            "the chunk_size of a body is 1 byte to 16 MiB, not {bytes} bytes"
        );
        self.pieces = Some(Box::new(Pieces { size: bytes, rest: Bytes::new() }));
        self
    }

    /// All of it, as JSON in the form of a `T`.
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
    ///
    /// # Errors
    ///
    /// 400 if it is not JSON, or does not fit the type; and those of reading it.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.await?;
        serde_json::from_slice(&bytes).map_err(bad_request)
    }

    /// All of it, as a form (`application/x-www-form-urlencoded`) in the shape of a `T`.
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
    ///
    /// # Errors
    ///
    /// 400 if it does not fit the type, or has more than 1,000 fields; and those of reading it.
    pub async fn form<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.await?;
        check_fields(&bytes)?;
        serde_html_form::from_bytes(&bytes).map_err(bad_request)
    }

    /// All of it, as text.
    ///
    /// # Errors
    ///
    /// 400 if it is not UTF-8; and those of reading it.
    pub async fn text(self) -> Result<String> {
        let bytes = self.await?;
        String::from_utf8(bytes.into()).map_err(bad_request)
    }

    /// All of it, if it is there and nothing of it was given out.
    #[inline]
    fn whole(&self) -> Option<Content> {
        if self.is_polled || !self.is_current() {
            return None;
        }
        self.connection.with(|buffers| buffers.body.whole(&buffers.input))
    }

    fn poll_piece(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Some(piece) = self.next_of_whole() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if self.given {
            return Poll::Ready(None);
        }
        if !self.is_current() {
            self.given = true;
            return Poll::Ready(Some(Err(BodyFailure::Over.error().into())));
        }
        if let Some(whole) = self.connection.with(|buffers| buffers.body.whole(&buffers.input)) {
            self.given = true;
            return Poll::Ready(self.first_of_whole(whole.into()).map(Ok));
        }
        let mut limit = usize::MAX;
        if let Some(pieces) = &self.pieces {
            limit = pieces.size;
            self.connection.with(|buffers| buffers.make_room_for_body(limit));
        }
        let mut piece = Vec::new();
        let read =
            self.connection.poll_body(task, limit, &mut |data| piece.extend_from_slice(data));
        match ready!(read) {
            Ok(true) => Poll::Ready(Some(Ok(piece.into()))),
            Ok(false) => {
                self.given = true;
                Poll::Ready(None)
            }
            Err(failure) => {
                self.given = true;
                Poll::Ready(Some(Err(self.fail(failure))))
            }
        }
    }

    /// The first piece of a body that was received before it was asked for.
    fn first_of_whole(&mut self, whole: Bytes) -> Option<Bytes> {
        match &mut self.pieces {
            None => Some(whole).filter(|whole| !whole.is_empty()),
            Some(pieces) => {
                pieces.rest = whole;
                self.next_of_whole()
            }
        }
    }

    fn next_of_whole(&mut self) -> Option<Bytes> {
        let Pieces { size, rest } = &mut **self.pieces.as_mut()?;
        let piece = rest.split_to(rest.len().min(*size));
        Some(piece).filter(|piece| !piece.is_empty())
    }

    /// Whether the request that this is the body of is being served.
    fn is_current(&self) -> bool {
        self.request == self.connection.request()
    }

    fn fail(&self, failure: BodyFailure) -> crate::Error {
        self.connection.with(|buffers| buffers.body.fail(failure));
        self.connection.set_linger();
        match failure {
            BodyFailure::Gone => Undelivered::disconnected().into(),
            failure => failure.error().into(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.is_polled = true;
        let piece = self.poll_piece(task);
        if self.is_current() {
            self.connection.set_receiving(piece.is_pending());
            if piece.is_pending() {
                self.connection.await_end_of_request(task.waker());
            }
        }
        piece
    }
}

impl IntoFuture for Body {
    type Output = Result<Content>;
    type IntoFuture = WholeBody;

    #[inline]
    fn into_future(self) -> WholeBody {
        WholeBody { body: self, collected: Vec::new() }
    }
}

/// The future of a whole [`Body`].
#[must_use = "a future does nothing unless it is awaited"]
#[derive(Debug)]
pub struct WholeBody {
    body: Body,
    collected: Vec<u8>,
}

impl Future for WholeBody {
    type Output = Result<Content>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.body.whole() {
            Some(whole) => Poll::Ready(Ok(whole)),
            None => self.poll_pieces(task),
        }
    }
}

impl WholeBody {
    #[inline(never)]
    fn poll_pieces(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<Content>> {
        loop {
            let next = Pin::new(&mut self.body).poll_next(task);
            match ready!(next) {
                Some(Ok(piece)) => self.collected.extend_from_slice(&piece),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {
                    let collected = std::mem::take(&mut self.collected);
                    return Poll::Ready(Ok(Bytes::from(collected).into()));
                }
            }
        }
    }
}

impl Drop for Body {
    #[inline]
    fn drop(&mut self) {
        if self.is_polled {
            self.connection.stop_receiving(self.request);
        }
    }
}

/// Leaves the watch over the client to the connection, when nobody waits for the body any
/// more.
struct StopReceiving<'a> {
    connection: &'a Connection,
    request: u32,
}

impl Drop for StopReceiving<'_> {
    fn drop(&mut self) {
        self.connection.stop_receiving(self.request);
    }
}
