//! Sockets that accept connections at a path.

use std::future::poll_fn;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll, ready};

use super::UnixStream;
use crate::net::accept::{Accepted, ListeningSocket};

/// The length of an address without a name: it consists of the family alone.
const UNNAMED: usize = offset_of!(nix::libc::sockaddr_un, sun_path);

/// A socket that accepts connections at a path.
///
/// Dropping it leaves the file at the path in place, because another server may have replaced it.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("squall-{}-listener.sock", std::process::id()));
/// IOLoop::current().run_sync(async {
///     let listener = UnixListener::bind(&path)?;
///     let _client = UnixStream::connect(&path).await?;
///     let (_server, address) = listener.accept().await?;
///     assert!(address.is_unnamed(), "clients seldom bind a path");
///     std::fs::remove_file(&path)
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UnixListener(ListeningSocket<std::os::unix::net::UnixListener>);

impl UnixListener {
    /// Listens at `path`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if the path exists, even if its process is gone; and the errors
    /// of creating a file.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::try_from(std::os::unix::net::UnixListener::bind(path)?)
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
    /// See [`UnixListener`].
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Sets whether the service manager has the socket open, too.
    pub(in crate::net) fn with_shared(self, is_shared: bool) -> Self {
        Self(self.0.with_shared(is_shared))
    }

    pub(in crate::net) fn is_shared(&self) -> bool {
        self.0.is_shared()
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
    /// use squall_runtime::{IOLoop, UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("squall-{}-poll.sock", std::process::id()));
    /// IOLoop::current().run_sync(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     let _client = UnixStream::connect(&path).await?;
    ///     let (_server, _address) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    ///     std::fs::remove_file(&path)
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        Poll::Ready(accepted(ready!(self.0.poll_accept(cx))?))
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
    /// use squall_runtime::{IOLoop, UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("squall-{}-try.sock", std::process::id()));
    /// IOLoop::current().run_sync(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     assert!(listener.try_accept()?.is_none());
    ///     let _client = UnixStream::connect(&path).await?;
    ///     assert!(listener.try_accept()?.is_some());
    ///     std::fs::remove_file(&path)
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn try_accept(&self) -> io::Result<Option<(UnixStream, SocketAddr)>> {
        self.0.try_accept()?.map(accepted).transpose()
    }

    /// Returns the address on which it listens.
    ///
    /// # Errors
    ///
    /// Fails if the kernel does.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::UnixListener;
    ///
    /// let path = std::env::temp_dir().join(format!("squall-{}-addr.sock", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_path()));
    /// std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

fn accepted(Accepted { socket, address }: Accepted) -> io::Result<(UnixStream, SocketAddr)> {
    let stream = std::os::unix::net::UnixStream::from(socket);
    // Most clients have no name, which the length shows. The standard library reads the other
    // names, because `rustix` panics at a name of the greatest length.
    let named = address.is_some_and(|address| address.addr_len() as usize > UNNAMED);
    let address = if named { stream.peer_addr() } else { SocketAddr::from_pathname("") };
    let address = address.or_else(|_gone| SocketAddr::from_pathname(""))?;
    Ok((UnixStream::from_nonblocking(stream), address))
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// Takes a listener of the standard library and makes it non-blocking.
    #[track_caller]
    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(Self(ListeningSocket::new(listener)?))
    }
}

impl From<UnixListener> for OwnedFd {
    /// Returns the descriptor, which stays non-blocking.
    fn from(listener: UnixListener) -> Self {
        listener.0.into_inner().into()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
