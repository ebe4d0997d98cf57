//! One TCP socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// The time between probes that the peer does not acknowledge.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// Settings of a listener that accepted connections inherit, which saves a system call per
/// connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited {
    pub(super) nodelay: bool,
    pub(super) keep_alive: Option<Duration>,
    pub(super) notsent_lowat: Option<u32>,
    pub(super) send_buffer_size: Option<usize>,
}

/// Binds `address` and listens on it.
pub(super) fn listen(
    address: SocketAddr,
    reuse_port: bool,
    backlog: i32,
    inherited: Inherited,
) -> io::Result<Socket> {
    let socket = bind(address, reuse_port, inherited)?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// Binds `address` without listening. With `reuse_port`, the socket joins the others of the port.
///
/// IPv6 sockets accept no IPv4 connections. IPv4 has a socket of its own, so that the address of a
/// client never looks like `::ffff:192.0.2.1`.
pub(super) fn bind(
    address: SocketAddr,
    reuse_port: bool,
    inherited: Inherited,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Lets a restarted server bind while connections of the last one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    set_inherited(&socket, inherited)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

pub(super) fn set_inherited(socket: &Socket, inherited: Inherited) -> io::Result<()> {
    socket.set_tcp_nodelay(inherited.nodelay)?;
    if let Some(idle) = inherited.keep_alive {
        let probes = TcpKeepalive::new().with_time(idle).with_interval(idle.min(PROBE_INTERVAL));
        socket.set_tcp_keepalive(&probes)?;
    }
    if let Some(bytes) = inherited.notsent_lowat {
        set_notsent_lowat(socket, bytes)?;
    }
    if let Some(bytes) = inherited.send_buffer_size {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn set_notsent_lowat(socket: &Socket, bytes: u32) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(bytes)
}

/// On other systems, connections do not inherit it.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn set_notsent_lowat(_: &Socket, _: u32) -> io::Result<()> {
    Ok(())
}

pub(super) fn local_addr(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::other("the socket is not an IP socket"))
}
