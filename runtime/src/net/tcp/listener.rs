//! Sockets that accept TCP connections.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::net::sockopt;

use super::TcpStream;
use crate::net::accept::{Accepted, ListeningSocket};

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
pub struct TcpListener(ListeningSocket<std::net::TcpListener>);

impl TcpListener {
    /// Listens on `address`. Port 0 makes the kernel choose a free port. Accepted connections send
    /// small pieces at once (`TCP_NODELAY`).
    ///
    /// See [`bind_sockets`](crate::bind_sockets) for one socket per process, for IPv4 and IPv6
    /// together, and for further settings.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::PermissionDenied`] and others.
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

    /// Sets whether other processes accept connections from the same socket.
    pub(in crate::net) fn with_shared(self, is_shared: bool) -> Self {
        Self(self.0.with_shared(is_shared))
    }

    pub(in crate::net) fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// Waits for a connection and accepts it. Returns it with the address of the peer.
    ///
    /// # Errors
    ///
    /// Errors of the process or the system, above all too many open files, but no errors of a
    /// connection. The connection stays in the queue. Wait a while before you call again, because
    /// the next call most likely fails, too.
    ///
    /// # Examples
    ///
    /// See [`TcpListener`].
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Waits until a connection is in the queue, and leaves it there.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Like [`accept`](Self::accept), as a poll function. One task at a time can wait.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](Self::accept).
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

    /// Accepts a connection if one is in the queue, and returns `None` otherwise. This makes a
    /// system call each time and waits for no event.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](Self::accept).
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

    /// Returns the address on which it listens.
    ///
    /// # Errors
    ///
    /// Fails if the kernel does.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

/// Returns `None` for a connection that is broken already: some systems return those, without an
/// address.
fn accepted(Accepted { socket, address }: Accepted) -> Option<(TcpStream, SocketAddr)> {
    let address = address.and_then(|address| SocketAddr::try_from(address).ok())?;
    Some((TcpStream::from_nonblocking(socket.into()), address))
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// Takes a listener of the standard library and makes it non-blocking.
    #[track_caller]
    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self(ListeningSocket::new(listener)?))
    }
}

impl From<TcpListener> for OwnedFd {
    /// Returns the descriptor, which stays non-blocking.
    fn from(listener: TcpListener) -> Self {
        listener.0.into_inner().into()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
