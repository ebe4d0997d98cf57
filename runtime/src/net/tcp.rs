//! TCP over IPv4 and IPv6.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{AddressFamily, sockopt};

use super::socket::Socket;
use super::{FilePart, resolve, stream_traits};
use crate::fd::PeerClosed;

mod listener;

pub use listener::TcpListener;

/// A TCP connection.
///
/// It reads and writes by [`AsyncRead`](futures_lite::AsyncRead) and
/// [`AsyncWrite`](futures_lite::AsyncWrite), which references to it implement as well, so that
/// one task can read while another writes. Dropping it closes the connection.
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use squall_runtime::{IOLoop, TcpListener, TcpStream};
///
/// IOLoop::current().run_sync(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _address) = listener.accept().await?;
///
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
pub struct TcpStream(Socket<std::net::TcpStream>);

impl TcpStream {
    /// Connects to `address`.
    ///
    /// There is no limit of time but the system's, which is minutes: see
    /// [`timeout`](crate::timeout).
    ///
    /// # Errors
    ///
    /// What the attempt ended with, such as [`io::ErrorKind::ConnectionRefused`].
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        Ok(Self(Socket::connect(family, &address).await?))
    }

    /// Connects to a host by its name or the text of its address: resolves it and tries what
    /// was found in turn, until one answers.
    ///
    /// # Errors
    ///
    /// If the name is unknown, or the error of the last attempt if all failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let port = listener.local_addr()?.port();
    ///     let stream = TcpStream::connect_host("localhost", port).await?;
    ///     assert_eq!(stream.peer_addr()?.port(), port);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn connect_host(host: &str, port: u16) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in resolve(host, port).await? {
            match Self::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if the connection is broken.
    ///
    /// # Examples
    ///
    /// See [`connect`](Self::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// What the system reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_server, address) = listener.accept().await?;
    ///     assert_eq!(client.local_addr()?, address);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// Whether small pieces are sent at once (`TCP_NODELAY`), or held back until the other
    /// side has confirmed what it was sent before, which is the system's default.
    ///
    /// A connection accepted has what its listener was set to.
    ///
    /// # Errors
    ///
    /// What the system reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     stream.set_nodelay(true)
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.get_ref().set_nodelay(nodelay)
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
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
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
    /// [`io::ErrorKind::ConnectionReset`] if the other side broke off, and other errors of
    /// the network.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
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
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
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
    /// [`io::ErrorKind::BrokenPipe`] if the connection is broken or was shut down for writing
    /// (never a signal), [`io::ErrorKind::ConnectionReset`], and other errors of the network.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
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
        self.0.poll_send(cx, buffers)
    }

    /// As [`poll_send`](Self::poll_send), of what more will follow at once: on Linux a packet then
    /// leaves when it is full, and after 200 ms in any case.
    ///
    /// # Errors
    ///
    /// As [`poll_send`](Self::poll_send).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use futures_lite::AsyncReadExt;
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
    ///     poll_fn(|cx| server.poll_send_more(cx, &[IoSlice::new(b"head")])).await?;
    ///     poll_fn(|cx| server.poll_send(cx, &[IoSlice::new(b"body")])).await?;
    ///     drop(server);
    ///     let mut text = String::new();
    ///     client.read_to_string(&mut text).await?;
    ///     assert_eq!(text, "headbody");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_send_more(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_more(cx, buffers)
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
    /// use squall_runtime::{FilePart, IOLoop, RegularFile, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
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
    /// use squall_runtime::{IOLoop, PeerClosed, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _address) = listener.accept().await?;
    ///     drop(client);
    ///     assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Finished);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        self.0.poll_peer_closed(cx)
    }

    /// Shuts the connection down for reading, for writing (the other side then reads the end
    /// of the stream), or both.
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
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut server, _address) = listener.accept().await?;
    ///     client.shutdown(Shutdown::Write)?;
    ///     assert_eq!(server.read(&mut [0; 16]).await?, 0);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// Breaks the connection off: what is under way may be lost, and the other side gets
    /// [`io::ErrorKind::ConnectionReset`], so that it cannot take this for the end of the
    /// stream.
    ///
    /// At once on Linux; elsewhere when the stream is dropped.
    ///
    /// # Errors
    ///
    /// What the system reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use futures_lite::AsyncReadExt;
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut server, _address) = listener.accept().await?;
    ///     client.reset()?;
    ///     drop(client);
    ///     let error = server.read(&mut [0; 16]).await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn reset(&self) -> io::Result<()> {
        // Closing it is to be a reset, whether or not that can be done sooner.
        sockopt::set_socket_linger(&self.0, Some(Duration::ZERO))?;
        reset_at_once(&self.0)
    }
}

#[cfg(target_os = "linux")]
fn reset_at_once(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(socket)?)
}

#[cfg(not(target_os = "linux"))]
fn reset_at_once(_: impl AsFd) -> io::Result<()> {
    Ok(())
}

stream_traits!(TcpStream);

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// Takes a connection of the standard library over and makes it non-blocking.
    #[track_caller]
    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(Socket::new(stream)))
    }
}

impl From<TcpStream> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(stream: TcpStream) -> Self {
        stream.0.into_inner().into()
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
