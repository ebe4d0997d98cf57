//! [`OpenFile`]: an open file, or a part of it.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use squall_runtime::RegularFile;

use super::error::FileError;
use crate::types::shield::shielded;

/// An open regular file, or a part of it, for [`Context::send_file`](crate::Context::send_file).
///
/// Open a file yourself to look at its size and age before you respond, or to open it once and send
/// it to many clients. Clones share the descriptor. Size and age are those at the time of opening,
/// and a response never sends more bytes than the file had then.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, Context, OpenFile, Result, StatusCode, get, route};
///
/// async fn beginning(cx: &mut Context) -> Result {
///     let file = OpenFile::open("Cargo.toml").await?;
///     cx.set_status(StatusCode::PARTIAL_CONTENT);
///     cx.set_header("Content-Range", format!("bytes 0-8/{}", file.len()))?;
///     cx.send_file(file.range(0..9)?).await
/// }
///
/// let client = TestClient::new(Application::new([route("/", get(beginning))]));
/// assert_eq!(client.get("/").send().text(), "[package]");
/// ```
#[derive(Clone, Debug)]
pub struct OpenFile {
    pub(super) file: RegularFile,
    range: Range<u64>,
}

impl OpenFile {
    /// Opens the file at `path`, in the [thread pool](crate::IOLoop::run_in_executor).
    ///
    /// The path is opened as given and must not come from a client: see
    /// [`Context::send_file`](crate::Context::send_file).
    ///
    /// # Errors
    ///
    /// Returns a [`FileError`], which a handler can pass on with `?`. The client gets a 404 if the
    /// file does not exist, a 403 if it may not be read or is not a regular file, and otherwise a
    /// 500.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::{FileErrorKind, IOLoop, OpenFile};
    ///
    /// let error = IOLoop::current().run_sync(OpenFile::open("no such file"))?.unwrap_err();
    /// assert_eq!((error.kind(), error.status().as_u16()), (FileErrorKind::NotFound, 404));
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        match shielded(RegularFile::open(path.clone())).await {
            Ok(file) => Ok(Self::whole(file)),
            Err(error) => Err(FileError::new(Some(path), error)),
        }
    }

    /// Takes a file that is already open. Its type is unknown, so set the `Content-Type` yourself.
    ///
    /// # Errors
    ///
    /// Like [`open`](Self::open).
    pub async fn from_std(file: File) -> Result<Self, FileError> {
        let file = shielded(RegularFile::from_std(file)).await;
        file.map(Self::whole).map_err(|error| FileError::new(None, error))
    }

    pub(super) fn whole(file: RegularFile) -> Self {
        let range = 0..file.metadata().len();
        Self { file, range }
    }

    /// Returns a part of the file: the bytes from `range.start` up to, but not including,
    /// `range.end`.
    ///
    /// This does not change the status or the headers of the response. A response to a `Range`
    /// header is a 206 with a `Content-Range` (RFC 9110 §15.3.7). An empty range is valid here, but
    /// a `Content-Range` cannot express one, so respond with 416 to a client that asks for bytes
    /// beyond the end.
    ///
    /// # Errors
    ///
    /// Returns [`FileErrorKind::OutOfRange`](crate::FileErrorKind::OutOfRange) if the file does not
    /// have all of these bytes. Passed on with `?`, this becomes a 416 with a `Content-Range` that
    /// contains the length of the file.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::Range;
    ///
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, OpenFile, Result, StatusCode, get, route};
    ///
    /// /// Parses `bytes=3-5` and `bytes=3-`. Ignores all other forms (RFC 9110 §14.2). The result
    /// /// is never empty: a range that begins at the end of the file or later is out of range.
    /// fn parse(range: &str, length: u64) -> Option<Range<u64>> {
    ///     let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    ///     let first: u64 = first.parse().ok()?;
    ///     let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    ///     let end = last.saturating_add(1).min(length).max(first.saturating_add(1));
    ///     (first <= last).then_some(first..end)
    /// }
    ///
    /// async fn part(cx: &mut Context) -> Result {
    ///     let file = OpenFile::open("Cargo.toml").await?;
    ///     let length = file.len();
    ///     cx.set_header("Accept-Ranges", "bytes")?;
    ///     // With `If-Range`, the client may have another version of the file: send all of it.
    ///     let range = cx.header("range").filter(|_| cx.header("if-range").is_none());
    ///     let Some(range) = range.and_then(|range| parse(&range, length)) else {
    ///         return cx.send_file(file).await;
    ///     };
    ///     let part = file.range(range.clone())?; // or 416
    ///     cx.set_status(StatusCode::PARTIAL_CONTENT);
    ///     let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    ///     cx.set_header("Content-Range", content_range)?;
    ///     cx.send_file(part).await
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(part))]));
    /// let request = |range: &str| client.get("/").header("Range", range).send();
    /// assert_eq!(request("bytes=1-3").status(), 206);
    /// assert_eq!(request("bytes=1-3").text(), "pac");
    /// let length = std::fs::metadata("Cargo.toml")?.len();
    /// assert_eq!(request(&format!("bytes={length}-")).status(), 416);
    /// assert_eq!(request("lines=1-").status(), 200);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn range(&self, range: Range<u64>) -> Result<Self, FileError> {
        if range.start > range.end || range.end > self.len() {
            let path = self.path().map(Path::to_owned);
            return Err(FileError::out_of_range(path, self.len()));
        }
        Ok(Self { file: self.file.clone(), range })
    }

    /// Returns the length of the whole file in bytes, even if this is only a
    /// [part](Self::range).
    pub fn len(&self) -> u64 {
        self.metadata().len()
    }

    /// Whether the whole file was empty when it was opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns when the file was last modified before it was opened. Returns `None` if the system
    /// does not support it.
    pub fn modified(&self) -> Option<SystemTime> {
        self.metadata().modified().ok()
    }

    /// Returns the metadata of the file at the time of opening.
    pub fn metadata(&self) -> &Metadata {
        self.file.metadata()
    }

    /// Returns the path, if the file was opened by path.
    pub fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    /// The offset of the first byte to send.
    pub(super) fn offset(&self) -> u64 {
        self.range.start
    }

    /// The number of bytes to send.
    pub(super) fn part_len(&self) -> u64 {
        self.range.end - self.range.start
    }

    pub(super) fn error(&self, error: io::Error) -> FileError {
        FileError::new(self.path().map(Path::to_owned), error)
    }
}
