//! Binding: from what users write to sockets that listen.
//!
//! A socket is bound before the process forks and listened on in each worker after it:
//! `slots` says how one address becomes a listener per worker. What was bound before the program
//! began is `handed` over by the layer above.

mod address;
mod adoption;
mod bound;
mod handed;
mod listener;
mod slots;
mod tcp;
mod unix;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

pub use address::BindAddress;
pub use adoption::{Adoption, Adoptions};
pub(crate) use adoption::{serves_adopted, set_adopted};
pub(crate) use handed::{Handed, Traits};
pub use listener::Listener;
pub(crate) use slots::Slots;
pub use slots::Sockets;
pub(crate) use slots::sockets_taken;

use bound::Bound;
use tcp::Inherited;

/// How many connections may wait in a listener's queue: each worker has a queue of its own.
///
/// The system cuts this to its own limit (`net.core.somaxconn` on Linux, 4096 since 5.4), so a
/// lower number here would only refuse what the system is ready to hold: a worker that is being
/// replaced, or one long turn of the loop, needs the room.
const BACKLOG: i32 = 4096;

/// How much the system takes for a client beyond what it can send at once.
const NOTSENT_LOWAT: u32 = 128 * 1024;

/// How many seconds a connection may be silent before it is probed, as Linux limits it.
const KEEP_ALIVE: RangeInclusive<u64> = 1..=32_767;

/// Who may connect to a Unix socket: the owner. A server trusts what a proxy tells it about the
/// client, so that not just anybody on the machine may play the proxy.
const UNIX_MODE: u32 = 0o600;

/// How often to look for a port that is free in both families. One failure is rare already:
/// somebody must hold the port in one family only.
const PORT_TRIES: usize = 10;

/// How to bind, where the defaults will not do.
///
/// # Examples
///
/// A Unix socket that a proxy of the same group may connect to:
///
/// ```
/// use squall_runtime::BindOptions;
///
/// # let path = std::env::temp_dir().join(format!("squall-doc-{}.sock", std::process::id()));
/// let sockets = BindOptions::new().unix_mode(0o660).bind_sockets(path.as_path())?;
/// # std::fs::remove_file(path)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct BindOptions {
    backlog: i32,
    reuse_port: bool,
    inherited: Inherited,
    unix_mode: u32,
}

