//! Files into streams. The kernel copies them on a thread of the pool, because it waits for the
//! disk.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::IOLoop;
use crate::fd::AsyncFd;
use crate::file::{RegularFile, shorter};
use crate::io_loop::drop_in_executor;
use crate::thread_pool::ThreadPoolError;

#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "sendfile/none.rs")]
mod system;

/// The most that one job sends. A trip to the pool costs a few percent of the time for this, and a
/// job whose transfer was dropped ends soon.
const SEND_CHUNK: u64 = 2 * 1024 * 1024;

/// The most that is read at once where the kernel cannot send a file. It stays in memory until the
/// client has taken it.
const COPY_CHUNK: u64 = 128 * 1024;

/// A part of a file that is being sent. The `poll_sendfile` of
/// [`TcpStream`](crate::SocketStream::poll_sendfile),
/// [`UnixStream`](crate::SocketStream::poll_sendfile) and
/// [`DuplexStream`](crate::DuplexStream::poll_sendfile) sends it.
///
/// Nothing is read on the loop's thread. On Linux, the kernel copies the file from its cache to the
/// socket (`sendfile`). On other systems, and where this is not possible, the pool reads 128 KiB at
/// a time, which are then sent.
///
/// Dropping this ends the transfer. A running job continues for at most 2 MiB or until the socket
/// is full. It has descriptors of its own.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
///
/// use futures_lite::AsyncReadExt;
/// use squall_runtime::{FilePart, IOLoop, RegularFile, UnixStream};
///
/// IOLoop::current().run_sync(async {
///     let (mut client, server) = UnixStream::pair()?;
///     let mut part = FilePart::new(RegularFile::open("Cargo.toml").await?, 0, 9);
///     while part.left() > 0 {
///         poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await?;
///     }
///     drop(server);
///     let mut text = String::new();
///     client.read_to_string(&mut text).await?;
///     assert_eq!(text, "[package]");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
pub struct FilePart {
    /// `None` only in `drop`.
    file: Option<RegularFile>,
    offset: u64,
    left: u64,
    state: State,
    /// The kernel cannot send this file over this stream.
    copies: bool,
}

enum State {
    Idle,
    /// The last job found no room in the socket.
    Full,
    Sending(Job<Sent>),
    Reading(Job<io::Result<Vec<u8>>>),
    /// Bytes of the file, and how many of them are sent.
    Read(Vec<u8>, usize),
    /// Reading the file has failed, so nothing more of it may be sent.
    Failed(io::ErrorKind),
}

type Job<T> = Pin<Box<dyn Future<Output = Result<T, ThreadPoolError>>>>;

/// The result of a job that sends.
#[derive(Debug)]
struct Sent {
    count: u64,
    end: End,
}

/// Why a job ended.
#[derive(Debug)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "nothing is sent by the system there")
)]
enum End {
    Done,
    SocketFull,
    FileEnded,
    Unsupported,
    FileFailed(io::Error),
    SocketFailed(io::Error),
}

impl FilePart {
    /// Makes a part of `length` bytes of `file` from `offset` on.
    ///
    /// # Examples
    ///
    /// See [`FilePart`].
    pub fn new(file: RegularFile, offset: u64, length: u64) -> Self {
        Self { file: Some(file), offset, left: length, state: State::Idle, copies: false }
    }

