//! What TCP and Unix sockets have in common: the system calls, and waiting for readiness.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny};

use super::sendfile::FilePart;
use crate::fd::{AsyncFd, PeerClosed};

/// The system refuses to take more buffers in one call (`IOV_MAX`).
const MOST_BUFFERS: usize = 1024;

/// A connected socket of the standard library.
pub(super) trait Stream: AsFd {
    /// Whether a read that does not fill its buffer has taken all that had arrived, but for what
    /// the reactor knows of the socket.
    const SHORT_READ_IS_LAST: bool;
}

impl Stream for std::net::TcpStream {
    const SHORT_READ_IS_LAST: bool = true;
}

impl Stream for std::os::unix::net::UnixStream {
    /// A read ends where the peer has sent a descriptor or credentials along.
    const SHORT_READ_IS_LAST: bool = false;
}

/// A connected socket, non-blocking and closed on exec; `S` is the standard library's type.
#[derive(Debug)]
pub(super) struct Socket<S: AsFd>(AsyncFd<S>);

impl<S: Stream> Socket<S> {
    /// The socket must be non-blocking.
    #[track_caller]
    pub(super) fn new(socket: S) -> Self {
        Self(AsyncFd::owning(socket))
    }

    pub(super) fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    pub(super) fn into_inner(self) -> S {
        self.0.into_inner()
    }

    /// Connects to `address`. The socket is closed if the future is dropped.
    pub(super) async fn connect(
        family: AddressFamily,
        address: &impl SocketAddrArg,
    ) -> io::Result<Self>
    where
        S: From<OwnedFd>,
    {
        let socket = Self::new(stream_socket(family)?.into());
        match rustix::net::connect(&socket, address) {
            Ok(()) => return Ok(socket),
            // Interrupted, it goes on all the same.
            Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        std::future::poll_fn(|cx| socket.0.poll_write_with(cx, connection_result)).await?;
        Ok(socket)
    }

    #[inline]
    pub(super) fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_worth_reading(cx)
    }

    #[inline(always)]
    pub(super) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        self.0.poll_read_with(
            cx,
            |socket| Ok(rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.1),
            |received| S::SHORT_READ_IS_LAST && *received < room,
        )
    }

    /// As [`poll_recv`](Self::poll_recv), behind what is in `buffer`, as much as it has room for.
    pub(super) fn poll_recv_behind(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        self.0.poll_read_with(
            cx,
            |socket| Ok(rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::empty())?.0),
            |received| S::SHORT_READ_IS_LAST && *received < room,
        )
    }

    #[inline(always)]
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_with(cx, |socket| Ok(send(socket, buffers, NO_SIGNAL)?))
    }

    /// As [`poll_send`](Self::poll_send), of what more will follow at once.
    pub(super) fn poll_send_more(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_with(cx, |socket| Ok(send(socket, buffers, NO_SIGNAL | MORE)?))
    }

    pub(super) fn poll_sendfile(
        &self,
        cx: &mut Context<'_>,
        part: &mut FilePart,
    ) -> Poll<io::Result<u64>> {
        part.poll_send(cx, &self.0, |cx, bytes| self.poll_send(cx, &[IoSlice::new(bytes)]))
    }

    pub(super) fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        // A socket that cannot be watched is of no more use than one that is broken.
        self.0.poll_peer_closed(cx).map(|closed| closed.unwrap_or(PeerClosed::Reset))
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(rustix::net::shutdown(&self.0, how)?)
    }
}

impl<S: AsFd> AsFd for Socket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A listening socket; `L` is the standard library's type.
#[derive(Debug)]
pub(super) struct ListeningSocket<L: AsFd>(AsyncFd<L>);

impl<L: AsFd> ListeningSocket<L> {
    /// Makes the socket non-blocking.
    #[track_caller]
    pub(super) fn new(socket: L) -> io::Result<Self> {
        Ok(Self(AsyncFd::level(socket)?))
    }

    pub(super) fn get_ref(&self) -> &L {
        self.0.get_ref()
    }

    pub(super) fn into_inner(self) -> L {
        self.0.into_inner()
    }

    /// Waits until a connection is there.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Takes one connection, non-blocking and closed on exec, out of the queue.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(OwnedFd, Option<SocketAddrAny>)>> {
        self.0.poll_read_with(cx, |listener| accept_good(listener), |_| true)
    }

    /// Takes one connection out of the queue, if there is one. The system is asked, whatever the
    /// reactor has heard.
    pub(super) fn try_accept(&self) -> io::Result<Option<(OwnedFd, Option<SocketAddrAny>)>> {
        match accept_good(self.0.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            result => result.map(Some),
        }
    }
}

impl<L: AsFd> AsFd for ListeningSocket<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[inline]
fn send(socket: impl AsFd, buffers: &[IoSlice<'_>], flags: SendFlags) -> Result<usize, Errno> {
    match buffers {
        [] => Ok(0),
        [buffer] => rustix::net::send(socket, buffer, flags),
        _ => {
            let buffers = &buffers[..buffers.len().min(MOST_BUFFERS)];
            rustix::net::sendmsg(socket, buffers, &mut SendAncillaryBuffer::default(), flags)
        }
    }
}

/// How an attempt to connect ended; [`io::ErrorKind::WouldBlock`] if it has not.
fn connection_result(socket: &impl AsFd) -> io::Result<()> {
    rustix::net::sockopt::socket_error(socket)??;
    match rustix::net::getpeername(socket) {
        Ok(_) => Ok(()),
        Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

/// Passes over connections that broke before they were taken.
fn accept_good(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    loop {
        match accept(&listener) {
            Err(error) if is_of_one_connection(error) => {}
            result => return Ok(result?),
        }
    }
}

/// Whether an error of accept concerns only the connection that was next in the queue, which
/// broke before it was taken. Linux reports the network's errors of that connection here.
fn is_of_one_connection(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNABORTED
            | Errno::INTR
            | Errno::PERM
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
    )
}

/// Sending to a peer that is gone is an error and never a SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Here the standard library's start-up has SIGPIPE ignored.
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// More follows: a packet is not sent before it is full, or nothing has followed for 200 ms.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MORE: SendFlags = SendFlags::MORE;

/// Here each packet leaves as it is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MORE: SendFlags = SendFlags::empty();

#[cfg(target_os = "linux")]
fn accept(listener: impl AsFd) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    use rustix::net::SocketFlags;

    rustix::net::acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
}

#[cfg(not(target_os = "linux"))]
fn accept(listener: impl AsFd) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    let (socket, address) = rustix::net::acceptfrom(listener)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok((socket, address))
}

#[cfg(target_os = "linux")]
fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, SocketType};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

#[cfg(not(target_os = "linux"))]
fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}
