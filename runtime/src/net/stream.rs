//! Connected sockets: the part that TCP and Unix sockets share.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags};

use super::sendfile::FilePart;
use super::system::{NO_SIGNAL, stream_socket};
use crate::budget;
use crate::fd::{AsyncFd, PeerClosed};

/// The kernel accepts at most this number of buffers per call (`IOV_MAX`).
const MOST_BUFFERS: usize = 1024;

/// A connected socket of the standard library that [`SocketStream`] works with.
///
/// This crate implements it for all of them; there is no need to implement it yourself.
pub trait StreamSocket: AsFd {
    /// A read that does not fill its buffer has taken everything that had arrived, unless an event
    /// has reported otherwise.
    const SHORT_READ_IS_LAST: bool;
}

impl StreamSocket for std::net::TcpStream {
    const SHORT_READ_IS_LAST: bool = true;
}

impl StreamSocket for std::os::unix::net::UnixStream {
    /// A read ends early where the peer sent a descriptor or credentials.
    const SHORT_READ_IS_LAST: bool = false;
}

/// A connected stream socket: the type behind [`TcpStream`](crate::TcpStream) and
/// [`UnixStream`](crate::UnixStream).
///
/// It implements [`AsyncRead`](futures_lite::AsyncRead) and
/// [`AsyncWrite`](futures_lite::AsyncWrite). References to it do, too, so one task can read while
/// another writes. Dropping it closes the connection.
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
pub struct SocketStream<S: AsFd>(AsyncFd<S>);

impl<S: StreamSocket> SocketStream<S> {
    /// Takes a socket that is non-blocking already.
    #[track_caller]
    pub(super) fn from_nonblocking(socket: S) -> Self {
        Self(AsyncFd::owning(socket))
    }

    pub(super) fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// Connects to `address`. Dropping the future closes the socket.
    pub(super) async fn connect_to(
        family: AddressFamily,
        address: &impl SocketAddrArg,
    ) -> io::Result<Self>
    where
        S: From<OwnedFd>,
    {
        // On this machine, the kernel connects or refuses at once.
        budget::cooperate().await;
        let stream = Self::from_nonblocking(stream_socket(family)?.into());
        match rustix::net::connect(&stream, address) {
            Ok(()) => return Ok(stream),
            // An interrupted attempt continues in the background.
            Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        std::future::poll_fn(|cx| stream.0.poll_write_with(cx, connection_result)).await?;
        Ok(stream)
    }

    /// Waits until there may be something to receive: bytes, the end of the stream, or an error.
    ///
    /// This makes no system call, so [`poll_recv`](Self::poll_recv) may still find nothing. If
    /// there is nothing, the task of `cx` is woken when that changes. Unlike `poll_recv`, this
    /// needs no buffer.
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
        self.0.poll_worth_reading(cx)
    }

    /// Receives bytes into `buffer`, as many as have arrived and fit, with one system call.
    ///
    /// Returns the number of bytes, and 0 at the end of the stream or for an empty buffer. If
    /// nothing has arrived, the task of `cx` is woken when something does. One task at a time can
    /// wait to read.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionReset`] if the peer reset the connection, or closed a Unix
    /// socket with unread bytes; and other errors of the network.
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
    #[inline]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        self.0.poll_read_with(
            cx,
            |socket| Ok(rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.1),
            |received| S::SHORT_READ_IS_LAST && *received < room,
        )
    }

    /// Like [`poll_recv`](Self::poll_recv), but appends to `buffer`, within its spare capacity.
    ///
    /// The spare capacity need not be initialized, and `buffer` does not grow. Returns 0 at the
    /// end of the stream or if there is no spare capacity.
    ///
    /// # Errors
    ///
    /// Those of [`poll_recv`](Self::poll_recv).
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
        let room = buffer.capacity() - buffer.len();
        self.0.poll_read_with(
            cx,
            |socket| Ok(rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::empty())?.0),
            |received| S::SHORT_READ_IS_LAST && *received < room,
        )
    }

    /// Sends `buffers` in order, as many bytes as the kernel accepts with one system call.
    ///
    /// Returns the number of bytes accepted. If the socket has no room, the task of `cx` is woken
    /// when it has. One task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if the peer is gone or this side was shut down for writing
    /// (never a signal), [`io::ErrorKind::ConnectionReset`], and other errors of the network.
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
    #[inline]
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send_with(cx, buffers, NO_SIGNAL)
    }

    #[inline]
    pub(super) fn poll_send_with(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
        flags: SendFlags,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_with(cx, |socket| Ok(send(socket, buffers, flags)?))
    }

    /// Sends a piece of a file, at most 2 MiB, without reading the file on this thread: see
    /// [`FilePart`].
    ///
    /// Returns the number of bytes sent, and 0 if the part is complete. If the socket has no room
    /// or the file is not in memory yet, the task of `cx` is woken when sending can continue. One
    /// task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// Those of [`poll_send`](Self::poll_send); [`io::ErrorKind::UnexpectedEof`] if the file is
    /// shorter than the part; and errors of the disk.
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
        part.poll_send(cx, &self.0, |cx, bytes| self.poll_send(cx, &[IoSlice::new(bytes)]))
    }

    /// Waits for the peer to close the connection, without reading, even if bytes are unread.
    ///
    /// The task takes the place of a reader: one task at a time either reads or waits here. After
    /// [`PeerClosed::Finished`], the task is woken once more if the connection then breaks, and a
    /// further call returns [`PeerClosed::Reset`].
    ///
    /// This holds on Linux. Other systems report an end of the stream that follows unread bytes
    /// only once the bytes are read, and report nothing after the first end.
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
        // A socket that cannot be watched is as useless as a broken one.
        self.0.poll_peer_closed(cx).map(|closed| closed.unwrap_or(PeerClosed::Reset))
    }

    /// Shuts the connection down for reading, for writing, or both. After a shutdown for writing,
    /// the peer reads the end of the stream.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if the connection is broken already.
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
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(rustix::net::shutdown(&self.0, how)?)
    }
}

impl<S: AsFd + Into<Self>> From<SocketStream<S>> for OwnedFd {
    /// Returns the descriptor, which stays non-blocking.
    fn from(stream: SocketStream<S>) -> Self {
        stream.0.into_inner().into()
    }
}

impl<S: AsFd> AsFd for SocketStream<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[inline]
fn send(socket: impl AsFd, buffers: &[IoSlice<'_>], flags: SendFlags) -> Result<usize, Errno> {
    match buffers {
        [] => Ok(0),
        [buffer] => rustix::net::send(socket, buffer, flags),
        _ => {
            let buffers = &buffers[..buffers.len().min(MOST_BUFFERS)];
            rustix::net::sendmsg(socket, buffers, &mut SendAncillaryBuffer::default(), flags)
        }
    }
}

/// Returns how an attempt to connect ended; [`io::ErrorKind::WouldBlock`] if it is still pending.
fn connection_result(socket: &impl AsFd) -> io::Result<()> {
    rustix::net::sockopt::socket_error(socket)??;
    match rustix::net::getpeername(socket) {
        Ok(_) => Ok(()),
        Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}