    /// Returns the number of bytes that are not sent yet.
    ///
    /// # Examples
    ///
    /// See [`FilePart`].
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Returns whether it currently waits for the file, and not for room in the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{FilePart, IOLoop, RegularFile};
    ///
    /// let file = IOLoop::current().run_sync(RegularFile::open("Cargo.toml"))??;
    /// assert!(!FilePart::new(file, 0, 9).waits_for_file(), "sending has not begun");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn waits_for_file(&self) -> bool {
        matches!(self.state, State::Sending(_) | State::Reading(_))
    }

    /// Returns whether the last error was an error of the file and not of the stream. Nothing more
    /// can be sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{FilePart, IOLoop, RegularFile, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (_client, server) = UnixStream::pair()?;
    ///     let file = RegularFile::open("Cargo.toml").await?;
    ///     let mut part = FilePart::new(file, 1_000_000, 1);
    ///     let error = poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    ///     assert!(part.has_failed());
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed(_))
    }

    /// Returns the file.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{FilePart, IOLoop, RegularFile};
    ///
    /// let file = IOLoop::current().run_sync(RegularFile::open("Cargo.toml"))??;
    /// let part = FilePart::new(file, 0, 9);
    /// assert_eq!(part.file().path().unwrap().to_str(), Some("Cargo.toml"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn file(&self) -> &RegularFile {
        match &self.file {
            Some(file) => file,
            None => unreachable!("only `drop` takes it out"),
        }
    }

    /// Reads a piece of the file in the pool, and sends it with `send`. This is for streams that
    /// transform the data, so that the kernel cannot copy the file to them.
    ///
    /// Returns the number of bytes sent, and 0 if the part is complete.
    ///
    /// # Errors
    ///
    /// Those of `send`, and those of the file. [`has_failed`](Self::has_failed) returns `true`
    /// after the latter.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::task::Poll;
    ///
    /// use squall_runtime::{FilePart, IOLoop, RegularFile};
    ///
    /// let mut sent = Vec::new();
    /// IOLoop::current().run_sync(async {
    ///     let mut part = FilePart::new(RegularFile::open("Cargo.toml").await?, 0, 9);
    ///     let mut send = |bytes: &[u8]| {
    ///         sent.extend(bytes.to_ascii_uppercase());
    ///         Poll::Ready(Ok(bytes.len()))
    ///     };
    ///     poll_fn(|cx| part.poll_copy(cx, |_, bytes| send(bytes))).await
    /// })??;
    /// assert_eq!(sent, b"[PACKAGE]");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<u64>> {
        loop {
            match &mut self.state {
                State::Read(bytes, sent) => {
                    let count = ready!(send(cx, &bytes[*sent..]))?;
                    *sent += count;
                    if *sent == bytes.len() {
                        self.state = State::Idle;
                    }
                    return Poll::Ready(Ok(self.advance(count as u64)));
                }
                State::Reading(job) => {
                    match ready!(job.as_mut().poll(cx)).unwrap_or_else(|error| Err(error.into())) {
                        Ok(bytes) => self.state = State::Read(bytes, 0),
                        Err(error) => return Poll::Ready(Err(self.fail(error))),
                    }
                }
                State::Sending(_) => {
                    if let Some(result) = ready!(self.poll_sending(cx)) {
                        return Poll::Ready(result);
                    }
                }
                State::Failed(kind) => return Poll::Ready(Err((*kind).into())),
                State::Idle | State::Full if self.left == 0 => return Poll::Ready(Ok(0)),
                State::Idle | State::Full => self.begin_reading(),
            }
        }
    }

    /// Implements `poll_sendfile` of the socket streams.
    pub(super) fn poll_send<S: AsFd>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &AsyncFd<S>,
        send: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<u64>> {
        while system::HAS_SENDFILE && !self.copies {
            match &mut self.state {
                State::Sending(_) => {
                    if let Some(result) = ready!(self.poll_sending(cx)) {
                        return Poll::Ready(result);
                    }
                }
                State::Full => {
                    ready!(socket.poll_writable(cx))?;
                    self.state = State::Idle;
                }
                State::Idle if self.left > 0 => match socket.as_fd().try_clone_to_owned() {
                    Ok(socket) => self.begin_sending(socket),
                    // Too many files are open. Copying needs no descriptor.
                    Err(_) => break,
                },
                _ => break,
            }
        }
        self.poll_copy(cx, send)
    }

    fn begin_sending(&mut self, socket: OwnedFd) {
        let (file, offset, length) = (self.file().clone(), self.offset, self.left.min(SEND_CHUNK));
        let job = move || system::send(&socket, file.as_file(), offset, length);
        self.state = State::Sending(Box::pin(IOLoop::current().run_in_executor(job)));
    }

    fn begin_reading(&mut self) {
        let (file, offset, length) = (self.file().clone(), self.offset, self.left.min(COPY_CHUNK));
        let job = move || file.read_blocking(offset, length as usize);
        self.state = State::Reading(Box::pin(IOLoop::current().run_in_executor(job)));
    }

    /// Waits for the job that sends. Returns `None` if it has sent nothing.
    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<u64>>> {
        let State::Sending(job) = &mut self.state else { return Poll::Ready(None) };
        let sent = ready!(job.as_mut().poll(cx));
        self.state = State::Idle;
        let Sent { count, end } = match sent {
            Ok(sent) => sent,
            Err(error) => return Poll::Ready(Some(Err(self.fail(error.into())))),
        };
        match end {
            End::Done => {}
            End::SocketFull => self.state = State::Full,
            End::Unsupported => self.copies = true,
            End::FileEnded => return Poll::Ready(Some(Err(self.fail(shorter())))),
            End::FileFailed(error) => return Poll::Ready(Some(Err(self.fail(error)))),
            End::SocketFailed(error) => return Poll::Ready(Some(Err(error))),
        }
        Poll::Ready((count > 0).then(|| Ok(self.advance(count))))
    }

    fn advance(&mut self, count: u64) -> u64 {
        self.offset += count;
        self.left -= count;
        count
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        self.state = State::Failed(error.kind());
        error
    }
}

/// A thread of the pool closes the file. If the file was deleted meanwhile, the kernel frees its
/// blocks then, which may take long.
impl Drop for FilePart {
    fn drop(&mut self) {
        // Drops a job that no thread has begun, because it holds the file, too.
        self.state = State::Idle;
        if let Some(file) = self.file.take().filter(RegularFile::is_last) {
            drop_in_executor(file);
        }
    }
}

impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePart")
            .field("file", &self.file)
            .field("offset", &self.offset)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
