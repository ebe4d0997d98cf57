//! The stream under a WebSocket, and the memory that all streams of a thread read into.

use std::cell::Cell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

use crate::connection::upgrade::Upgraded;

/// How much is read at once. A frame of 16 KiB fits with room to spare.
const READ_SIZE: usize = 64 * 1024;

/// A stream that carries WebSocket frames. The server has one over a connection that was upgraded,
/// a client over its socket.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Reads behind what is in `buffer`, at most as much as it has room for without growing.
    /// Returns 0 at the end of the stream.
    fn poll_read_behind(
        &mut self,
        task: &mut TaskContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let read = Pin::new(self).poll_read(task, &mut buffer[start..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        buffer.truncate(start + count);
        read
    }
}

impl Transport for Upgraded {
    fn poll_read_behind(
        &mut self,
        task: &mut TaskContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        Self::poll_read_behind(self, task, buffer)
    }
}

/// The stream of one session. A connection of the server needs no box.
pub(crate) enum Stream {
    Upgraded(Upgraded),
    Boxed(Box<dyn Transport>),
}

impl Deref for Stream {
    type Target = dyn Transport;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Upgraded(stream) => stream,
            Self::Boxed(stream) => &**stream,
        }
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Upgraded(stream) => stream,
            Self::Boxed(stream) => &mut **stream,
        }
    }
}

impl From<Upgraded> for Stream {
    fn from(stream: Upgraded) -> Self {
        Self::Upgraded(stream)
    }
}

impl<T: Transport + 'static> From<Box<T>> for Stream {
    fn from(stream: Box<T>) -> Self {
        Self::Boxed(stream)
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Calls `work` with a buffer for one read. Its content has no meaning. All sessions of the thread
/// share the buffer, so that one that waits holds none.
pub(super) fn with_read_buffer<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = SCRATCH.take().unwrap_or_else(|| vec![0; READ_SIZE].into());
    let result = work(&mut buffer);
    SCRATCH.set(Some(buffer));
    result
}
