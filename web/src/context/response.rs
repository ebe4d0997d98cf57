//! The response as it is being written, and how much of it has been sent.

use std::error::Error as StdError;
use std::fmt;

use crate::connection::send::Output;
use crate::context::Context;
use crate::file::load::Modified;
use crate::http::{HeaderName, HeaderValue, StatusCode, header};
use crate::http1::header_list::HeaderList;

/// The response to a request. Its memory is reused by later requests.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    /// Replaces the standard phrase of the status.
    pub(crate) reason: Option<String>,
    pub(crate) headers: HeaderList,
    /// The part of the body that has not been sent.
    pub(crate) body: Output,
    /// Set if the body contains a file. It then gets no automatic `ETag`.
    pub(crate) file: Option<FileInBody>,
    pub(crate) trailers: Vec<(HeaderName, HeaderValue)>,
    progress: Progress,
    /// While streaming: the bytes still missing from a declared `Content-Length`.
    pub(crate) promised: Option<u64>,
    /// While streaming: whether the body is sent in chunks.
    pub(crate) is_chunked: bool,
    /// While streaming: whether the body is dropped, as for `HEAD`.
    pub(crate) without_body: bool,
    /// Whether the connection stays open. Known once the head is encoded.
    pub(crate) keep_alive: bool,
    /// Whether status, headers or body were changed since the response was complete.
    pub(crate) is_changed: bool,
}

/// A file in the body of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileInBody {
    /// The length of the body if the file is all of it.
    pub(crate) length: Option<u64>,
    pub(crate) modified: Option<Modified>,
}

/// How far a response has come.
///
/// ```text
///        set_complete                set_finished
///  Open ──────────────▶ Complete ──────────────────▶ Finished
///   │ ▲                    │                            ▲
///   │ └────────────────────┘                            │
///   │    clear, clear_body                              │
///   │ set_streaming                     set_finished    │
///   └─────────────────▶ Streaming ──────────────────────┘
///                          └──────▶ Broken
///                         set_broken
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Everything can be changed.
    #[default]
    Open,
    /// The body is complete and checked. Nothing has been sent; status and headers can be changed.
    Complete,
    /// The head has been sent; the body follows in pieces.
    Streaming,
    /// All of it has been sent or queued.
    Finished,
    /// The head has been sent, but the body cannot be completed. The connection must be closed in
    /// a way that tells the client.
    Broken,
}

impl Response {
    pub(super) fn new() -> Self {
        Self {
            status: StatusCode::OK,
            reason: None,
            headers: HeaderList::new(),
            body: Output::default(),
            file: None,
            trailers: Vec::new(),
            progress: Progress::Open,
            promised: None,
            is_chunked: false,
            without_body: false,
            keep_alive: false,
            is_changed: true,
        }
    }

    #[inline]
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Starts over: removes everything that was written. Keeps the memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.status = StatusCode::OK;
        self.reason = None;
        self.headers.clear();
        self.body.clear();
        self.file = None;
        if !self.trailers.is_empty() {
            self.trailers.clear();
        }
        self.promised = None;
        self.is_changed = true;
        self.progress = Progress::Open;
    }

    /// Removes the body, and the headers that describe only that body.
    pub(super) fn clear_body(&mut self) {
        self.body.clear();
        self.file = None;
        self.trailers.clear();
        for name in OF_ONE_BODY {
            self.headers.remove(name.as_str());
        }
        self.is_changed = true;
        self.progress = Progress::Open;
    }

    /// Fixes the body. The caller has checked the response.
    #[inline]
    pub(super) fn set_complete(&mut self) {
        self.progress = Progress::Complete;
        self.is_changed = false;
    }

    /// Notes that the head has been sent and that the body follows in pieces.
    pub(super) fn set_streaming(&mut self) {
        self.progress = Progress::Streaming;
    }

    /// Notes that all of the response has been queued.
    #[inline]
    pub(super) fn set_finished(&mut self) {
        self.progress = Progress::Finished;
    }

    /// Notes that the rest of the body cannot be sent. A response that is finished stays so.
    pub(super) fn set_broken(&mut self) {
        if self.progress != Progress::Finished {
            self.progress = Progress::Broken;
        }
    }

    /// Whether the response is complete, and has not been changed since.
    #[inline]
    pub(super) fn is_checked(&self) -> bool {
        self.progress == Progress::Complete && !self.is_changed
    }
}

