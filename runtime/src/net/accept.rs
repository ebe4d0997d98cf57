//! Listening sockets: the part that TCP and Unix sockets share.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::SocketAddrAny;

use super::system::accept;
use crate::fd::AsyncFd;

/// A connection from the queue of a listener, non-blocking and closed on exec.
pub(super) struct Accepted {
    pub(super) socket: OwnedFd,
    pub(super) address: Option<SocketAddrAny>,
}

/// A listening socket; `L` is the type of the standard library.
#[derive(Debug)]
pub(super) struct ListeningSocket<L: AsFd> {
    socket: AsyncFd<L>,
    /// Other processes accept connections from the same socket.
    is_shared: bool,
}

impl<L: AsFd> ListeningSocket<L> {
    /// Takes a listening socket and makes it non-blocking.
    #[track_caller]
    pub(super) fn new(socket: L) -> io::Result<Self> {
        Ok(Self { socket: AsyncFd::level(socket)?, is_shared: false })
    }

    pub(super) fn with_shared(self, is_shared: bool) -> Self {
        Self { is_shared, ..self }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(super) fn get_ref(&self) -> &L {
        self.socket.get_ref()
    }

    pub(super) fn into_inner(self) -> L {
        self.socket.into_inner()
    }

    /// Waits until a connection is in the queue.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Accepts a connection, or waits for one.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        self.socket.poll_read_with(cx, |listener| accept_good(listener), |_| true)
    }

    /// Accepts a connection if the kernel has one, whatever the reactor has reported.
    pub(super) fn try_accept(&self) -> io::Result<Option<Accepted>> {
        match accept_good(self.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            result => result.map(Some),
        }
    }
}

impl<L: AsFd> AsFd for ListeningSocket<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Accepts a connection, and skips those that broke while they were in the queue.
fn accept_good(listener: impl AsFd) -> io::Result<Accepted> {
    loop {
        match accept(&listener) {
            Err(error) if concerns_one_connection(error) => {}
            Err(error) => return Err(error.into()),
            Ok((socket, address)) => return Ok(Accepted { socket, address }),
        }
    }
}

/// Returns whether an error of `accept` concerns only the next connection in the queue. Linux
/// reports the network errors of that connection here.
fn concerns_one_connection(error: Errno) -> bool {
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
