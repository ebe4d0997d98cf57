//! A listener, as servers use it.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;

use socket2::Socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::{SockFilter, SockRef};

use super::super::{TcpListener, UnixListener};

/// Whether the kernel spreads connections over the sockets of a port.
pub(super) const SPREADS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A listening socket of this process.
///
/// # Examples
///
/// See [`Sockets`](super::Sockets).
#[derive(Debug)]
pub enum Listener {
    /// Accepts TCP connections.
    Tcp(TcpListener),
    /// Accepts connections of a Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Returns whether all workers accept from this one socket, so that any of them gets a
    /// connection. This is so for a Unix socket and for a socket of systemd. It is so for every
    /// socket on systems that do not spread connections.
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

    /// Waits until a connection is in the queue, and leaves it there.
    ///
    /// # Errors
    ///
    /// Fails if the socket cannot be registered with the loop.
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

    /// Drops incoming SYNs in the kernel until [`stop_listening`](Self::stop_listening). Clients
    /// retransmit after a second. They are then refused, or reach the server that listens by then.
    /// Handshakes in progress complete.
    ///
    /// Without this, a client that connects between the last [`accept`](TcpListener::accept) and
    /// `stop_listening` is reset.
    ///
    /// Returns whether the kernel does this. It does for TCP on Linux, unless other workers use the
    /// [same](Self::is_shared) socket. Otherwise see [`refuse_newcomers`](Self::refuse_newcomers).
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

    /// Makes the kernel refuse clients from now on, in all processes of the server and for good.
    /// This is for the [shutdown](crate::process::is_stopping) of the whole server. Clients in the
    /// queue can still be accepted.
    ///
    /// Returns whether the kernel does this. It does for a Unix socket on Linux, unless the service
    /// manager has it open, too.
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
            // This does not fail for a socket that listens.
            Self::Unix(listener) => {
                SPREADS
                    && !listener.is_shared()
                    && rustix::net::shutdown(listener, rustix::net::Shutdown::Both).is_ok()
            }
        }
    }

    /// Makes the kernel refuse further clients or, in a worker, send them to the other workers.
    ///
    /// Dropping the listener is not enough in a worker, because the supervisor keeps the socket
    /// open for a replacement, which listens on it again. Accept the connections in the queue
    /// first. They are lost otherwise.
    ///
    /// A socket that the workers share, such as a Unix socket, keeps listening for the others.
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
    ///             // Accept the clients whose handshake has begun.
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
            // This fails if it was done before.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
    }
}

/// Makes the socket drop each packet with SYN, using a program for the kernel's packet filter. For
/// that program, a packet begins with the TCP header.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ignore_newcomers(listener: &TcpListener) -> bool {
    /// The offset of the flags in the header, and the flag SYN (RFC 9293 §3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    let program = [
        // The codes are in linux/filter.h and linux/bpf_common.h.
        SockFilter::new(0x30, 0, 0, FLAGS), // ld: load the flags
        SockFilter::new(0x45, 0, 1, SYN),   // jset: skip one instruction unless SYN is set
        SockFilter::new(0x06, 0, 0, 0),     // ret: drop the packet
        SockFilter::new(0x06, 0, 0, u32::MAX), // ret: keep the packet
    ];
    SockRef::from(&listener.as_fd()).attach_filter(&program).is_ok()
}

/// Undoes [`ignore_newcomers`], which an earlier worker of the slot may have called.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn welcome_newcomers(socket: &Socket) {
    // This fails if there is no filter.
    let _ = socket.detach_filter();
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn welcome_newcomers(_socket: &Socket) {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn ignore_newcomers(_listener: &TcpListener) -> bool {
    false
}
