//! A connection in memory, with two ends that send to each other.
//!
//! It behaves like a socket, so that tests can run a server on it: sending stops at the capacity,
//! dropping an end is a FIN, and [`DuplexStream::reset`] is an RST. `duplex/pipe.rs` is one
//! direction of it.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{FilePart, stream_traits};
use crate::fd::PeerClosed;
use pipe::Pipe;

mod pipe;

/// Makes a connection in memory and returns its two ends.
///
/// Each direction holds at most `capacity` bytes. A sender waits for room until the other end
/// reads. Nothing is allocated before the first send.
///
/// # Panics
///
/// Panics if `capacity` is 0.
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use squall_runtime::{IOLoop, duplex};
///
/// IOLoop::current().run_sync(async {
///     let (mut client, mut server) = duplex(64);
///     client.write_all(b"ping").await?;
///     drop(client);
///
///     let mut text = String::new();
///     server.read_to_string(&mut text).await?;
///     assert_eq!(text, "ping");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[must_use]
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "`duplex`: the capacity must be at least 1 byte, not 0");
    let there = Rc::new(Pipe::new(capacity));
    let back = Rc::new(Pipe::new(capacity));
    (
        DuplexStream { incoming: Rc::clone(&back), outgoing: Rc::clone(&there) },
        DuplexStream { incoming: there, outgoing: back },
    )
}

/// One end of a connection in memory, made by [`duplex`].
///
/// Dropping it has the effect of closing a socket: the other end reads the remaining bytes and then
/// the end of the stream, and its sends fail.
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use squall_runtime::{DuplexStream, IOLoop, duplex};
///
/// async fn echo(mut stream: DuplexStream) -> std::io::Result<()> {
///     let mut buffer = [0; 16];
///     let length = stream.read(&mut buffer).await?;
///     stream.write_all(&buffer[..length]).await
/// }
///
/// IOLoop::current().run_sync(async {
///     let (mut client, server) = duplex(64);
///     client.write_all(b"hello").await?;
///     echo(server).await?;
///
///     let mut answer = Vec::new();
///     client.read_to_end(&mut answer).await?;
///     assert_eq!(answer, b"hello");
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
pub struct DuplexStream {
    /// Carries the bytes that the other end sends.
    incoming: Rc<Pipe>,
    /// Carries the bytes that this end sends.
    outgoing: Rc<Pipe>,
}

