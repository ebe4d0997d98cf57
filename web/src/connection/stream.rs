//! The stream of a connection, and the address of its client.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::task::{Context as TaskContext, Poll};

use squall_runtime::{DuplexStream, FilePart, PeerClosed, TcpStream, UnixStream};

use super::Connection;
use crate::proxy::Protocol;
use crate::proxy::proxy_protocol::{self, ConnectionSource, ProxyHeaderError};
use crate::proxy::trust::Peer;

/// The stream under a connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// For tests. Boxed, so that it takes no room in other connections.
    Memory(Box<Memory>),
}

/// A stream in memory, with the address that it claims to come from.
#[derive(Debug)]
pub(crate) struct Memory {
    stream: DuplexStream,
    peer: Option<SocketAddr>,
}

impl Stream {
    /// Creates a stream in memory that appears to come from `peer`.
    pub(crate) fn memory(stream: DuplexStream, peer: Option<SocketAddr>) -> Self {
        Self::Memory(Box::new(Memory { stream, peer }))
    }

    /// Ready if there may be something to receive. Otherwise wakes the task when there is.
    #[inline]
    pub(crate) fn poll_recv_ready(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_recv_ready(task),
            Self::Unix(stream) => stream.poll_recv_ready(task),
            Self::Memory(_) => Poll::Ready(()),
        }
    }

    #[inline]
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

    /// Like [`poll_recv`](Self::poll_recv), but appends to `buffer`, within its capacity.
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

    #[inline]
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

    /// Like [`poll_send`](Self::poll_send), but more bytes follow at once.
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

    /// Sends some of a file. Does not read it on this thread.
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

    /// Resets the connection, so that the client cannot mistake this for a regular end. A Unix
    /// socket has only a regular end.
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

    /// Returns the address of the other end. Asks the kernel each time: few requests need the
    /// address, and an idle connection should not hold it.
    ///
    /// A socket that serves both versions of IP reports an IPv4 client as an IPv6 address. This
    /// returns the IPv4 address.
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

/// Kept out of the fast path of real streams.
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

/// The client as a PROXY protocol header describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relay {
    client: Peer,
    protocol: Option<Protocol>,
}

impl Connection {
    /// Reads the PROXY protocol header, if it is complete.
    pub(crate) fn read_proxy_header(&self) -> Result<bool, ProxyHeaderError> {
        let read = self.with(|buffers| {
            let header = proxy_protocol::read(buffers.input.unread())?;
            buffers.input.consume(header.map_or(0, |header| header.length));
            Ok(header)
        });
        let Some(header) = read? else { return Ok(false) };
        let client = match header.source {
            // The proxy itself is the client.
            ConnectionSource::Local => return Ok(true),
            ConnectionSource::Unknown => Peer::Unknown,
            ConnectionSource::Client(address) => Peer::Address(address),
        };
        let tls = |is_tls| if is_tls { Protocol::Https } else { Protocol::Http };
        let relay = Relay { client, protocol: header.tls.map(tls) };
        self.server.keep_relay(self.key.get(), relay);
        Ok(true)
    }

    fn relay(&self) -> Option<Relay> {
        if !self.server.settings.proxy_protocol {
            return None;
        }
        self.server.relay(self.key.get())
    }

    /// Returns the address of the client, behind a proxy that uses the PROXY protocol or not.
    pub(crate) fn client(&self) -> Peer {
        self.relay().map_or_else(|| self.stream.peer(), |relay| relay.client)
    }

    /// Returns the protocol of the client, unless a header says otherwise.
    pub(crate) fn protocol(&self) -> Protocol {
        let told = self.relay().and_then(|relay| relay.protocol);
        told.unwrap_or(self.server.settings.protocol)
    }
}
