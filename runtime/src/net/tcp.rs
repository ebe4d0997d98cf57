//! TCP over IPv4 and IPv6.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{AddressFamily, sockopt};

use super::stream::SocketStream;
use super::system::{MORE, NO_SIGNAL, reset_at_once};
use super::{resolve, stream_traits};

mod listener;

pub use listener::TcpListener;

/// A TCP connection. [`SocketStream`] has the methods that it shares with a Unix socket.
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
pub type TcpStream = SocketStream<std::net::TcpStream>;

impl TcpStream {
    /// Connects to `address`.
    ///
    /// Only the kernel limits how long this takes, which is minutes: use
    /// [`timeout`](crate::timeout).
    ///
    /// # Errors
    ///
    /// The error of the attempt, such as [`io::ErrorKind::ConnectionRefused`].
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
        Self::connect_to(family, &address).await
    }

    /// Connects to a host by name or by the text of its address. Tries the addresses of a name in
    /// turn until one accepts.
    ///
    /// # Errors
    ///
    /// Fails if the name is unknown. If all addresses fail, returns the error of the last one.
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

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if the connection is broken.
    ///
    /// # Examples
    ///
    /// See [`connect`](Self::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// Returns the address of this side.
    ///
    /// # Errors
    ///
    /// Fails if the kernel does.
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
        self.get_ref().local_addr()
    }

    /// Sets whether the kernel sends small pieces at once (`TCP_NODELAY`).
    ///
    /// With `false`, the kernel's default, it holds them back until the peer has acknowledged
    /// earlier data. An accepted connection inherits the setting of its listener.
    ///
    /// # Errors
    ///
    /// Fails if the kernel does.
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
        self.get_ref().set_nodelay(nodelay)
    }

    /// Like [`poll_send`](Self::poll_send), for data that more will follow at once (`MSG_MORE`).
    ///
    /// On Linux, a packet then leaves when it is full, and after 200 ms at the latest. Elsewhere
    /// this is `poll_send`.
    ///
    /// # Errors
    ///
    /// Those of [`poll_send`](Self::poll_send).
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
        self.poll_send_with(cx, buffers, NO_SIGNAL | MORE)
    }

    /// Resets the connection. Data in flight may be lost, and the peer gets
    /// [`io::ErrorKind::ConnectionReset`], so it cannot mistake this for the end of the stream.
    ///
    /// Linux resets at once; other systems when the stream is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the kernel does.
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
        // Makes closing the socket a reset, even if it cannot be reset earlier.
        sockopt::set_socket_linger(self, Some(Duration::ZERO))?;
        reset_at_once(self)
    }
}

stream_traits!(TcpStream);

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// Takes a connection of the standard library and makes it non-blocking.
    #[track_caller]
    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::from_nonblocking(stream))
    }
}
