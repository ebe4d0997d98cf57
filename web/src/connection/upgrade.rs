//! Handing a connection over to another protocol.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

use super::Connection;
use super::draining::Draining;
use crate::types::local_future::LocalBoxFuture;

/// The function that serves a connection after the switch of protocols.
pub(crate) type Serve = Box<dyn FnOnce(Upgraded) -> LocalBoxFuture<'static, ()>>;

/// A connection that no longer speaks HTTP: the raw stream, beginning with the bytes that the
/// client sent behind its request.
///
/// [`Context::upgrade`](crate::Context::upgrade) passes it to its function. Dropping it closes the
/// connection. `AsyncWriteExt::close` closes only the sending side.
pub struct Upgraded {
    connection: Rc<Connection>,
}

impl Upgraded {
    /// Returns the client's address: the other end of a TCP socket, or the address in the
    /// [PROXY protocol](crate::HTTPServer::proxy_protocol) header. `None` over a Unix socket.
    ///
    /// The headers of the request are gone. Behind a proxy that speaks HTTP, call
    /// [`Context::remote_addr`](crate::Context::remote_addr) before the upgrade.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection.client().address()
    }

    /// Waits until the graceful shutdown begins, like
    /// [`Context::draining`](crate::Context::draining). End the conversation then, as the protocol
    /// has it: close a WebSocket with the reason's [`close_code`](crate::DrainReason::close_code).
    ///
    /// The returned future borrows nothing, so it can be polled while the stream is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
    /// use squall::Upgraded;
    ///
    /// async fn echo(mut stream: Upgraded) {
    ///     let end = stream.draining();
    ///     let talk = async {
    ///         let mut buffer = [0; 1024];
    ///         while let Ok(count @ 1..) = stream.read(&mut buffer).await {
    ///             if stream.write_all(&buffer[..count]).await.is_err() {
    ///                 break;
    ///             }
    ///         }
    ///         None
    ///     };
    ///     if let Some(reason) = future::or(talk, async { Some(end.await) }).await {
    ///         let goodbye = format!("bye {}\n", reason.close_code());
    ///         let _ = stream.write_all(goodbye.as_bytes()).await;
    ///     }
    /// }
    /// ```
    pub fn draining(&self) -> Draining {
        self.connection.server.draining()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

/// Sends the 101, forgets the request, and gives the stream to `serve`.
pub(crate) async fn hand_over(connection: Rc<Connection>, serve: Serve) {
    if let Some(stream) = switch(connection).await {
        stream.connection.forget_http();
        serve(stream).await;
    }
}

/// Sends the 101, and keeps the request. `None` if the client has disconnected.
pub(crate) async fn switch(connection: Rc<Connection>) -> Option<Upgraded> {
    let sent = std::future::poll_fn(|task| connection.poll_output(task)).await;
    sent.is_ok().then_some(Upgraded { connection })
}

impl Upgraded {
    /// Takes the bytes that were received behind the request.
    pub(crate) fn take_early(&self) -> Vec<u8> {
        self.connection.take_early()
    }

    /// Like `AsyncRead::poll_read`, but appends to `buffer`, within its capacity.
    pub(crate) fn poll_read_behind(
        &self,
        task: &mut TaskContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        self.connection.stream.poll_recv_behind(task, buffer)
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let early = self.connection.take_unread(buffer);
        if early > 0 {
            return Poll::Ready(Ok(early));
        }
        self.connection.stream.poll_recv(task, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
            Some(buffer) => self.poll_read(task, buffer),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.stream.poll_send(task, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.stream.poll_send(task, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.connection.stream.shutdown(Shutdown::Write))
    }
}