const OF_ONE_BODY: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LAST_MODIFIED,
];

impl Context {
    /// Returns whether the response is complete, so that nothing can be added to its body.
    pub fn is_finished(&self) -> bool {
        match self.exchange.response.progress {
            Progress::Open | Progress::Streaming => false,
            Progress::Complete | Progress::Finished | Progress::Broken => true,
        }
    }

    /// Returns whether the head of the response has been sent. Status and headers are final then.
    ///
    /// Middleware that changes the response of a handler must check this if the handler may
    /// [`flush`](Self::flush).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, get, route};
    /// let app = Application::new([route("/", get(async || "hello"))]).around(async |cx, next| {
    ///     next.run(cx).await?;
    ///     if !cx.is_head_sent() {
    ///         cx.set_header("Cache-Control", "no-store")?;
    ///     }
    ///     Ok(())
    /// });
    /// let response = TestClient::new(app).get("/").send();
    /// assert_eq!(response.header("cache-control"), Some("no-store"));
    /// ```
    pub fn is_head_sent(&self) -> bool {
        match self.exchange.response.progress {
            Progress::Open | Progress::Complete => false,
            Progress::Streaming | Progress::Finished | Progress::Broken => true,
        }
    }
}

/// An operation that the response does not allow.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, ResponseError, Result, get, route};
///
/// async fn late(cx: &mut Context) -> Result {
///     cx.write("a")?;
///     cx.flush().await?;
///     let error = cx.set_header("X-Late", "1").unwrap_err();
///     assert_eq!(error.downcast_ref(), Some(&ResponseError::HeadSent));
///     Ok(())
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(late))]));
/// assert_eq!(client.get("/").send().text(), "a");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The response is complete. Nothing can be added to it.
    Finished,
    /// The head has been sent. Status and headers can no longer be changed.
    HeadSent,
    /// The `Upgrade` header, which names the new protocol, is not set.
    NoProtocol,
    /// This header cannot be a trailer (RFC 9110 §6.5.1): the client must know it before the body.
    NoTrailer,
    /// This status is not the status of a redirect.
    NotRedirect(StatusCode),
    /// This status is not the status of an informational response.
    NotInformational(StatusCode),
    /// An informational status (1xx) cannot be the status of the final response.
    NotFinal(StatusCode),
    /// A response with this status has no body (RFC 9110 §6.4.1).
    NoBodyAllowed(StatusCode),
    /// The handler set a `Content-Length` that is not a number.
    InvalidLength,
    /// The handler set a `Content-Length` that is not the length of the body.
    WrongLength {
        /// The `Content-Length` that was set, in bytes.
        declared: u64,
        /// The bytes that were written.
        written: u64,
    },
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => write!(f, "the response is finished"),
            Self::HeadSent => write!(f, "the head of the response has been sent"),
            Self::NoProtocol => write!(f, "the Upgrade header is not set"),
            Self::NoTrailer => write!(f, "this header cannot be a trailer"),
            Self::NotRedirect(status) => {
                write!(f, "{} is not the status of a redirect", status.as_u16())
            }
            Self::NotInformational(status) => {
                write!(f, "{} is not the status of an informational response", status.as_u16())
            }
            Self::NotFinal(status) => {
                write!(f, "{} is not the status of a final response", status.as_u16())
            }
            Self::NoBodyAllowed(status) => {
                write!(f, "a response with status {} has no body", status.as_u16())
            }
            Self::InvalidLength => write!(f, "the Content-Length of the response is not a number"),
            Self::WrongLength { declared, written } => {
                write!(f, "the response has {written} bytes but a Content-Length of {declared}")
            }
        }
    }
}

impl StdError for ResponseError {}
