//! A connection that lives in memory: two ends, each a stream to the other.
//!
//! The server and its tests treat it as they treat a socket, so it behaves as one: sending
//! stops at the capacity, dropping an end is a FIN, and [`DuplexStream::reset`] is an RST.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{FilePart, WakerSlot, stream_traits};
use crate::fd::PeerClosed;

/// Makes a connection in memory and returns its two ends.
///
/// Each direction holds at most `capacity` bytes; whoever sends more waits until the other
/// end has read. Nothing is allocated before something is sent.
///
/// # Panics
///
/// If `capacity` is 0, as nothing could ever be sent.
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
    assert!(capacity > 0, "a duplex stream of capacity 0 could never carry a byte");
    let there = Rc::new(Pipe::new(capacity));
    let back = Rc::new(Pipe::new(capacity));
    (
        DuplexStream { incoming: Rc::clone(&back), outgoing: Rc::clone(&there) },
        DuplexStream { incoming: there, outgoing: back },
    )
}

/// One end of a connection in memory, made by [`duplex`].
///
/// Dropping it ends the connection as closing a socket does: the other end reads what was
/// sent and then the end of the stream, and its sends fail.
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
    /// What the other end sends.
    incoming: Rc<Pipe>,
    /// What this end sends.
    outgoing: Rc<Pipe>,
}

impl DuplexStream {
    /// Receives into `buffer` what has arrived, at most as much as fits.
    ///
    /// Returns 0 at the end of the stream (and for an empty buffer). If nothing has arrived,
    /// the task of `cx` is woken when something has; one task at a time can wait to read.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionReset`] after the other end was [`reset`](Self::reset).
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

    /// Receives what has arrived behind what is in `buffer`, at most as much as it has room for
    /// without growing, with one system call. The room need not be cleared before.
    ///
    /// Returns 0 at the end of the stream (and if there is no room). If nothing has arrived, the
    /// task of `cx` is woken when something has; one task at a time can wait to read.
    ///
    /// # Errors
    ///
    /// As [`poll_recv`](Self::poll_recv).
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

    /// Sends from `buffers`, in their order, at most as much as there is room for.
    ///
    /// Returns how many bytes were taken. If there is no room, the task of `cx` is woken when
    /// the other end has read; one task at a time can wait to send.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if the other end is gone or reads no more, or if this
    /// end was shut down for writing; [`io::ErrorKind::ConnectionReset`] after a
    /// [`reset`](Self::reset) of the other end.
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

    /// Sends some of a file: as much as there is room for. The pool reads it: see [`FilePart`].
    ///
    /// Returns how many bytes were taken; 0 if none are left.
    ///
    /// # Errors
    ///
    /// As [`poll_send`](Self::poll_send); [`io::ErrorKind::UnexpectedEof`] if the file ends before
    /// the part does, and the errors of its disk.
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

    /// Waits for the other end to close, without reading and whether or not bytes are unread.
    ///
    /// It waits in the place of the reader: one task at a time either reads or waits here.
    /// After [`PeerClosed::Finished`] that task is woken once more if the connection then
    /// breaks, and a further call returns [`PeerClosed::Reset`].
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

    /// Shuts this end down: for writing, the other end reads the end of the stream after what
    /// was sent; for reading, what has arrived is thrown away and its sends fail.
    ///
    /// # Errors
    ///
    /// None; the signature is that of a socket.
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

    /// Breaks the connection off as a TCP reset does: what is under way is lost, and the
    /// other end gets [`io::ErrorKind::ConnectionReset`].
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
            .field("unread", &self.incoming.bytes.borrow().len())
            .field("unsent", &self.outgoing.bytes.borrow().len())
            .finish_non_exhaustive()
    }
}

stream_traits!(DuplexStream);

/// One direction of a connection in memory.
struct Pipe {
    /// What was sent and not yet read. No borrow of it is held while a waker runs.
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// How the sending end ended it, if it did.
    ended: Cell<Option<PeerClosed>>,
    /// The receiving end reads no more.
    abandoned: Cell<bool>,
    reader: WakerSlot,
    writer: WakerSlot,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: RefCell::default(),
            capacity,
            ended: Cell::new(None),
            abandoned: Cell::new(false),
            reader: WakerSlot::default(),
            writer: WakerSlot::default(),
        }
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.ended.get() == Some(PeerClosed::Reset) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if buffer.is_empty() || self.abandoned.get() {
            return Poll::Ready(Ok(0));
        }

        // A ring lies in memory as two pieces, and each `read` copies one.
        let (front, read) = {
            let mut bytes = self.bytes.borrow_mut();
            let front = bytes.read(buffer)?;
            (front, front + bytes.read(&mut buffer[front..])?)
        };
        if front > 0 {
            self.writer.wake();
            return Poll::Ready(Ok(read));
        }
        if self.ended.get().is_some() {
            return Poll::Ready(Ok(0));
        }
        self.reader.set(cx.waker());
        Poll::Pending
    }

    fn poll_write(&self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.ended.get() {
            Some(PeerClosed::Reset) => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Some(PeerClosed::Finished) => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            None if self.abandoned.get() => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            None => {}
        }
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }

        let sent = self.append(buffers);
        if sent == 0 {
            self.writer.set(cx.waker());
            return Poll::Pending;
        }
        self.reader.wake();
        Poll::Ready(Ok(sent))
    }

    /// Takes as much of `buffers` as there is room for, and returns how much.
    fn append(&self, buffers: &[IoSlice<'_>]) -> usize {
        let mut bytes = self.bytes.borrow_mut();
        let before = bytes.len();
        for buffer in buffers {
            let room = self.capacity - bytes.len();
            bytes.extend(&buffer[..room.min(buffer.len())]);
        }
        bytes.len() - before
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        // Also after a FIN: a reset may follow.
        self.reader.set(cx.waker());
        self.ended.get().map_or(Poll::Pending, Poll::Ready)
    }

    /// The sending end sends no more.
    fn finish(&self) {
        if self.ended.get().is_none() {
            self.ended.set(Some(PeerClosed::Finished));
            self.reader.wake();
        }
    }

    /// The receiving end reads no more.
    fn abandon(&self) {
        self.abandoned.set(true);
        self.bytes.take();
        self.reader.wake();
        self.writer.wake();
    }

    fn reset(&self) {
        self.ended.set(Some(PeerClosed::Reset));
        self.bytes.take();
        self.reader.wake();
        self.writer.wake();
    }
}

#[cfg(test)]
mod tests;
