//! Unix domain sockets: connections within the machine, named by a path.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::task::{Context, Poll};

use rustix::net::{AddressFamily, SocketAddrUnix};

use super::socket::Socket;
use super::{FilePart, stream_traits};
use crate::fd::PeerClosed;

mod listener;

pub use listener::UnixListener;

/// A connection over a Unix domain socket.
///
/// It reads and writes by [`AsyncRead`](futures_lite::AsyncRead) and
/// [`AsyncWrite`](futures_lite::AsyncWrite), which references to it implement as well, so that
/// one task can read while another writes. Dropping it closes the connection.
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use squall_runtime::{IOLoop, UnixStream};
///
/// IOLoop::current().run_sync(async {
///     let (mut client, mut server) = UnixStream::pair()?;
///     client.write_all(b"ping").await?;
///     drop(client);
///     let mut text = String::new();
///     server.read_to_string(&mut text).await?;
///     assert_eq!(text, "ping");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UnixStream(Socket<std::os::unix::net::UnixStream>);

impl UnixStream {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::ConnectionRefused`] if nobody listens,
    /// [`io::ErrorKind::WouldBlock`] if the listener's queue is full: the system does not
    /// tell when there is room again.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let _stream = UnixStream::connect("/run/squall.sock").await?;
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path.as_ref())?;
        Ok(Self(Socket::connect(AddressFamily::UNIX, &address).await?))
    }

    /// Makes two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// If the process or the system has too many open files.
    ///
    /// # Examples
    ///
    /// See [`UnixStream`].
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((Self::try_from(one)?, Self::try_from(other)?))
    }

    /// Is ready if there may be something to receive: bytes, the end, or an error. The system is not
    /// asked, so that [`poll_recv`](Self::poll_recv) may find nothing all the same. If there is
    /// nothing, the task of `cx` is woken when there is, as by `poll_recv`, but no buffer is needed
    /// to learn it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = UnixStream::pair()?;
    ///     poll_fn(|cx| client.poll_send(cx, &[IoSlice::new(b"ping")])).await?;
    ///
    ///     poll_fn(|cx| server.poll_recv_ready(cx)).await;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(poll_fn(|cx| server.poll_recv(cx, &mut buffer)).await?, 4);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_recv_ready(cx)
    }

    /// Receives into `buffer` what has arrived, at most as much as fits, with one system call.
    ///
    /// Returns 0 at the end of the stream (and for an empty buffer). If nothing has arrived,
    /// the task of `cx` is woken when something has; one task at a time can wait to read.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionReset`] if the other side closed without having read all.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = UnixStream::pair()?;
    ///     poll_fn(|cx| client.poll_send(cx, &[IoSlice::new(b"ping")])).await?;
    ///
    ///     let mut buffer = [0; 16];
    ///     let length = poll_fn(|cx| server.poll_recv(cx, &mut buffer)).await?;
    ///     assert_eq!(&buffer[..length], b"ping");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buffer)
    }

    /// Receives what has arrived behind what is in `buffer`, at most as much as it has room for
    /// without growing, with one system call. The room need not be cleared before.
    ///
    /// Returns 0 at the end of the stream (and if there is no room). If nothing has arrived, the
    /// task of `cx` is woken when something has; one task at a time can wait to read.
    ///
    /// # Errors
    ///
    /// As [`poll_recv`](Self::poll_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = UnixStream::pair()?;
    ///     poll_fn(|cx| client.poll_send(cx, &[IoSlice::new(b"ping")])).await?;
    ///
    ///     let mut buffer = Vec::with_capacity(16);
    ///     buffer.push(b'>');
    ///     let length = poll_fn(|cx| server.poll_recv_behind(cx, &mut buffer)).await?;
    ///     assert_eq!((length, &*buffer), (4, &b">ping"[..]));
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_recv_behind(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv_behind(cx, buffer)
    }

    /// Sends from `buffers`, in their order, as much as the system takes with one call.
    ///
    /// Returns how many bytes were taken. If there is no room, the task of `cx` is woken when
    /// there is; one task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if the other side is gone or reads no more, or if this
    /// side was shut down for writing (never a signal).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, _server) = UnixStream::pair()?;
    ///     let buffers = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    ///     let sent = poll_fn(|cx| client.poll_send(cx, &buffers)).await?;
    ///     assert_eq!(sent, 8);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, buffers)
    }

    /// Sends some of a file, as much as the system takes or 2 MiB, without reading it on this
    /// thread: see [`FilePart`].
    ///
    /// Returns how many bytes were taken; 0 if none are left. If there is no room, or the file is
    /// not there yet, the task of `cx` is woken when there is; one task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// As [`poll_send`](Self::poll_send); [`io::ErrorKind::UnexpectedEof`] if the file ends before
    /// the part does, and the errors of its disk.
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
    ///     let mut part = FilePart::new(RegularFile::open("Cargo.toml").await?, 1, 7);
    ///     assert_eq!(poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await?, 7);
    ///     assert_eq!(poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await?, 0);
    ///     drop(server);
    ///     let mut text = String::new();
    ///     client.read_to_string(&mut text).await?;
    ///     assert_eq!(text, "package");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_sendfile(
        &self,
        cx: &mut Context<'_>,
        part: &mut FilePart,
    ) -> Poll<io::Result<u64>> {
        self.0.poll_sendfile(cx, part)
    }

    /// Waits for the other side to close, without reading and whether or not bytes are unread.
    ///
    /// It waits in the place of the reader: one task at a time either reads or waits here.
    /// After [`PeerClosed::Finished`] that task is woken once more if the connection then
    /// breaks, and a further call returns [`PeerClosed::Reset`].
    ///
    /// This is so on Linux. Elsewhere an end behind bytes that nobody has read is noticed when
    /// they are read, and nothing is noticed after the first end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{IOLoop, PeerClosed, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = UnixStream::pair()?;
    ///     drop(client);
    ///     assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Finished);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        self.0.poll_peer_closed(cx)
    }

    /// Shuts the connection down for reading (the other side's sends then fail), for writing
    /// (the other side then reads the end of the stream), or both.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if the socket is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Shutdown;
    ///
    /// use futures_lite::AsyncReadExt;
    /// use squall_runtime::{IOLoop, UnixStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, mut server) = UnixStream::pair()?;
    ///     client.shutdown(Shutdown::Write)?;
    ///     assert_eq!(server.read(&mut [0; 16]).await?, 0);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

stream_traits!(UnixStream);

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    /// Takes a connection of the standard library over and makes it non-blocking.
    #[track_caller]
    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(Socket::new(stream)))
    }
}

impl From<UnixStream> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(stream: UnixStream) -> Self {
        stream.0.into_inner().into()
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
