//! Files that a response is made of.

use std::error::Error as StdError;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use squall_runtime::{IOLoop, RegularFile};

use crate::error::HTTPError;
use crate::http::{HeaderValue, StatusCode, header};
use crate::types::shield::shielded;

/// A file of at most this size is read, and leaves with the head in one piece.
const WHOLE_LIMIT: u64 = 64 * 1024;

/// Of a file that says it is empty, at most so many bytes are read and sent.
const UNSIZED_LIMIT: usize = 1024 * 1024;

/// A file that changed so shortly before it was opened may change again with the same time, as far as
/// a header can say it: in whole seconds. The kernel's times may be some milliseconds old.
const SETTLED_AFTER: Duration = Duration::from_millis(1020);

const UNKNOWN_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A regular file that is open to be sent, or a part of it: for
/// [`Context::send_file`](crate::Context::send_file), if a path alone will not do.
///
/// Open it to know how large and how old it is before anything is decided, or once at the start
/// to send it to many: clones share the descriptor. What is known of it was so when it was
/// opened; more bytes than it had then are never sent.
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
    file: RegularFile,
    range: Range<u64>,
}

impl OpenFile {
    /// Opens the file at `path`, in the [pool](IOLoop::run_in_executor).
    ///
    /// # Trust
    ///
    /// The path is opened as it is: see [`Context::send_file`](crate::Context::send_file).
    ///
    /// # Errors
    ///
    /// [`FileError`], which a handler may return as it is: 404 if there is no such file, 403 if it
    /// may not be read or is no regular file, else 500.
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

    /// Takes a file that is open already. Nothing tells its type: set the `Content-Type`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn from_std(file: File) -> Result<Self, FileError> {
        let file = shielded(RegularFile::from_std(file)).await;
        file.map(Self::whole).map_err(|error| FileError::new(None, error))
    }

    fn whole(file: RegularFile) -> Self {
        let range = 0..file.metadata().len();
        Self { file, range }
    }

    /// Only the bytes of the file from `range.start` up to, but not including, `range.end`.
    ///
    /// Status and headers of the response are not changed by it: an answer to a `Range` header is
    /// a 206 with a `Content-Range` (RFC 9110 §15.3.7). No bytes at all are a range here, but none
    /// that a `Content-Range` can name: a client that asks for what lies behind the end gets a 416.
    ///
    /// ```
    /// use std::ops::Range;
    ///
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, OpenFile, Result, StatusCode, get, route};
    ///
    /// /// What `bytes=3-5` and `bytes=3-` ask for; anything else is not heeded (RFC 9110 §14.2).
    /// /// Never no bytes: what begins at the end or behind it is out of range.
    /// fn asked(range: &str, length: u64) -> Option<Range<u64>> {
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
    ///     // A part of a file that the client has another version of would be of no use.
    ///     let range = cx.header("range").filter(|_| cx.header("if-range").is_none());
    ///     let Some(range) = range.and_then(|range| asked(&range, length)) else {
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
    /// let ask = |range: &str| client.get("/").header("Range", range).send();
    /// assert_eq!((ask("bytes=1-3").status().as_u16(), ask("bytes=1-3").text()), (206, "pac".into()));
    /// let length = std::fs::metadata("Cargo.toml")?.len();
    /// assert_eq!(ask(&format!("bytes={length}-")).status(), 416);
    /// assert_eq!(ask("lines=1-").status(), 200);
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileErrorKind::OutOfRange`] if the file has not all of these bytes: a 416 if that is
    /// returned, with a `Content-Range` that tells how many there are.
    pub fn range(&self, range: Range<u64>) -> Result<Self, FileError> {
        if range.start > range.end || range.end > self.len() {
            let path = self.path().map(Path::to_owned);
            return Err(FileError::out_of_range(path, self.len()));
        }
        Ok(Self { file: self.file.clone(), range })
    }

    /// How many bytes the file had when it was opened, whatever the [range](Self::range).
    pub fn len(&self) -> u64 {
        self.metadata().len()
    }

    /// Whether the file was empty when it was opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the file was changed last, as of its opening; `None` where the system does not tell.
    pub fn modified(&self) -> Option<SystemTime> {
        self.metadata().modified().ok()
    }

    /// What the system said of the file when it was opened.
    pub fn metadata(&self) -> &Metadata {
        self.file.metadata()
    }

    /// Where it was opened, if it was opened by its path.
    pub fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    /// The offset and the length of what is to be sent.
    fn place(&self) -> (u64, u64) {
        (self.range.start, self.range.end - self.range.start)
    }

    fn is_small(&self) -> bool {
        self.place().1 <= WHOLE_LIMIT
    }

    fn error(&self, error: io::Error) -> FileError {
        FileError::new(self.path().map(Path::to_owned), error)
    }
}

/// What [`Context::send_file`](crate::Context::send_file) sends: a path, a
/// [`File`](std::fs::File) or an [`OpenFile`].
///
/// Made by `From`, seldom named. What a request consists of ([`Text`](crate::Text)) is no path by
/// itself.
///
/// ```
/// use squall::FileSource;
///
/// let sources = [FileSource::from("logo.png"), std::fs::File::open("Cargo.toml")?.into()];
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct FileSource(Source);

