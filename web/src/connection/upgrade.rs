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

/// What serves a connection after the switch of protocols.
pub(crate) type Serve = Box<dyn FnOnce(Upgraded) -> LocalBoxFuture<'static, ()>>;

/// A connection that no longer speaks HTTP: the raw stream, beginning with what the client
/// sent behind its request.
///
/// Given to the function of [`Context::upgrade`](crate::Context::upgrade). Dropping it closes
/// the connection. Closing (`AsyncWriteExt::close`) ends only the side that writes.
pub struct Upgraded {
    connection: Rc<Connection>,
}

impl Upgraded {
    /// The address of whoever opened the connection, if it is over TCP: the socket's other end,
    /// or whom the [PROXY protocol](crate::HTTPServer::proxy_protocol) names.
    ///
    /// What the headers of the request said is forgotten: ask
    /// [`Context::remote_addr`](crate::Context::remote_addr) before, behind a proxy.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection.client().address()
    }

    /// Waits until the server has begun to end, as
    /// [`Context::draining`](crate::Context::draining) does: the time to say goodbye in the
    /// words of the protocol. What this returns borrows nothing, so that it can be polled while the
    /// stream is read: a WebSocket is closed with the
    /// [`close_code`](crate::DrainReason::close_code) of the reason.
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
        Draining::new(&self.connection.worker)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

/// Sends the 101, then lets `serve` have the stream. The request is forgotten by then.
pub(crate) async fn hand_over(connection: Rc<Connection>, serve: Serve) {
    if let Some(stream) = switch(connection).await {
        stream.connection.let_go();
        serve(stream).await;
    }
}

/// Sends the 101. The request is not forgotten. `None`: the client has gone.
pub(crate) async fn switch(connection: Rc<Connection>) -> Option<Upgraded> {
    let sent = std::future::poll_fn(|task| connection.poll_output(task)).await;
    sent.is_ok().then_some(Upgraded { connection })
}

impl Upgraded {
    /// Takes the bytes that were received behind the request.
    pub(crate) fn take_early(&self) -> Vec<u8> {
        self.connection.take_early()
    }

    /// Like `AsyncRead::poll_read`, but behind what is in `buffer`, as much as it has room for.
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
