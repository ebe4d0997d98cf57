use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::task::{Context as TaskContext, Poll};

use squall_runtime::{DuplexStream, FilePart, PeerClosed, TcpStream, UnixStream};

use crate::proxy::trust::Peer;

/// What a connection runs over.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// In a box, so that what only tests need takes no room elsewhere.
    Memory(Box<Memory>),
}

/// A connection in memory, as if from somewhere.
#[derive(Debug)]
pub(crate) struct Memory {
    stream: DuplexStream,
    peer: Option<SocketAddr>,
}

impl Stream {
    /// One in memory, which comes from `peer` as far as anybody can tell.
    pub(crate) fn memory(stream: DuplexStream, peer: Option<SocketAddr>) -> Self {
        Self::Memory(Box::new(Memory { stream, peer }))
    }

    /// Is ready if there may be something to receive; else the task is woken when there is.
    #[inline(always)]
    pub(crate) fn poll_recv_ready(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_recv_ready(task),
            Self::Unix(stream) => stream.poll_recv_ready(task),
            Self::Memory(_) => Poll::Ready(()),
        }
    }

    #[inline(always)]
    pub(crate) fn poll_recv(
        &self,
        task: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_recv(task, buffer),
            Self::Unix(stream) => stream.poll_recv(task, buffer),
            Self::Memory(memory) => memory.poll_recv(task, buffer),
        }
    }

    /// As [`poll_recv`](Self::poll_recv), behind what is in `buffer`, as much as it has room for.
    pub(crate) fn poll_recv_behind(
        &self,
        task: &mut TaskContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_recv_behind(task, buffer),
            Self::Unix(stream) => stream.poll_recv_behind(task, buffer),
            Self::Memory(memory) => memory.stream.poll_recv_behind(task, buffer),
        }
    }

    #[inline(always)]
    pub(crate) fn poll_send(
        &self,
        task: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_send(task, buffers),
            Self::Unix(stream) => stream.poll_send(task, buffers),
            Self::Memory(memory) => memory.poll_send(task, buffers),
        }
    }

    /// As [`poll_send`](Self::poll_send), of what more will follow at once.
    pub(crate) fn poll_send_more(
        &self,
        task: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_send_more(task, buffers),
            Self::Unix(_) | Self::Memory(_) => self.poll_send(task, buffers),
        }
    }

    /// Sends some of a file, without reading it on this thread.
    pub(crate) fn poll_sendfile(
        &self,
        task: &mut TaskContext<'_>,
        part: &mut FilePart,
    ) -> Poll<io::Result<u64>> {
        match self {
            Self::Tcp(stream) => stream.poll_sendfile(task, part),
            Self::Unix(stream) => stream.poll_sendfile(task, part),
            Self::Memory(memory) => memory.stream.poll_sendfile(task, part),
        }
    }

    pub(crate) fn poll_peer_closed(&self, task: &mut TaskContext<'_>) -> Poll<PeerClosed> {
        match self {
            Self::Tcp(stream) => stream.poll_peer_closed(task),
            Self::Unix(stream) => stream.poll_peer_closed(task),
            Self::Memory(memory) => memory.stream.poll_peer_closed(task),
        }
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
            Self::Memory(memory) => memory.stream.shutdown(how),
        }
    }

    /// Breaks the connection off, so that the client cannot take this for its regular end. Over
    /// a Unix socket there is no other end than that.
    pub(crate) fn reset(&self) {
        // It fails if the connection is broken already.
        let _ = match self {
            Self::Tcp(stream) => stream.reset(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Memory(memory) => {
                memory.stream.reset();
                Ok(())
            }
        };
    }

    /// The other end: asked of the system each time, because few requests want it and an idle
    /// connection should not hold it.
    ///
    /// A socket that a service manager has opened for both versions of IP names who comes over
    /// IPv4 in the words of IPv6.
    pub(crate) fn peer(&self) -> Peer {
        let address = match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => return Peer::Unix,
            Self::Memory(memory) => memory.peer,
        };
        address.map_or(Peer::Unknown, |address| match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => Peer::Address(SocketAddr::new(ip, address.port())),
            IpAddr::V6(_) => Peer::Address(address),
        })
    }
}

/// Out of the way of the streams that matter.
impl Memory {
    #[cold]
    fn poll_recv(&self, task: &mut TaskContext<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_recv(task, buffer)
    }

    #[cold]
    fn poll_send(
        &self,
        task: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_send(task, buffers)
    }
}
