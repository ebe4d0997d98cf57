//! A listener, as those use it who accept.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;

use socket2::Socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::{SockFilter, SockRef};

use super::super::{TcpListener, UnixListener};

/// Whether the system spreads connections over the sockets of a port.
pub(super) const SPREADS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A listening socket of this process.
///
/// # Examples
///
/// See [`Sockets`](super::Sockets).
#[derive(Debug)]
pub enum Listener {
    /// Takes TCP connections.
    Tcp(TcpListener),
    /// Takes the connections of a Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Whether all workers accept from this one socket, so that any of them gets a connection:
    /// a Unix socket is, and one of systemd, and all are where the system does not spread
    /// connections over several.
    ///
    /// # Examples
    ///
    /// ```
    /// let listeners = squall_runtime::bind_sockets("127.0.0.1:0")?.into_listeners()?;
    /// assert_eq!(listeners[0].is_shared(), !cfg!(target_os = "linux"));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.is_shared() || !SPREADS,
            Self::Unix(_) => true,
        }
    }

    /// Waits until a connection is there, and leaves it.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpStream, bind_sockets};
    ///
    /// let sockets = bind_sockets("127.0.0.1:0")?;
    /// let address = sockets.local_addrs()[0];
    /// IOLoop::current().run_sync(async {
    ///     let listeners = sockets.into_listeners()?;
    ///     let _client = TcpStream::connect(address).await?;
    ///     listeners[0].readable().await
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.readable().await,
            Self::Unix(listener) => listener.readable().await,
        }
    }

    /// Has the system take no notice of clients that begin to connect, until
    /// [`stop_listening`](Self::stop_listening). They try again after a second, and are refused
    /// then, or reach who listens there by that time. Who has begun before goes on to be connected.
    ///
    /// Without this, a client that connects between the last [`accept`](TcpListener::accept) and
    /// the end of listening is reset.
    ///
    /// Returns whether that is done: for TCP, on Linux, unless others use the
    /// [same](Self::is_shared) socket. For the others, see
    /// [`refuse_newcomers`](Self::refuse_newcomers).
    ///
    /// # Examples
    ///
    /// See [`stop_listening`](Self::stop_listening).
    #[must_use]
    pub fn hold_off(&self) -> bool {
        match self {
            Self::Tcp(listener) => !self.is_shared() && ignore_newcomers(listener),
            Self::Unix(_) => false,
        }
    }

    /// Has the system refuse clients from now on, in all processes of the server, and for good: where
    /// the whole server [ends](crate::process::is_stopping). Who has connected before can still be
    /// accepted.
    ///
    /// Returns whether that is done: for a Unix socket, on Linux, unless the service manager has it
    /// as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    ///
    /// use squall_runtime::{Listener, bind_sockets};
    ///
    /// let path = std::env::temp_dir().join(format!("squall-{}-refuse.sock", std::process::id()));
    /// for listener in bind_sockets(path.clone())?.into_listeners()? {
    ///     let _client = UnixStream::connect(&path)?;
    ///     assert_eq!(listener.refuse_newcomers(), cfg!(target_os = "linux"));
    ///     assert_eq!(UnixStream::connect(&path).is_err(), cfg!(target_os = "linux"));
    ///     let Listener::Unix(listener) = listener else { unreachable!("a path was bound") };
    ///     assert!(listener.try_accept()?.is_some());
    /// }
    /// std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn refuse_newcomers(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            // It fails for no socket that listens.
            Self::Unix(listener) => {
                SPREADS
                    && !listener.is_shared()
                    && rustix::net::shutdown(listener, rustix::net::Shutdown::Both).is_ok()
            }
        }
    }

    /// Has the system refuse further clients, or, in a worker, send them to the other workers.
    ///
    /// Dropping the listener is not enough in a worker: the supervisor keeps the socket open for
    /// the one that may take the worker's place, which listens on it again. Connections that
    /// nobody has accepted are lost, so that one should accept them before.
    ///
    /// A socket that the workers share, such as a Unix socket, is left to the others.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{IOLoop, TcpStream, bind_sockets};
    ///
    /// let sockets = bind_sockets("127.0.0.1:0")?;
    /// let address = sockets.local_addrs()[0];
    /// IOLoop::current().run_sync(async {
    ///     for listener in sockets.into_listeners()? {
    ///         if listener.hold_off() {
    ///             // Here, those are accepted that have begun to connect.
    ///         }
    ///         listener.stop_listening();
    ///     }
    ///     let error = TcpStream::connect(address).await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn stop_listening(&self) {
        if let Self::Tcp(listener) = self
            && !self.is_shared()
        {
            // It fails if that was done before.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
    }
}

/// Has the socket drop each packet that asks for a connection: a program of the system's packet
/// filter, to which a packet begins with the TCP header.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ignore_newcomers(listener: &TcpListener) -> bool {
    /// Where the flags lie, and the one of those that ask (RFC 9293 §3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    let program = [
        // What they mean: linux/filter.h, linux/bpf_common.h.
        SockFilter::new(0x30, 0, 0, FLAGS), // ld: the byte there
        SockFilter::new(0x45, 0, 1, SYN),   // jset: if none of the bits, skip one
        SockFilter::new(0x06, 0, 0, 0),     // ret: keep nothing
        SockFilter::new(0x06, 0, 0, u32::MAX), // ret: keep all
    ];
    SockRef::from(&listener.as_fd()).attach_filter(&program).is_ok()
}

/// Undoes that: whoever has listened on the socket before may have wanted to end.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn welcome_newcomers(socket: &Socket) {
    // It fails where there is no filter.
    let _ = socket.detach_filter();
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn welcome_newcomers(_socket: &Socket) {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn ignore_newcomers(_listener: &TcpListener) -> bool {
    false
}
