use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::net::{SocketAddrAny, sockopt};

use super::TcpStream;
use crate::net::socket::{ListeningSocket, Socket};

/// A socket that accepts TCP connections.
///
/// # Examples
///
/// ```
/// use futures_lite::AsyncWriteExt;
/// use squall_runtime::{IOLoop, TcpListener, TcpStream};
///
/// async fn greet(listener: TcpListener) -> std::io::Result<()> {
///     loop {
///         let (mut stream, _address) = listener.accept().await?;
///         IOLoop::current().spawn_callback(async move {
///             let _ = stream.write_all(b"hello").await;
///         });
///     }
/// }
///
/// let io_loop = IOLoop::current();
/// io_loop.run_sync(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let address = listener.local_addr()?;
///     let _server = IOLoop::current().spawn(greet(listener));
///
///     let mut client = TcpStream::connect(address).await?;
///     let mut text = String::new();
///     futures_lite::AsyncReadExt::read_to_string(&mut client, &mut text).await?;
///     assert_eq!(text, "hello");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct TcpListener(ListeningSocket<std::net::TcpListener>, Shared);

/// Whether other processes accept connections from the same socket.
type Shared = bool;

impl TcpListener {
    /// Listens on `address`; port 0 takes a free one. Connections accepted send at once
    /// (`TCP_NODELAY`).
    ///
    /// For one socket per process, both versions of the protocol and further settings, see
    /// [`bind_sockets`](crate::bind_sockets).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::PermissionDenied`] and the like.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        sockopt::set_tcp_nodelay(&listener, true)?;
        Self::try_from(listener)
    }

    /// Says whether others accept connections from the same socket.
    pub(in crate::net) fn with_shared(self, shared: bool) -> Self {
        Self(self.0, shared)
    }

    pub(in crate::net) fn is_shared(&self) -> bool {
        self.1
    }

    /// Waits for a connection and takes it; returns it with the address of the other side.
    ///
    /// # Errors
    ///
    /// Those of the system or the process, not of a connection, above all too many open
    /// files. The connection then stays in the queue: whoever calls again should wait before,
    /// as the next call most likely fails as well.
    ///
    /// # Examples
    ///
    /// See [`TcpListener`].
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Waits until a connection is there, and leaves it.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// As [`accept`](Self::accept); one task at a time can wait.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_server, address) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    ///     assert_eq!(client.local_addr()?, address);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(accepted) = accepted(ready!(self.0.poll_accept(cx))?) {
                return Poll::Ready(Ok(accepted));
            }
        }
    }

    /// Takes a connection that waits to be accepted. `None`: there is none, which the system was
    /// asked for. The others wait for the loop to hear of one.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpListener, TcpStream};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     assert!(listener.try_accept()?.is_none());
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_server, address) = listener.accept().await?;
    ///     assert_eq!(client.local_addr()?, address);
    ///     assert!(listener.try_accept()?.is_none());
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn try_accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        while let Some(next) = self.0.try_accept()? {
            if let Some(accepted) = accepted(next) {
                return Ok(Some(accepted));
            }
        }
        Ok(None)
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// What the system reports.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

/// Some systems hand out a connection that is broken already, without an address: that is none.
fn accepted(
    (socket, address): (OwnedFd, Option<SocketAddrAny>),
) -> Option<(TcpStream, SocketAddr)> {
    let address = address.and_then(|address| SocketAddr::try_from(address).ok())?;
    Some((TcpStream(Socket::new(socket.into())), address))
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// Takes a listener of the standard library over and makes it non-blocking.
    #[track_caller]
    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self(ListeningSocket::new(listener)?, false))
    }
}

impl From<TcpListener> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(listener: TcpListener) -> Self {
        listener.0.into_inner().into()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
