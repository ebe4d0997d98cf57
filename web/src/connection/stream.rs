use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context as TaskContext, Poll};

use squall_runtime::{DuplexStream, PeerClosed, TcpStream, UnixStream};

/// What a connection runs over.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(DuplexStream),
}

impl Stream {
    pub(crate) fn poll_recv(
        &self,
        task: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_recv(task, buffer),
            Self::Unix(stream) => stream.poll_recv(task, buffer),
            Self::Memory(stream) => stream.poll_recv(task, buffer),
        }
    }

    pub(crate) fn poll_send(
        &self,
        task: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_send(task, buffers),
            Self::Unix(stream) => stream.poll_send(task, buffers),
            Self::Memory(stream) => stream.poll_send(task, buffers),
        }
    }

    pub(crate) fn poll_peer_closed(&self, task: &mut TaskContext<'_>) -> Poll<PeerClosed> {
        match self {
            Self::Tcp(stream) => stream.poll_peer_closed(task),
            Self::Unix(stream) => stream.poll_peer_closed(task),
            Self::Memory(stream) => stream.poll_peer_closed(task),
        }
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
            Self::Memory(stream) => stream.shutdown(how),
        }
    }

    /// Breaks the connection off, so that the client cannot take this for its regular end. Over
    /// a Unix socket there is no other end than that.
    pub(crate) fn reset(&self) {
        // It fails if the connection is broken already.
        let _ = match self {
            Self::Tcp(stream) => stream.reset(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Memory(stream) => {
                stream.reset();
                Ok(())
            }
        };
    }

    /// The other end, where it has an address: asked of the system each time, because few
    /// requests want it and an idle connection should not hold it.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }
}
