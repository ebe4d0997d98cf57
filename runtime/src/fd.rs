//! A descriptor that tasks can wait for.
//!
//! # Layout
//!
//! - `fd/attempt.rs`: one attempt at an operation, and the wait for the next event
//! - `fd/peer_closed.rs`: noticing that the peer has closed a stream

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::io::ioctl_fionbio;

use crate::io_loop;
use crate::reactor::{self, Chunk, Direction, Trigger};

mod attempt;
mod peer_closed;

pub use peer_closed::PeerClosed;

/// A non-blocking descriptor that tasks can wait for.
///
/// It works with sockets, pipes and everything else that `epoll` or `kqueue` can watch. The
/// descriptor is registered when an operation on it would block for the first time, and removed
/// when this is dropped. It belongs to the loop of the thread that made it and cannot leave that
/// thread.
///
/// One task at a time can wait for it to become readable, and one for it to become writable. A
/// second task takes the place of the first.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
/// use squall_runtime::{AsyncFd, IOLoop};
///
/// let (reader, mut writer) = io::pipe()?;
/// IOLoop::current().run_sync(async {
///     let reader = AsyncFd::new(reader)?;
///     writer.write_all(b"hello")?;
///     let mut buffer = [0; 16];
///     let count = reader.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
///     assert_eq!(&buffer[..count], b"hello");
///     Ok::<(), io::Error>(())
/// })??;
/// # Ok::<(), io::Error>(())
/// ```
pub struct AsyncFd<T: AsFd> {
    /// `None` only in `drop` and `into_inner`.
    io: Option<T>,
    mode: Mode,
    /// The place of its source in the chunk. The reactor notes events there, and this reads them.
    slot: u8,
    chunk: Rc<Chunk>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Edge,
    /// Like `Edge`, but dropping it closes the descriptor, so the reactor need not remove it.
    Owning,
    Level,
}