impl BindOptions {
    /// The defaults: a backlog of 4096, no port shared, small packets sent at once and no
    /// probes on accepted connections, Unix sockets for their owner only.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// // The same as `bind_sockets(0)`.
    /// let sockets = BindOptions::new().bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let inherited = Inherited {
            nodelay: true,
            keep_alive: None,
            notsent_lowat: Some(NOTSENT_LOWAT),
            send_buffer_size: None,
        };
        Self { backlog: BACKLOG, reuse_port: false, inherited, unix_mode: UNIX_MODE }
    }

    /// Sets how many connections may wait to be accepted, per listener and so per worker.
    /// Default 4096; the system cuts it to its own limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// // Behind a proxy that should hear soon of a server that cannot keep up.
    /// let sockets = BindOptions::new().backlog(64).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = i32::try_from(connections).unwrap_or(i32::MAX);
        self
    }

    /// Lets other processes of this user listen on the same port (`SO_REUSEPORT`); the system
    /// spreads the connections over all of them. Default `false`: a port that is taken is an
    /// error.
    ///
    /// [`fork_processes`](crate::process::fork_processes) does not need this for its workers to
    /// share a port. It is for servers that are started separately.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// let shared = BindOptions::new().reuse_port(true);
    /// let one = shared.bind_sockets("127.0.0.1:0")?;
    /// let another = shared.bind_sockets(one.local_addrs()[0])?;
    /// assert_eq!(one.local_addrs(), another.local_addrs());
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Sets whether what is written to an accepted TCP connection leaves at once
    /// (`TCP_NODELAY`) rather than waiting for more to fill a packet. Default `true`.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// let sockets = BindOptions::new().nodelay(false).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.inherited.nodelay = nodelay;
        self
    }

    /// Has the system probe an accepted TCP connection on which nothing has come for `idle`
    /// (`SO_KEEPALIVE`), so that one whose client has vanished without a word ends in an error.
    /// Default `None`: no probes. In whole seconds; fractions are dropped.
    ///
    /// It is for connections that may be silent for long and must not be closed for it; all
    /// others have time-outs.
    ///
    /// # Panics
    ///
    /// If `idle` is shorter than 1 second or longer than 32,767 seconds, the range of the kernel.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use squall_runtime::BindOptions;
    ///
    /// let sockets = BindOptions::new().keep_alive(Duration::from_secs(60)).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn keep_alive(mut self, idle: impl Into<Option<Duration>>) -> Self {
        let idle = idle.into();
        if let Some(idle) = idle {
            assert!(
                KEEP_ALIVE.contains(&idle.as_secs()),
                "`BindOptions::keep_alive` must be from 1 to 32,767 seconds, not {idle:?}"
            );
        }
        self.inherited.keep_alive = idle;
        self
    }

    /// Sets how much of what is written to an accepted TCP connection the system takes before it
    /// can send it, in bytes (`TCP_NOTSENT_LOWAT`). Default 128 KiB; `None` leaves it to the
    /// system, which takes megabytes.
    ///
    /// What a client does not take stays with the program, which knows of it: memory of the
    /// system for a client that reads slowly is bounded by this and what is on its way, and a
    /// write that waits goes on each time that half of this has left. Less makes time-outs for
    /// slow clients more exact, and costs turns of the loop for large responses.
    ///
    /// Linux and Android only; elsewhere it changes nothing.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0, which the kernel takes for its own default, or more than 2 GiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// let sockets = BindOptions::new().notsent_lowat(16 * 1024).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn notsent_lowat(mut self, bytes: impl Into<Option<u32>>) -> Self {
        let bytes = bytes.into();
        if let Some(bytes) = bytes {
            check_bytes("BindOptions::notsent_lowat", u64::from(bytes));
        }
        self.inherited.notsent_lowat = bytes;
        self
    }

    /// Sets how much the system holds of what was written to an accepted TCP connection, sent or
    /// not, in bytes as it counts them (`SO_SNDBUF`). Default `None`: the system finds out how
    /// much a client needs, up to its own limit (`net.ipv4.tcp_wmem` on Linux, usually 4 MiB).
    ///
    /// This also bounds what is on its way, and so how fast a client can be that is far away: its
    /// bandwidth times the round trip is needed.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0 or more than 2 GiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// let sockets = BindOptions::new().send_buffer_size(256 * 1024).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn send_buffer_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        let bytes = bytes.into();
        if let Some(bytes) = bytes {
            check_bytes("BindOptions::send_buffer_size", bytes as u64);
        }
        self.inherited.send_buffer_size = bytes;
        self
    }

    /// Sets the permissions of a Unix socket's file, whatever the umask is. Default `0o600`:
    /// only processes of the same user may connect. A proxy of another user wants `0o660` and
    /// the group of the directory, or `0o666` where the directory guards the socket.
    ///
    /// # Panics
    ///
    /// If `mode` has other bits than those of `0o777`.
    ///
    /// # Examples
    ///
    /// See [`BindOptions`].
    #[must_use]
    #[track_caller]
    pub fn unix_mode(mut self, mode: u32) -> Self {
        assert!(mode <= 0o777, "`BindOptions::unix_mode` must be at most 0o777, not {mode:#o}");
        self.unix_mode = mode;
        self
    }

    /// Binds `address` and listens on it, unless there is something for it among what was handed
    /// over, which is then taken.
    pub(crate) fn bind(
        &self,
        address: BindAddress,
        handed: &mut Vec<Handed>,
    ) -> io::Result<Sockets> {
        let bound = match address {
            BindAddress::Path(path) => vec![self.bind_unix(path, handed)?],
            BindAddress::Named(name) => self.bind_named(&name, handed)?,
            tcp => {
                let addresses = tcp.resolve().map_err(|error| named(&tcp, &error))?;
                self.bind_tcp(&addresses, handed)?
            }
        };
        Ok(Sockets::register(bound))
    }

    fn bind_named(&self, name: &str, handed: &mut Vec<Handed>) -> io::Result<Vec<Bound>> {
        let found = handed::take_named(handed, name);
        if found.is_empty() {
            let text = format!("the service manager has handed over no socket named `{name}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        found.into_iter().map(|handed| self.take(handed)).collect()
    }

    fn take(&self, handed: Handed) -> io::Result<Bound> {
        let name = handed.to_string();
        Bound::handed(handed, self.backlog, self.inherited).map_err(|error| named(&name, &error))
    }

    fn bind_unix(&self, path: PathBuf, handed: &mut Vec<Handed>) -> io::Result<Bound> {
        if let Some(handed) = handed::take_unix(handed, &path) {
            return self.take(handed);
        }
        let socket = unix::listen(&path, self.unix_mode, self.backlog)
            .map_err(|error| named(&BindAddress::Path(path.clone()), &error))?;
        Ok(Bound::unix(path, self.backlog, socket))
    }

    fn bind_tcp(
        &self,
        addresses: &[SocketAddr],
        handed: &mut Vec<Handed>,
    ) -> io::Result<Vec<Bound>> {
        let any_port = addresses.iter().any(|address| address.port() == 0);
        retry_in_use(if any_port { PORT_TRIES } else { 1 }, || self.bind_all(addresses, handed))
    }

    /// Binds each address; where the port is 0, all get the one that the first was given.
    fn bind_all(
        &self,
        addresses: &[SocketAddr],
        handed: &mut Vec<Handed>,
    ) -> io::Result<Vec<Bound>> {
        let mut bound: Vec<Bound> = Vec::with_capacity(addresses.len());
        let mut chosen = 0;
        for &(mut address) in addresses {
            let any_port = address.port() == 0;
            if any_port {
                address.set_port(chosen);
            }
            // A socket for IPv6 that was handed over may take IPv4 as well.
            if bound.iter().any(|bound| bound.covers(address)) {
                continue;
            }
            if let Some(handed) = handed::take_tcp(handed, address) {
                let taken = self.take(handed)?;
                chosen = taken.address().map_or(0, |address| address.port());
                bound.push(taken);
                continue;
            }
            match tcp::listen(address, self.reuse_port, self.backlog, self.inherited) {
                Ok(socket) => {
                    let local = tcp::local_addr(&socket)?;
                    chosen = local.port();
                    bound.push(Bound::tcp(local, self.backlog, self.inherited, any_port, socket));
                }
                // IPv4 came first. If that is there, a machine without IPv6 is no error.
                Err(error)
                    if address.is_ipv6() && !bound.is_empty() && is_family_absent(&error) => {}
                Err(error) => return Err(named(&address, &error)),
            }
        }
        Ok(bound)
    }
}

/// The kernel takes a number of bytes as an `int`, and some take 0 for their own default.
#[track_caller]
fn check_bytes(setting: &str, bytes: u64) {
    assert!(
        (1..=i32::MAX as u64).contains(&bytes),
        "`{setting}` must be from 1 byte to 2 GiB, not {bytes} bytes"
    );
}

impl Default for BindOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Tries again, up to `tries` times in all, where something is in use.
fn retry_in_use<T>(tries: usize, mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..tries {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    bind()
}

/// Tells which address an error is about: "Address already in use" alone helps nobody.
fn named(address: &dyn fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// Whether the system knows no such family of addresses, or has none of them configured.
fn is_family_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests;
