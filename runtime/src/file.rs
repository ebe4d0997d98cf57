//! Regular files: opened and read in the pool of threads, for the system has no way to wait for a
//! disk without blocking.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::IOLoop;

#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "file/not_cached.rs")]
mod cached;

/// How much is read on the loop's thread at most, if the system has it in memory.
///
/// Copying as much takes some 10 µs, which is about what a trip to the pool costs.
const CACHED_LIMIT: usize = 64 * 1024;

/// A regular file that is open for reading.
///
/// Neither opening nor reading it blocks the loop: the [pool](IOLoop::run_in_executor) does both.
/// Clones share the one descriptor, which is closed with the last of them.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, RegularFile};
///
/// IOLoop::current().run_sync(async {
///     let file = RegularFile::open("Cargo.toml").await?;
///     let beginning = file.read(0, 9).await?;
///     assert_eq!(beginning, b"[package]");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct RegularFile(Arc<Opened>);

struct Opened {
    file: File,
    metadata: Metadata,
    path: Option<PathBuf>,
}

impl RegularFile {
    /// Opens the file at `path`, in the pool.
    ///
    /// Links are followed. A FIFO, a device or a socket is refused without waiting for what is at
    /// its other end.
    ///
    /// # Errors
    ///
    /// [`IsADirectory`](io::ErrorKind::IsADirectory);
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no regular file either, and for
    /// a path with a NUL; and what the system says: [`NotFound`](io::ErrorKind::NotFound),
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied), too many open files.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// let error = IOLoop::current().run_sync(RegularFile::open("/")).map(Result::unwrap_err)?;
    /// assert_eq!(error.kind(), ErrorKind::IsADirectory);
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        IOLoop::current().run_in_executor(move || Self::open_blocking(path)).await?
    }

    /// Opens the file at `path` on this thread: for a job that goes on with it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// // One trip to the pool rather than two.
    /// let job = || {
    ///     let file = RegularFile::open_blocking("Cargo.toml")?;
    ///     file.read_blocking(0, file.metadata().len() as usize)
    /// };
    /// let text = IOLoop::current().run_sync(async {
    ///     IOLoop::current().run_in_executor(job).await
    /// })???;
    /// assert!(text.starts_with(b"[package]"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn open_blocking(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        // Without the flag, a FIFO is waited for until somebody writes to it.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            // A socket, or a device without a driver.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => Err(not_regular()),
            file => Self::check(file?, Some(path)),
        }
    }

    /// Takes a file that is open already; the pool looks what it is.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), if it is no regular file.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let file = IOLoop::current().run_sync(RegularFile::from_std(file))??;
    /// assert!(file.metadata().len() > 0 && file.path().is_none());
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn from_std(file: File) -> io::Result<Self> {
        IOLoop::current().run_in_executor(move || Self::from_std_blocking(file)).await?
    }

    /// As [`from_std`](Self::from_std), on this thread.
    ///
    /// # Errors
    ///
    /// As [`from_std`](Self::from_std).
    ///
    /// # Examples
    ///
    /// See [`open_blocking`](Self::open_blocking).
    pub fn from_std_blocking(file: File) -> io::Result<Self> {
        Self::check(file, None)
    }

    fn check(file: File, path: Option<PathBuf>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(not_regular());
        }
        Ok(Self(Arc::new(Opened { file, metadata, path })))
    }

    /// What the system said of the file when it was opened.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Where it was opened, if it was opened by its path.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The `length` bytes from `offset` on.
    ///
    /// Up to 64 KiB that the system has in memory are read at once (on Linux). For all else, and
    /// whenever that is not known, the pool reads.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before, and those of the
    /// disk.
    ///
    /// # Examples
    ///
    /// See [`RegularFile`].
    pub async fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if length <= CACHED_LIMIT
            && let Some(bytes) = cached::read(&self.0.file, offset, length)
        {
            return Ok(bytes);
        }
        let file = self.clone();
        IOLoop::current().run_in_executor(move || file.read_blocking(offset, length)).await?
    }

    /// As [`read`](Self::read), on this thread.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// See [`open_blocking`](Self::open_blocking).
    pub fn read_blocking(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; length];
        match self.0.file.read_exact_at(&mut buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(shorter()),
            read => read.map(|()| buffer),
        }
    }

    /// Whether nobody else has the descriptor.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    pub(crate) fn as_file(&self) -> &File {
        &self.0.file
    }
}

impl fmt::Debug for RegularFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegularFile")
            .field("path", &self.0.path)
            .field("len", &self.0.metadata.len())
            .finish_non_exhaustive()
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

/// A file has fewer bytes than were asked for.
pub(crate) fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")
}

#[cfg(test)]
mod tests;
