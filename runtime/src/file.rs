//! Regular files. The pool opens and reads them, because the kernel offers no way to wait for a
//! disk without blocking.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::{IOLoop, budget, sleep};

#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "file/not_cached.rs")]
mod cached;

/// The most that is read on the loop's thread, if the kernel has it in memory. Copying this takes
/// about 10 µs, like a trip to the pool.
const CACHED_LIMIT: usize = 64 * 1024;

/// The first pause before the next attempt to open a file on which another process holds a lease.
/// Each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A regular file that is open for reading.
///
/// The [pool](IOLoop::run_in_executor) opens and reads it, so the loop does not block. Clones share
/// one descriptor, which the last one closes.
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
    /// When the metadata was read.
    opened_at: SystemTime,
    path: Option<PathBuf>,
}

impl RegularFile {
    /// Opens the file at `path`, in the pool.
    ///
    /// This follows links. It refuses a FIFO, a device or a socket without waiting for the process
    /// at the other end.
    ///
    /// Another process may hold a lease on the file, as Samba does. The kernel asks it to give up
    /// the lease, and revokes the lease after `/proc/sys/fs/lease-break-time` seconds (45 by
    /// default). This waits for either, without occupying a thread of the pool.
    ///
    /// # Errors
    ///
    /// - [`IsADirectory`](io::ErrorKind::IsADirectory);
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) for a FIFO, a device or a socket, and for a
    ///   path with a NUL;
    /// - [`NotFound`](io::ErrorKind::NotFound), also for a loop of symbolic links and for a name
    ///   that the file system does not allow;
    /// - other errors of the kernel, such as [`PermissionDenied`](io::ErrorKind::PermissionDenied)
    ///   and too many open files.
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
        Self::open_then(path, |file| file).await
    }

    /// Opens the file at `path` in the pool, and calls `work` with it there. This takes one trip to
    /// the pool instead of two.
    ///
    /// It waits for a lease like [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), without calling `work`.
    ///
    /// # Panics
    ///
    /// Panics if `work` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// let length = IOLoop::current().run_sync(async {
    ///     RegularFile::open_then("Cargo.toml", |file| {
    ///         file.read_blocking(0, 9).map(|beginning| beginning.len())
    ///     })
    ///     .await
    /// })???;
    /// assert_eq!(length, 9);
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn open_then<T, F>(path: impl Into<PathBuf>, work: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Self) -> T + Send + 'static,
    {
        let (mut path, mut work, mut pause) = (path.into(), work, FIRST_PAUSE);
        loop {
            let job = move || match open_file(&path) {
                Ok(file) => Self::check(file, Some(path)).map(work).map_err(Refused::Other),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Err(Refused::Leased(path, work))
                }
                Err(error) => Err(Refused::Other(error)),
            };
            match IOLoop::current().run_in_executor(job).await? {
                Ok(done) => return Ok(done),
                Err(Refused::Other(error)) => return Err(error),
                Err(Refused::Leased(leased, unused)) => (path, work) = (leased, unused),
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }

    /// Opens the file at `path` on this thread, for a job that then uses it.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`WouldBlock`](io::ErrorKind::WouldBlock) if another
    /// process holds a lease on the file. The kernel has asked it to give up the lease.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// // One trip to the pool instead of two.
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
        Self::check(open_file(&path)?, Some(path))
    }

    /// Takes an open file. The pool checks that it is a regular file.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) for a file that is not regular.
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

    /// Like [`from_std`](Self::from_std), but on this thread.
    ///
    /// # Errors
    ///
    /// Those of [`from_std`](Self::from_std).
    ///
    /// # Examples
    ///
    /// See [`open_blocking`](Self::open_blocking).
    pub fn from_std_blocking(file: File) -> io::Result<Self> {
        Self::check(file, None)
    }

    fn check(file: File, path: Option<PathBuf>) -> io::Result<Self> {
        // Read before the metadata. A file that changes in between then counts as changed after it
        // was opened.
        let opened_at = SystemTime::now();
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(not_regular());
        }
        Ok(Self(Arc::new(Opened { file, metadata, opened_at, path })))
    }

    /// Returns the metadata of the file as of when it was opened.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Returns when the [metadata](Self::metadata) was read, or shortly before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use squall_runtime::{IOLoop, RegularFile};
    ///
    /// let before = SystemTime::now();
    /// let file = IOLoop::current().run_sync(RegularFile::open("Cargo.toml"))??;
    /// assert!((before..=SystemTime::now()).contains(&file.opened_at()));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn opened_at(&self) -> SystemTime {
        self.0.opened_at
    }

    /// Returns the path, if the file was opened by its path.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Reads `length` bytes from `offset` on.
    ///
    /// On Linux, up to 64 KiB that the kernel has in memory are read at once. Otherwise the pool
    /// reads.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends earlier, and errors of the
    /// disk.
    ///
    /// # Examples
    ///
    /// See [`RegularFile`].
    pub async fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if length <= CACHED_LIMIT
            && let Some(bytes) = cached::read(&self.0.file, offset, length)
        {
            budget::cooperate().await;
            return Ok(bytes);
        }
        let file = self.clone();
        IOLoop::current().run_in_executor(move || file.read_blocking(offset, length)).await?
    }

    /// Like [`read`](Self::read), but on this thread.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
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

    /// Reads the whole file on this thread, whatever length its metadata has. Files of `/proc` and
    /// some of `/sys` have content and a length of 0.
    ///
    /// # Errors
    ///
    /// [`FileTooLarge`](io::ErrorKind::FileTooLarge) if there are more than `limit` bytes, and
    /// errors of the file system.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use squall_runtime::RegularFile;
    ///
    /// let file = RegularFile::open_blocking("Cargo.toml")?;
    /// let content = file.read_to_end_blocking(1 << 20)?;
    /// assert_eq!(content.len() as u64, file.metadata().len());
    /// assert_eq!(file.read_to_end_blocking(9).unwrap_err().kind(), ErrorKind::FileTooLarge);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn read_to_end_blocking(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match self.0.file.read_at(&mut piece, content.len() as u64) {
                Ok(0) => return Ok(content),
                Ok(count) => content.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if content.len() > limit {
                let error = format!("the file has more than {limit} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
            }
        }
    }

    /// Returns whether no clone shares the descriptor.
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

/// Why a job has not opened a file.
enum Refused<F> {
    /// Another process holds a lease on it. The job returns its unused parts.
    Leased(PathBuf, F),
    Other(io::Error),
}

fn open_file(path: &Path) -> io::Result<File> {
    // Without the flag, opening a FIFO waits for a process that writes to it.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    opened.map_err(|error| match Errno::from_io_error(&error) {
        // A socket, or a device without a driver.
        Some(Errno::NXIO | Errno::NODEV) => not_regular(),
        // A loop of symbolic links, or a name that the file system cannot encode.
        Some(Errno::LOOP | Errno::ILSEQ) => io::Error::new(io::ErrorKind::NotFound, error),
        _ => error,
    })
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

/// The error if a file has fewer bytes than were asked for.
pub(crate) fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")
}

#[cfg(test)]
mod tests;