#[derive(Debug)]
enum Source {
    Path(PathBuf),
    File(File),
    Open(OpenFile),
}

impl FileSource {
    /// Opens the file, unless it is open. If `read`, a small one is read as well, in the same trip
    /// to the pool; the bytes of one that is open already and in the memory of the system take no
    /// trip at all.
    pub(crate) async fn load(self, read: bool) -> Result<Loaded, FileError> {
        match self.0 {
            Source::Open(file) if file.is_empty() => {
                let path = file.path().map(Path::to_owned);
                in_pool(path, move || load_unsized(&file)).await
            }
            Source::Open(file) if read && file.is_small() => {
                let (offset, length) = file.place();
                let bytes = file.file.read(offset, length as usize).await;
                let bytes = bytes.map_err(|error| file.error(error))?;
                Ok(Loaded::new(&file, Content::Bytes(bytes)))
            }
            Source::Open(file) => Ok(Loaded::part(&file)),
            Source::Path(path) => {
                let opened = RegularFile::open_then(path.clone(), move |file| load(file, read));
                opened.await.map_err(|error| FileError::new(Some(path), error))?
            }
            Source::File(file) => {
                let job = move || match RegularFile::from_std_blocking(file) {
                    Ok(file) => load(file, read),
                    Err(error) => Err(FileError::new(None, error)),
                };
                in_pool(None, job).await
            }
        }
    }
}

/// What of a file goes into a response.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the extension of the path tells, without a charset.
    pub(crate) content_type: HeaderValue,
    pub(crate) modified: Option<Modified>,
    pub(crate) content: Content,
}

/// When a file was changed last, as it was known when the file was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modified {
    at: SystemTime,
    /// Whether it cannot change any more without a later second in its time.
    pub(crate) is_settled: bool,
}

impl Modified {
    fn new(at: SystemTime, opened_at: SystemTime) -> Self {
        let settled_at = at.checked_add(SETTLED_AFTER);
        Self { at, is_settled: settled_at.is_some_and(|settled_at| settled_at <= opened_at) }
    }

    /// The time for a `Last-Modified`. A file that is not settled is said to be a second older, so
    /// that this time is never that of another version.
    pub(crate) fn told(self) -> SystemTime {
        match self.is_settled {
            true => self.at,
            false => {
                // A clock that is wrong may have changed it in the future: not after now.
                let at = self.at.min(SystemTime::now());
                at.checked_sub(Duration::from_secs(1)).unwrap_or(at)
            }
        }
    }
}

#[derive(Debug)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Part { file: RegularFile, offset: u64, length: u64 },
}

impl Loaded {
    fn new(file: &OpenFile, content: Content) -> Self {
        let guess = file.path().and_then(|path| mime_guess::from_path(path).first_raw());
        let content_type = guess.map_or(UNKNOWN_TYPE, HeaderValue::from_static);
        let opened_at = file.file.opened_at();
        let modified = file.modified().map(|at| Modified::new(at, opened_at));
        Self { content_type, modified, content }
    }

    fn part(file: &OpenFile) -> Self {
        let (offset, length) = file.place();
        Self::new(file, Content::Part { file: file.file.clone(), offset, length })
    }
}

