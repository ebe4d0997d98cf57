//! [`FileError`]: why a file cannot be sent.

use std::error::Error as StdError;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::error::HTTPError;
use crate::http::{StatusCode, header};

/// The reason why a file cannot be sent.
///
/// `?` turns it into a response with its [`status`](Self::status). The client sees nothing but the
/// status. The path and the system's error go to the log.
#[derive(Debug)]
pub struct FileError {
    path: Option<PathBuf>,
    kind: FileErrorKind,
    http: Box<HTTPError>,
    source: Option<io::Error>,
}

/// The kind of a [`FileError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// No file exists at this path, or none can, for example because of a loop of links: 404.
    NotFound,
    /// The server may not read the file: 403.
    PermissionDenied,
    /// The path leads to a directory, a device, a FIFO or a socket: 403, as in Tornado.
    NotAFile,
    /// The file does not have all the bytes of the range: 416.
    OutOfRange,
    /// Any other error: 500. Examples are too many open files, an error of the disk, or a file that
    /// has just become shorter.
    Other,
}

impl FileError {
    pub(super) fn new(path: Option<PathBuf>, error: io::Error) -> Self {
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
            // The log message makes the log show these errors: an operator wants to know them.
            FileErrorKind::PermissionDenied | FileErrorKind::NotAFile => {
                HTTPError::FORBIDDEN.with_log_message("the file may not be sent")
            }
            FileErrorKind::OutOfRange | FileErrorKind::Other => HTTPError::INTERNAL_SERVER_ERROR,
        };
        Self { path, kind, http: Box::new(http), source: Some(error) }
    }

    pub(super) fn out_of_range(path: Option<PathBuf>, length: u64) -> Self {
        let http = HTTPError::new(StatusCode::RANGE_NOT_SATISFIABLE)
            .with_header(header::CONTENT_RANGE, format!("bytes */{length}"));
        Self { path, kind: FileErrorKind::OutOfRange, http: Box::new(http), source: None }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> FileErrorKind {
        self.kind
    }

    /// Returns the status of the response to this error.
    pub fn status(&self) -> StatusCode {
        self.http.status()
    }

    /// Returns the path, if the file was to be opened by path.
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
            FileErrorKind::OutOfRange => f.write_str(": the range is outside the file"),
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

#[cfg(test)]
mod tests {
    use io::ErrorKind;

    use super::*;

    #[test]
    fn each_system_error_has_the_status_that_a_client_should_see() {
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
            assert_eq!(error.status().as_u16(), status, "the status after `?`");
            assert_eq!(error.to_string(), format!("cannot send the file \"a/b\": {system}"));
        }
    }
}
