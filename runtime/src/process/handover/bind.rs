//! Binding, for users: what was handed over to this process is taken first.

use std::io;

use crate::net::{BindAddress, BindOptions, Sockets};

use crate::process::handover::inherited;

/// Binds `address` and listens on it, with the defaults of [`BindOptions`].
///
/// # Errors
///
/// As [`BindOptions::bind_sockets`].
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
    /// - A port means IPv4 and IPv6, each with a socket of its own; IPv4 only where the machine
    ///   has no IPv6. Port 0 is one free port, the same for both.
    /// - The file of a Unix socket on which nobody listens any more is replaced; it stays when
    ///   the server ends. A file that is no socket is never touched.
    /// - From here on connections are accepted by the system and wait.
    /// - A socket of this address that was handed over to the process is taken instead of a new
    ///   one: by systemd (`ListenStream=` in a socket unit), or by the server whose place this
    ///   one takes. All workers share a socket of systemd, which has it open, too, so that
    ///   nothing that waits in it is lost when the server is started anew.
    ///
    /// May block while a name is looked up.
    ///
    /// # Errors
    ///
    /// Each names the address. [`AddrInUse`](io::ErrorKind::AddrInUse): somebody listens there
    /// already. [`AlreadyExists`](io::ErrorKind::AlreadyExists): a file that is no socket is in
    /// the way. [`InvalidInput`](io::ErrorKind::InvalidInput): the text is no address. Otherwise
    /// what the system says, such as [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a
    /// port below 1024.
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
