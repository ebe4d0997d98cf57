//! The body of a request, as a handler reads it.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_lite::Stream;

use crate::connection::Connection;
use crate::connection::body::BodyFailure;
use crate::error::Result;
use crate::error::undelivered::Undelivered;
use crate::types::content::Content;

mod parsed;

/// The body of a request.
///
/// Await it to get the whole body as [`Content`]. Unless the route
/// [streams](crate::Route::stream_request_body) the body, it was read before the handler was called
/// and is ready at once.
///
/// [`next`](Self::next) returns it in pieces. Nothing is received before the handler asks for it,
/// so a handler that reads slowly slows down the client and does not fill the memory of the server.
/// A piece holds the bytes that have arrived; it does not depend on the client's chunks.
///
/// A compressed body is returned as it was sent, unless the server or the route
/// [decompresses](crate::HTTPServer::decompress_request) it.
///
/// A body belongs to its request. If it is moved into a background task and not read to its end
/// when the handler returns, it ends with an error. A second `Body` of the same request starts
/// over, so middleware can read the body before the handler does. On a route that
/// [streams](crate::Route::stream_request_body), it continues where the first one stopped.
///
/// # Errors
///
/// Each piece, and the whole body, may be an error that `?` turns into the response: 413 for a body
/// larger than the [limit](crate::HTTPServer::max_body_size), 400 for malformed framing, 408 for a
/// client that stops sending.
///
/// # Examples
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
#[must_use = "await a body, or read it in pieces with `next`"]
pub struct Body {
    connection: Rc<Connection>,
    /// The number of the request on its connection.
    request: u32,
    /// Whether the end, or an error, was returned.
    is_over: bool,
    /// Whether it was polled, so that the connection may have a waker of it.
    is_polled: bool,
    /// Set if the handler has chosen a size. Boxed, because few do.
    pieces: Option<Box<Pieces>>,
}

/// The pieces of a body whose handler has chosen their size.
struct Pieces {
    /// The largest piece, in bytes.
    size: usize,
    /// The rest of a body that was received before the handler was called.
    rest: Bytes,
}

/// The largest size that a handler can choose, in bytes.
const MAX_CHUNK_SIZE: usize = 16 * 1024 * 1024;

impl Body {
    #[inline]
    pub(crate) fn new(connection: &Rc<Connection>) -> Self {
        let request = connection.request();
        Self {
            connection: Rc::clone(connection),
            request,
            is_over: false,
            is_polled: false,
            pieces: None,
        }
    }

    /// Returns the next piece, or `None` at the end.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors). There are no more pieces after an error.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        // Before the piece is taken, so that a caller that gives up loses neither a piece nor an error.
        squall_runtime::cooperate().await;
        let connection = Rc::clone(&self.connection);
        let _stop = StopReceiving { connection: &connection, request: self.request };
        std::future::poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Limits the pieces that [`next`](Self::next) returns to `bytes` bytes, and receives as many
    /// at once. The default is at most 8 KiB.
    ///
    /// Larger pieces take fewer system calls, and more memory while the body is read. Choose 64 KiB
    /// for large uploads. A piece holds the bytes that have arrived, so it may be shorter.
    ///
    /// Pieces of a body that is [decompressed](crate::Route::decompress_request) have at most 64
    /// KiB, whatever is chosen. On a route that does not
    /// [stream](crate::Route::stream_request_body), the body has been received already, and is only
    /// divided.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0 or more than 16 MiB.
    ///
    /// # Examples
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
    #[track_caller]
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        assert!(
            (1..=MAX_CHUNK_SIZE).contains(&bytes),
            "the chunk_size of a body is 1 byte to 16 MiB, not {bytes} bytes"
        );
        self.pieces = Some(Box::new(Pieces { size: bytes, rest: Bytes::new() }));
        self
    }

    /// Returns the whole body if it has been received and no piece was read.
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
        if self.is_over {
            return Poll::Ready(None);
        }
        if !self.is_current() {
            self.is_over = true;
            return Poll::Ready(Some(Err(BodyFailure::Over.error().into())));
        }
        if let Some(whole) = self.connection.with(|buffers| buffers.body.whole(&buffers.input)) {
            self.is_over = true;
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
                self.is_over = true;
                Poll::Ready(None)
            }
            Err(failure) => {
                self.is_over = true;
                Poll::Ready(Some(Err(self.fail(failure))))
            }
        }
    }

    /// Returns the first piece of a body that was received before the handler was called.
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

    /// Whether the request of this body is still being served.
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

/// The future of a whole [`Body`], which `cx.body().await` creates.
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

/// Lets the connection watch the client again, once the handler does not wait for the body.
struct StopReceiving<'a> {
    connection: &'a Connection,
    request: u32,
}

impl Drop for StopReceiving<'_> {
    fn drop(&mut self) {
        self.connection.stop_receiving(self.request);
    }
}
