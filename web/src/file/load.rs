//! Opens a file, and reads it if it is small.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use squall_runtime::{IOLoop, RegularFile};

use super::error::FileError;
use super::open::OpenFile;
use super::source::{FileSource, Source};
use crate::http::HeaderValue;

/// A file of at most this many bytes is read into memory and sent together with the head.
const SMALL_FILE: u64 = 64 * 1024;

/// The largest content, in bytes, that is read from a file whose metadata says that it is empty.
const UNSIZED_LIMIT: usize = 1024 * 1024;

/// A header has whole seconds. A file that changed less than this before it was opened may change
/// again within the same second. The kernel's times may be some milliseconds old.
const SETTLED_AFTER: Duration = Duration::from_millis(1020);

const UNKNOWN_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A file that is ready to become part of a response.
#[derive(Debug)]
pub(crate) struct LoadedFile {
    /// The type for the extension of the path, without a charset.
    pub(crate) content_type: HeaderValue,
    pub(crate) modified: Option<Modified>,
    pub(crate) body: FileBody,
}

/// The content of a file: its bytes, or the part of it that the kernel will copy to the socket.
#[derive(Debug)]
pub(crate) enum FileBody {
    Bytes(Vec<u8>),
    Part { file: RegularFile, offset: u64, length: u64 },
}

/// When a file was last modified, as its metadata said when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modified {
    at: SystemTime,
    /// Whether any further change will have a later second.
    pub(crate) is_settled: bool,
}

impl Modified {
    fn new(at: SystemTime, opened_at: SystemTime) -> Self {
        let settled_at = at.checked_add(SETTLED_AFTER);
        Self { at, is_settled: settled_at.is_some_and(|settled_at| settled_at <= opened_at) }
    }

    /// Returns the time for a `Last-Modified` header. For a file that is not settled, this is a
    /// second earlier, so that no later version of the file can have the same time.
    pub(crate) fn last_modified(self) -> SystemTime {
        match self.is_settled {
            true => self.at,
            false => {
                // A wrong clock can set a time in the future. A header must not.
                let at = self.at.min(SystemTime::now());
                at.checked_sub(Duration::from_secs(1)).unwrap_or(at)
            }
        }
    }
}

impl FileSource {
    /// Opens the file if it is not open. With `read`, also reads a small file, in the same job of
    /// the thread pool. A small file that is already open and in the page cache needs no job.
    pub(crate) async fn load(self, read: bool) -> Result<LoadedFile, FileError> {
        match self.0 {
            Source::Open(file) if file.is_empty() => {
                let path = file.path().map(Path::to_owned);
                in_pool(path, move || load_unsized(&file)).await
            }
            Source::Open(file) if read && is_small(&file) => {
                let bytes = file.file.read(file.offset(), file.part_len() as usize).await;
                let bytes = bytes.map_err(|error| file.error(error))?;
                Ok(LoadedFile::new(&file, FileBody::Bytes(bytes)))
            }
            Source::Open(file) => Ok(LoadedFile::unread(&file)),
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

impl LoadedFile {
    fn new(file: &OpenFile, body: FileBody) -> Self {
        let guess = file.path().and_then(|path| mime_guess::from_path(path).first_raw());
        let content_type = guess.map_or(UNKNOWN_TYPE, HeaderValue::from_static);
        let opened_at = file.file.opened_at();
        let modified = file.modified().map(|at| Modified::new(at, opened_at));
        Self { content_type, modified, body }
    }

    fn unread(file: &OpenFile) -> Self {
        let (offset, length) = (file.offset(), file.part_len());
        Self::new(file, FileBody::Part { file: file.file.clone(), offset, length })
    }
}

fn is_small(file: &OpenFile) -> bool {
    file.part_len() <= SMALL_FILE
}

/// Runs `job` in the thread pool. If the pool fails, the error names the file at `path`.
async fn in_pool(
    path: Option<PathBuf>,
    job: impl FnOnce() -> Result<LoadedFile, FileError> + Send + 'static,
) -> Result<LoadedFile, FileError> {
    let loaded = IOLoop::current().run_in_executor(job).await;
    loaded.map_err(|error| FileError::new(path, error.into()))?
}

/// Runs in the pool. Also closes the file there, if all of it was read.
fn load(file: RegularFile, read: bool) -> Result<LoadedFile, FileError> {
    let file = OpenFile::whole(file);
    if file.is_empty() {
        return load_unsized(&file);
    }
    if !read || !is_small(&file) {
        return Ok(LoadedFile::unread(&file));
    }
    let bytes = file.file.read_blocking(0, file.len() as usize);
    let bytes = bytes.map_err(|error| file.error(error))?;
    Ok(LoadedFile::new(&file, FileBody::Bytes(bytes)))
}

/// Runs in the pool, for a file whose metadata says that it is empty. Files of `/proc` say so and
/// have content. Even a response to `HEAD` must read them, because it needs the length.
fn load_unsized(file: &OpenFile) -> Result<LoadedFile, FileError> {
    let bytes = file.file.read_to_end_blocking(UNSIZED_LIMIT);
    let bytes = bytes.map_err(|error| file.error(error))?;
    let has_content = !bytes.is_empty();
    let mut loaded = LoadedFile::new(file, FileBody::Bytes(bytes));
    if has_content {
        // The content of such a file changes without a change of its time.
        loaded.modified = None;
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let expected = if is_settled { at } else { at - Duration::from_secs(1) };
            assert_eq!(modified.last_modified(), expected);
        }
        let future = SystemTime::now() + Duration::from_secs(1000);
        let modified = Modified::new(future, SystemTime::now());
        assert!(modified.last_modified() < SystemTime::now());
    }
}