impl<T: AsFd> AsyncFd<T> {
    /// Takes a descriptor and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be made non-blocking.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let reader = AsyncFd::new(reader)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn new(io: T) -> io::Result<Self> {
        io_loop::settle();
        ioctl_fionbio(&io, true)?;
        Ok(Self::with_mode(io, Mode::Edge))
    }

    /// Takes a descriptor that the kernel reports for as long as it is ready (level-triggered), and
    /// makes it non-blocking. This suits listeners.
    ///
    /// After a [`read_with`](Self::read_with), it counts as not ready. So an `accept` that succeeds
    /// is not followed by one that would block.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be made non-blocking.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use std::net::{TcpListener, TcpStream};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (_server, address) = IOLoop::current().run_sync(async {
    ///     AsyncFd::level(listener)?.read_with(|listener| listener.accept()).await
    /// })??;
    /// assert_eq!(address, client.local_addr()?);
    /// # Ok::<(), io::Error>(())
    /// ```
    #[track_caller]
    pub fn level(io: T) -> io::Result<Self> {
        io_loop::settle();
        ioctl_fionbio(&io, true)?;
        Ok(Self::with_mode(io, Mode::Level))
    }

    /// Takes a descriptor that is non-blocking already and that dropping `io` closes. This makes no
    /// system call, and dropping it makes none beside the `close`.
    #[track_caller]
    pub(crate) fn owning(io: T) -> Self {
        io_loop::settle();
        Self::with_mode(io, Mode::Owning)
    }

    /// Marks this descriptor as the runtime's own: a virtual clock moves although a task waits for
    /// it.
    pub(crate) fn internal(self) -> Self {
        self.source().make_internal();
        self
    }

    fn with_mode(io: T, mode: Mode) -> Self {
        let (chunk, slot) = reactor::reserve();
        Self { io: Some(io), mode, slot, chunk }
    }

    /// Returns the descriptor. Operations on it that would block fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let listener = AsyncFd::level(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    /// assert_ne!(listener.get_ref().local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn get_ref(&self) -> &T {
        match &self.io {
            Some(io) => io,
            None => unreachable!("only `drop` and `into_inner` take it out"),
        }
    }

    /// Returns the descriptor, which stays non-blocking.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let reader = AsyncFd::new(reader)?.into_inner();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_inner(mut self) -> T {
        self.release(false);
        match self.io.take() {
            Some(io) => io,
            None => unreachable!("only `drop` and `into_inner` take it out"),
        }
    }

    /// Waits until there is something to read: bytes, a connection, the end of the stream, or an
    /// error.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// IOLoop::current().run_sync(async { AsyncFd::new(reader)?.readable().await })??;
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx, Direction::Read)).await
    }

    /// Waits until there is room to write, or until writing would fail.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = std::io::pipe()?;
    /// IOLoop::current().run_sync(async { AsyncFd::new(writer)?.writable().await })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx, Direction::Write)).await
    }

    /// Calls `operation`, which reads, until it does not block. Returns its result.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// let count = IOLoop::current().run_sync(async {
    ///     AsyncFd::new(reader)?.read_with(|mut pipe| pipe.read(&mut [0; 16])).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn read_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.poll_read_with(cx, &mut operation, |_| self.mode == Mode::Level)).await
    }

    /// Calls `operation`, which writes, until it does not block. Returns its result.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = io::pipe()?;
    /// let count = IOLoop::current().run_sync(async {
    ///     AsyncFd::new(writer)?.write_with(|mut pipe| pipe.write(b"hello")).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn write_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.poll_write_with(cx, &mut operation)).await
    }

    /// Calls `operation`, which reads. If it would block, the task waits until the descriptor is
    /// ready.
    ///
    /// `drained` gets the result and returns whether this was everything that had arrived. If so,
    /// the next attempt waits for an event and makes no system call first. This holds for a read of
    /// a TCP stream or a pipe that did not fill its buffer. A read of a Unix socket may end early
    /// where the peer sent a descriptor. If in doubt, use `|_| false`, which costs one system call
    /// more. For a descriptor made by [`level`](Self::level), `|_| true` is always right.
    ///
    /// After 128 operations of a task in one turn, this returns `Pending` although the descriptor
    /// is ready. So a busy peer does not keep the other tasks from running.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::{self, Read, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// let mut buffer = [0; 16];
    /// let count = IOLoop::current().run_sync(async {
    ///     let reader = AsyncFd::new(reader)?;
    ///     poll_fn(|cx| {
    ///         reader.poll_read_with(cx, |mut pipe| pipe.read(&mut buffer), |count| *count < 16)
    ///     })
    ///     .await
    /// })??;
    /// assert_eq!(&buffer[..count], b"hello");
    /// # Ok::<(), io::Error>(())
    /// ```
    #[inline(always)]
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
        drained: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let result = ready!(self.poll_with(cx, Direction::Read, operation))?;
        if drained(&result) && self.source().trusts_short_reads() {
            self.source().set_blocked(Direction::Read);
        }
        Poll::Ready(Ok(result))
    }

    /// Calls `operation`, which writes. If it would block, the task waits until the descriptor is
    /// ready.
    ///
    /// After 128 operations of a task in one turn, this returns `Pending` although the descriptor
    /// is ready. So a busy peer does not keep the other tasks from running.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = io::pipe()?;
    /// let count = IOLoop::current().run_sync(async {
    ///     let writer = AsyncFd::new(writer)?;
    ///     poll_fn(|cx| writer.poll_write_with(cx, |mut pipe| pipe.write(b"hello"))).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    #[inline(always)]
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, Direction::Write, operation)
    }

    fn register(&self) -> io::Result<()> {
        reactor::register(self.get_ref().as_fd(), &self.chunk, self.slot, self.mode.trigger())
    }

    fn release(&self, closing: bool) {
        reactor::release(self.get_ref().as_fd(), &self.chunk, self.slot, closing);
    }
}

impl Mode {
    fn trigger(self) -> Trigger {
        match self {
            Self::Edge | Self::Owning => Trigger::Edge,
            Self::Level => Trigger::Level,
        }
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        if self.io.is_some() {
            self.release(self.mode == Mode::Owning);
        }
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("io", &self.io).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
