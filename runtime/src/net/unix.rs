//! Unix domain sockets: connections within the machine, named by a path.

use std::io;
use std::path::Path;

use rustix::net::{AddressFamily, SocketAddrUnix};

use super::stream::SocketStream;
use super::stream_traits;

mod listener;

pub use listener::UnixListener;

/// A connection over a Unix domain socket. [`SocketStream`] has the methods that it shares with a
/// TCP connection.
///
/// # Examples
///
/// See [`SocketStream`].
pub type UnixStream = SocketStream<std::os::unix::net::UnixStream>;

impl UnixStream {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if the path does not exist,
    /// [`io::ErrorKind::ConnectionRefused`] if no process listens, and
    /// [`io::ErrorKind::WouldBlock`] if the queue of the listener is full: the kernel does not
    /// report when it has room again.
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
        Self::connect_to(AddressFamily::UNIX, &address).await
    }

    /// Makes two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Fails if the process or the system has too many open files.
    ///
    /// # Examples
    ///
    /// See [`SocketStream`].
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((Self::try_from(one)?, Self::try_from(other)?))
    }
}

stream_traits!(UnixStream);

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    /// Takes a connection of the standard library and makes it non-blocking.
    #[track_caller]
    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::from_nonblocking(stream))
    }
}
