//! Binds an address, or takes the socket of this address that the process has inherited.

use std::io;

use crate::net::{BindAddress, BindOptions, Sockets};

use crate::process::handover::inherited;

/// Binds `address` and listens on it, with the defaults of [`BindOptions`].
///
/// # Errors
///
/// Like [`BindOptions::bind_sockets`].
///
/// # Examples
///
/// ```
/// let sockets = squall_runtime::bind_sockets(0)?;
/// let addresses = sockets.local_addrs();
/// assert!(addresses[0].is_ipv4() && addresses[0].port() != 0);
/// # std::io::Result::Ok(())
/// ```
pub fn bind_sockets(address: impl Into<BindAddress>) -> io::Result<Sockets> {
    BindOptions::new().bind_sockets(address)
}

impl BindOptions {
    /// Binds `address` and listens on it.
    ///
    /// - A port means IPv4 and IPv6, with a socket each; only IPv4 if the machine has no IPv6. Port
    ///   0 is one free port, the same for both.
    /// - The file of a Unix socket on which no process listens is replaced. It stays when the
    ///   server ends. A file that is not a socket is never touched.
    /// - From now on the kernel accepts connections, which wait in a queue.
    /// - A socket of this address that the process has inherited is taken instead of a new one:
    ///   from systemd (`ListenStream=` in a socket unit), or from the server that this one
    ///   replaces. All workers share a socket of systemd. Systemd keeps it open as well, so no
    ///   client in its queue is lost when the server restarts.
    ///
    /// May block while a name is looked up.
    ///
    /// # Errors
    ///
    /// Each error names the address. [`AddrInUse`](io::ErrorKind::AddrInUse): another process
    /// listens there. [`AlreadyExists`](io::ErrorKind::AlreadyExists): a file that is not a socket
    /// has this path. [`InvalidInput`](io::ErrorKind::InvalidInput): the text is not an address.
    /// Otherwise the error of the kernel, such as
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a port below 1024.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use squall_runtime::BindOptions;
    ///
    /// let sockets = BindOptions::new().bind_sockets("127.0.0.1:0")?;
    /// let port = sockets.local_addrs()[0].port();
    /// let error = BindOptions::new().bind_sockets(port).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::AddrInUse);
    /// assert!(error.to_string().contains(&port.to_string()));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind_sockets(&self, address: impl Into<BindAddress>) -> io::Result<Sockets> {
        let address = address.into();
        inherited::with_unbound(|handed| self.bind(address, handed))?
    }
}