/// Runs `job`, which deals with the file at `path`.
async fn in_pool(
    path: Option<PathBuf>,
    job: impl FnOnce() -> Result<Loaded, FileError> + Send + 'static,
) -> Result<Loaded, FileError> {
    let loaded = IOLoop::current().run_in_executor(job).await;
    loaded.map_err(|error| FileError::new(path, error.into()))?
}

/// A job in the pool, which also closes the file if it has read all of it.
fn load(file: RegularFile, read: bool) -> Result<Loaded, FileError> {
    let file = OpenFile::whole(file);
    if file.is_empty() {
        return load_unsized(&file);
    }
    if !read || !file.is_small() {
        return Ok(Loaded::part(&file));
    }
    let bytes = file.file.read_blocking(0, file.len() as usize);
    let bytes = bytes.map_err(|error| file.error(error))?;
    Ok(Loaded::new(&file, Content::Bytes(bytes)))
}

/// A job in the pool, for a file that says it is empty: those of `/proc` say so and are not. Only
/// reading it tells its length, which the response to `HEAD` has as well.
fn load_unsized(file: &OpenFile) -> Result<Loaded, FileError> {
    let bytes = file.file.read_to_end_blocking(UNSIZED_LIMIT);
    let bytes = bytes.map_err(|error| file.error(error))?;
    let has_content = !bytes.is_empty();
    let mut loaded = Loaded::new(file, Content::Bytes(bytes));
    if has_content {
        // Its content changes, and the time of its change does not.
        loaded.modified = None;
    }
    Ok(loaded)
}

/// Why a file cannot be sent.
///
/// `?` makes the response of it that its [`status`](Self::status) says. The client sees no more
/// than that; the path and the error of the system are for the log.
#[derive(Debug)]
pub struct FileError {
    path: Option<PathBuf>,
    kind: FileErrorKind,
    http: HTTPError,
    source: Option<io::Error>,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// There is none at this path, or there can be none, as behind a loop of links: 404.
    NotFound,
    /// The server may not read it: 403.
    PermissionDenied,
    /// It is a directory, a device, a FIFO or a socket: 403, as in Tornado.
    NotAFile,
    /// It has not all the bytes that were asked for: 416.
    OutOfRange,
    /// Whatever else: too many open files, an error of the disk, a file that became shorter just
    /// now: 500.
    Other,
}

impl FileError {
    fn new(path: Option<PathBuf>, error: io::Error) -> Self {
        use io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
                FileErrorKind::NotFound
            }
            ErrorKind::InvalidInput if has_nul(path.as_deref()) => FileErrorKind::NotFound,
            ErrorKind::InvalidInput | ErrorKind::IsADirectory => FileErrorKind::NotAFile,
            ErrorKind::PermissionDenied => FileErrorKind::PermissionDenied,
            _ => FileErrorKind::Other,
        };
        let http = match kind {
            FileErrorKind::NotFound => HTTPError::NOT_FOUND,
            // Which files there are should be known to who serves them: this stands in the log.
            FileErrorKind::PermissionDenied | FileErrorKind::NotAFile => {
                HTTPError::FORBIDDEN.with_log_message("not a file to be served")
            }
            FileErrorKind::OutOfRange | FileErrorKind::Other => HTTPError::INTERNAL_SERVER_ERROR,
        };
        Self { path, kind, http, source: Some(error) }
    }

    fn out_of_range(path: Option<PathBuf>, length: u64) -> Self {
        let http = HTTPError::new(StatusCode::RANGE_NOT_SATISFIABLE)
            .with_header(header::CONTENT_RANGE, format!("bytes */{length}"));
        Self { path, kind: FileErrorKind::OutOfRange, http, source: None }
    }

    /// What is wrong.
    pub fn kind(&self) -> FileErrorKind {
        self.kind
    }

    /// The status that answers it.
    pub fn status(&self) -> StatusCode {
        self.http.status()
    }

    /// The path, if the file was to be opened by it.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn http(&self) -> &HTTPError {
        &self.http
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "cannot send the file {path:?}")?,
            None => f.write_str("cannot send an open file")?,
        }
        match self.kind {
            FileErrorKind::OutOfRange => f.write_str(": it has not so many bytes"),
            _ => Ok(()),
        }
    }
}

