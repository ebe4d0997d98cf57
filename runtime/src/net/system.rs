//! Socket calls that differ between systems.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrAny};

/// Makes sending to a peer that is gone an error, and never a SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Apple has no such flag, but the standard library ignores SIGPIPE at startup.
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// A packet is held back until it is full, or until nothing has followed for 200 ms.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const MORE: SendFlags = SendFlags::MORE;

/// Other systems send each packet as it is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const MORE: SendFlags = SendFlags::empty();

/// Makes a non-blocking socket that is closed on exec.
#[cfg(target_os = "linux")]
pub(super) fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, SocketType};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Accepts a connection, non-blocking and closed on exec.
#[cfg(target_os = "linux")]
pub(super) fn accept(listener: impl AsFd) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    use rustix::net::SocketFlags;

    rustix::net::acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn accept(listener: impl AsFd) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    let (socket, address) = rustix::net::acceptfrom(listener)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok((socket, address))
}

/// Resets a connection now, where the kernel can do that.
#[cfg(target_os = "linux")]
pub(super) fn reset_at_once(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(socket)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reset_at_once(_: impl AsFd) -> io::Result<()> {
    Ok(())
}
