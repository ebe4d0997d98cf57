//! The settings of a listener.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::tcp::Inherited;

/// The number of connections that may wait in a listener's queue. Each worker has its own queue.
///
/// The kernel cuts this to its own limit (`net.core.somaxconn` on Linux, 4096 since 5.4). A lower
/// number would refuse clients while a worker is replaced, or during one long turn of the loop.
const BACKLOG: i32 = 4096;

/// The number of bytes that the kernel accepts for a client before it can send them.
const NOTSENT_LOWAT: u32 = 128 * 1024;

/// The seconds of silence before the kernel probes a connection, within the range of Linux.
const KEEP_ALIVE: RangeInclusive<u64> = 1..=32_767;

/// The permissions of a Unix socket: only the owner may connect. A server trusts the client address
/// that a proxy sends, so other users of the machine must not be able to act as the proxy.
const UNIX_MODE: u32 = 0o600;

/// Settings of a listener that differ from the defaults.
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
    pub(super) backlog: i32,
    pub(super) reuse_port: bool,
    pub(super) inherited: Inherited,
    pub(super) unix_mode: u32,
}

impl BindOptions {
    /// Returns the defaults: a backlog of 4096, no shared port, small packets sent at once, no
    /// probes, and Unix sockets for their owner only.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// // Does what `bind_sockets(0)` does.
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

    /// Sets how many connections may wait to be accepted, per listener and therefore per worker.
    /// Default: 4096. The kernel cuts this to its own limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::BindOptions;
    ///
    /// // A proxy then notices soon that the server cannot keep up.
    /// let sockets = BindOptions::new().backlog(64).bind_sockets(0)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = i32::try_from(connections).unwrap_or(i32::MAX);
        self
    }

    /// Lets other processes of this user listen on the same port (`SO_REUSEPORT`). The kernel
    /// spreads the connections over all of them. Default: `false`, which makes a port in use an
    /// error.
    ///
    /// This is for servers that are started separately. Workers of
    /// [`fork_processes`](crate::process::fork_processes) share a port without it.
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

    /// Sets whether the kernel sends small writes to an accepted TCP connection at once
    /// (`TCP_NODELAY`), or collects them to fill a packet. Default: `true`.
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

    /// Makes the kernel probe an accepted TCP connection that has been silent for `idle`
    /// (`SO_KEEPALIVE`). A connection whose client has vanished then ends with an error. Fractions
    /// of a second are dropped. Default: `None`, no probes.
    ///
    /// This is for connections that may be silent for long. All others have time-outs.
    ///
    /// # Panics
    ///
    /// Panics if `idle` is shorter than 1 second or longer than 32,767 seconds, the range of the
    /// kernel.
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

    /// Sets how many bytes the kernel accepts for an accepted TCP connection before it can send
    /// them (`TCP_NOTSENT_LOWAT`). Default: 128 KiB. `None` leaves the choice to the kernel, which
    /// accepts megabytes.
    ///
    /// This bounds the kernel memory for a client that reads slowly, and shows the program how fast
    /// the client reads. A waiting write continues each time that half of this has been sent. A
    /// lower value makes time-outs for slow clients more exact, and costs more turns of the loop
    /// for large responses.
    ///
    /// Linux and Android only. On other systems it has no effect.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` is 0, which means the kernel's own default, or more than 2 GiB.
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

    /// Sets the size of the kernel's send buffer of an accepted TCP connection, in bytes
    /// (`SO_SNDBUF`). It holds data that is not sent or not acknowledged. Default: `None`, with
    /// which the kernel adapts the size up to its own limit (`net.ipv4.tcp_wmem` on Linux, usually
    /// 4 MiB).
    ///
    /// This also bounds the data in flight, and thereby the speed of a distant client, which needs
    /// its bandwidth times the round-trip time.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` is 0 or more than 2 GiB.
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

    /// Sets the permissions of the file of a Unix socket, whatever the umask is. Default: `0o600`,
    /// with which only processes of the same user may connect. A proxy that runs as another user
    /// needs `0o660` and a common group, or `0o666` where the directory guards the socket.
    ///
    /// # Panics
    ///
    /// Panics if `mode` has bits outside of `0o777`.
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
}

/// Checks a number of bytes: the kernel reads an `int`, and some settings read 0 as their default.
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
