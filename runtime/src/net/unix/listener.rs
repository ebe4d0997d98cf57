use std::future::poll_fn;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll, ready};

use rustix::net::SocketAddrAny;

use super::UnixStream;
use crate::net::socket::{ListeningSocket, Socket};

/// The length of an address that has no name: that of the family alone.
const UNNAMED: usize = offset_of!(nix::libc::sockaddr_un, sun_path);

/// A socket that accepts connections at a path.
///
/// Dropping it leaves the file at the path in place, as it may have been replaced meanwhile.
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
pub struct UnixListener(
    ListeningSocket<std::os::unix::net::UnixListener>,
    /// The service manager has it open, too.
    bool,
);

impl UnixListener {
    /// Listens at `path`, where nothing may exist yet.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if the path exists, be it left over from a process that
    /// is gone, and the errors of making a file.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::try_from(std::os::unix::net::UnixListener::bind(path)?)
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
    /// See [`UnixListener`].
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Says whether others than this server have the socket.
    pub(in crate::net) fn with_shared(self, shared: bool) -> Self {
        Self(self.0, shared)
    }

    pub(in crate::net) fn is_shared(&self) -> bool {
        self.1
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

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// What the system reports.
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

fn accepted(
    (socket, address): (OwnedFd, Option<SocketAddrAny>),
) -> io::Result<(UnixStream, SocketAddr)> {
    let stream = std::os::unix::net::UnixStream::from(socket);
    // Clients are unnamed as a rule, which is told by the length. For the others the standard
    // library is asked: `rustix` panics at a name of the greatest length.
    let named = address.is_some_and(|address| address.addr_len() as usize > UNNAMED);
    let address = if named { stream.peer_addr() } else { SocketAddr::from_pathname("") };
    let address = address.or_else(|_gone| SocketAddr::from_pathname(""))?;
    Ok((UnixStream(Socket::new(stream)), address))
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// Takes a listener of the standard library over and makes it non-blocking.
    #[track_caller]
    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(Self(ListeningSocket::new(listener)?, false))
    }
}

impl From<UnixListener> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(listener: UnixListener) -> Self {
        listener.0.into_inner().into()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