impl DuplexStream {
    /// Receives bytes into `buffer`, as many as have arrived and fit.
    ///
    /// Returns the number of bytes, and 0 at the end of the stream or for an empty buffer. If
    /// nothing has arrived, the task of `cx` is woken when something does. One task at a time can
    /// wait to read.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionReset`] after a [`reset`](Self::reset) of the other end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = duplex(64);
    ///     poll_fn(|cx| client.poll_send(cx, &[IoSlice::new(b"ping")])).await?;
    ///
    ///     let mut buffer = [0; 16];
    ///     let length = poll_fn(|cx| server.poll_recv(cx, &mut buffer)).await?;
    ///     assert_eq!(&buffer[..length], b"ping");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(cx, buffer)
    }

    /// Like [`poll_recv`](Self::poll_recv), but appends to `buffer`, within its spare capacity.
    ///
    /// `buffer` does not grow. Returns 0 at the end of the stream or if there is no spare capacity.
    ///
    /// # Errors
    ///
    /// Those of [`poll_recv`](Self::poll_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = duplex(64);
    ///     poll_fn(|cx| client.poll_send(cx, &[IoSlice::new(b"ping")])).await?;
    ///
    ///     let mut buffer = Vec::with_capacity(16);
    ///     buffer.push(b'>');
    ///     let length = poll_fn(|cx| server.poll_recv_behind(cx, &mut buffer)).await?;
    ///     assert_eq!((length, &*buffer), (4, &b">ping"[..]));
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_recv_behind(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let received = self.incoming.poll_read(cx, &mut buffer[start..]);
        let length = match &received {
            Poll::Ready(Ok(count)) => *count,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        buffer.truncate(start + length);
        received
    }

    /// Sends `buffers` in order, as many bytes as there is room for.
    ///
    /// Returns the number of bytes sent. If there is no room, the task of `cx` is woken when the
    /// other end has read. One task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::BrokenPipe`] if the other end was dropped or shut down for reading, or
    ///   this end was shut down for writing;
    /// - [`io::ErrorKind::ConnectionReset`] after a [`reset`](Self::reset) of the other end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::IoSlice;
    ///
    /// use squall_runtime::{IOLoop, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, _server) = duplex(8);
    ///     let buffers = [IoSlice::new(b"first "), IoSlice::new(b"second")];
    ///     let sent = poll_fn(|cx| client.poll_send(cx, &buffers)).await?;
    ///     assert_eq!(sent, 8, "no more fits");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, buffers)
    }

    /// Sends a piece of a file, as many bytes as there is room for. A thread of the pool reads the
    /// file: see [`FilePart`].
    ///
    /// Returns the number of bytes sent, and 0 if the part is complete.
    ///
    /// # Errors
    ///
    /// Those of [`poll_send`](Self::poll_send); [`io::ErrorKind::UnexpectedEof`] if the file is
    /// shorter than the part; and errors of the disk.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{FilePart, IOLoop, RegularFile, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = duplex(64);
    ///     let mut part = FilePart::new(RegularFile::open("Cargo.toml").await?, 1, 7);
    ///     assert_eq!(poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await?, 7);
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(poll_fn(|cx| client.poll_recv(cx, &mut buffer)).await?, 7);
    ///     assert_eq!(&buffer[..7], b"package");
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_sendfile(
        &self,
        cx: &mut Context<'_>,
        part: &mut FilePart,
    ) -> Poll<io::Result<u64>> {
        part.poll_copy(cx, |cx, bytes| self.poll_send(cx, &[IoSlice::new(bytes)]))
    }

    /// Waits for the other end to close the connection, without reading, even if bytes are unread.
    ///
    /// The task takes the place of a reader: one task at a time either reads or waits here. After
    /// [`PeerClosed::Finished`], the task is woken once more if the connection then breaks, and a
    /// further call returns [`PeerClosed::Reset`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{IOLoop, PeerClosed, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = duplex(64);
    ///     drop(client);
    ///     assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Finished);
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        self.incoming.poll_closed(cx)
    }

    /// Shuts this end down for reading, for writing, or both.
    ///
    /// After a shutdown for writing, the other end reads the remaining bytes and then the end of
    /// the stream. A shutdown for reading discards unread bytes, and sends of the other end fail.
    ///
    /// # Errors
    ///
    /// Never fails. The signature matches a socket's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Shutdown;
    ///
    /// use futures_lite::AsyncReadExt;
    /// use squall_runtime::{IOLoop, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, mut server) = duplex(64);
    ///     client.shutdown(Shutdown::Write)?;
    ///     assert_eq!(server.read(&mut [0; 16]).await?, 0);
    ///     std::io::Result::Ok(())
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.outgoing.finish();
        }
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.incoming.abandon();
        }
        Ok(())
    }

    /// Breaks the connection like a TCP reset: unread bytes are lost, and the other end gets
    /// [`io::ErrorKind::ConnectionReset`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// use squall_runtime::{IOLoop, PeerClosed, duplex};
    ///
    /// IOLoop::current().run_sync(async {
    ///     let (client, server) = duplex(64);
    ///     client.reset();
    ///     assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Reset);
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn reset(&self) {
        self.outgoing.reset();
        self.incoming.reset();
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.outgoing.finish();
        self.incoming.abandon();
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream")
            .field("unread", &self.incoming.len())
            .field("unsent", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}

stream_traits!(DuplexStream);

#[cfg(test)]
mod tests;