impl StdError for FileError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

fn has_nul(path: Option<&Path>) -> bool {
    path.is_some_and(|path| path.as_os_str().as_bytes().contains(&0))
}

/// What [`Context::send_file`](crate::Context::send_file) sends: a path, or a file that is open.
///
/// A path is a `&str`, a `String`, a `&Path` or a `PathBuf`. What a client has sent is none by
/// itself: it may name any file of the machine.
///
/// ```
/// # use squall::{Context, Result};
/// async fn logo(cx: &mut Context) -> Result {
///     cx.send_file("static/logo.svg").await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a file that can be sent",
    label = "neither a path nor a file",
    note = "a path is a `&str`, `String`, `&Path` or `PathBuf`: of a text that a client has sent, check that it names no other folder first"
)]
pub trait IntoFileSource {
    /// What is sent.
    fn into_source(self) -> FileSource;
}

#[diagnostic::do_not_recommend]
impl<T: Into<FileSource>> IntoFileSource for T {
    fn into_source(self) -> FileSource {
        self.into()
    }
}

impl From<&str> for FileSource {
    fn from(path: &str) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<String> for FileSource {
    fn from(path: String) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<&String> for FileSource {
    fn from(path: &String) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        Self(Source::Path(path))
    }
}

impl From<&PathBuf> for FileSource {
    fn from(path: &PathBuf) -> Self {
        Self(Source::Path(path.clone()))
    }
}

impl From<File> for FileSource {
    fn from(file: File) -> Self {
        Self(Source::File(file))
    }
}

impl From<OpenFile> for FileSource {
    fn from(file: OpenFile) -> Self {
        Self(Source::Open(file))
    }
}

impl From<&OpenFile> for FileSource {
    fn from(file: &OpenFile) -> Self {
        Self(Source::Open(file.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind;

    #[test]
    fn a_file_is_settled_a_second_after_its_change() {
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let after = |milliseconds| second + Duration::from_millis(milliseconds);
        let cases = [
            (after(0), after(0), false),
            (after(200), after(300), false),
            (after(200), after(999), false),
            (after(200), after(1001), false),
            (after(999), after(1998), false),
            (after(0), after(1001), false),
            (after(0), after(1020), true),
            (after(200), after(1220), true),
            (after(5000), after(0), false),
            (SystemTime::UNIX_EPOCH, after(0), true),
        ];
        for (at, opened_at, is_settled) in cases {
            let modified = Modified::new(at, opened_at);
            assert_eq!(modified.is_settled, is_settled, "{at:?} {opened_at:?}");
            let told = if is_settled { at } else { at - Duration::from_secs(1) };
            assert_eq!(modified.told(), told);
        }
        let future = SystemTime::now() + Duration::from_secs(1000);
        assert!(Modified::new(future, SystemTime::now()).told() < SystemTime::now());
    }

    #[test]
    fn errors_of_the_system_have_the_status_that_a_client_should_see() {
        let cases = [
            (ErrorKind::NotFound, FileErrorKind::NotFound, 404),
            (ErrorKind::NotADirectory, FileErrorKind::NotFound, 404),
            (ErrorKind::InvalidFilename, FileErrorKind::NotFound, 404),
            (ErrorKind::PermissionDenied, FileErrorKind::PermissionDenied, 403),
            (ErrorKind::IsADirectory, FileErrorKind::NotAFile, 403),
            (ErrorKind::InvalidInput, FileErrorKind::NotAFile, 403),
            (ErrorKind::UnexpectedEof, FileErrorKind::Other, 500),
            (ErrorKind::StaleNetworkFileHandle, FileErrorKind::Other, 500),
        ];
        for (system, kind, status) in cases {
            let error = FileError::new(Some("a/b".into()), system.into());
            assert_eq!((error.kind(), error.status().as_u16()), (kind, status));
            let error = crate::Error::from(error);
            assert_eq!(error.status().as_u16(), status, "what `?` makes of it");
            assert_eq!(error.to_string(), format!("cannot send the file \"a/b\": {system}"));
        }
    }
}
