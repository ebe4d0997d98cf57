//! Noticing that the peer of a stream has closed the connection, without reading.

use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::AsyncFd;
use crate::reactor::{self, Direction, Ready};

/// How the peer has closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerClosed {
    /// The peer sends nothing more. It may still read.
    Finished,
    /// The connection is broken in both directions.
    Reset,
}

impl<T: AsFd> AsyncFd<T> {
    /// Returns ready when the peer of a connected stream has finished or broken the connection.
    /// Otherwise the task is woken when that happens; it takes the place of one that waits to read.
    ///
    /// Only Linux reports an end of the stream that follows unread bytes. Other systems report it
    /// once the bytes are read.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    pub(crate) fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<io::Result<PeerClosed>> {
        self.register()?;
        let (source, ready) = (self.source(), self.source().ready());
        if ready.contains(Ready::FAILED) {
            return Poll::Ready(Ok(PeerClosed::Reset));
        }
        if ready.contains(Ready::FINISHED) {
            // The task may continue, and must notice if the connection then breaks.
            source.set_waiter(Direction::Read, cx.waker());
            return Poll::Ready(Ok(PeerClosed::Finished));
        }
        if !ready.contains(Ready::READ) {
            self.wait(cx, Direction::Read)?;
            return Poll::Pending;
        }
        if !reactor::reports_finish() {
            return self.poll_peek(cx);
        }
        source.set_waiter(Direction::Read, cx.waker());
        Poll::Pending
    }

    /// Looks for the end of the stream where no event reports it.
    fn poll_peek(&self, cx: &mut Context<'_>) -> Poll<io::Result<PeerClosed>> {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(self.get_ref(), &mut [0_u8; 1], flags) {
            Ok((0, _)) => Poll::Ready(Ok(PeerClosed::Finished)),
            Ok(_) | Err(Errno::INTR) => {
                reactor::ignore_unread(&self.chunk, self.slot);
                self.source().set_waiter(Direction::Read, cx.waker());
                Poll::Pending
            }
            Err(Errno::AGAIN) => {
                self.source().set_blocked(Direction::Read);
                self.wait(cx, Direction::Read)?;
                Poll::Pending
            }
            Err(_) => Poll::Ready(Ok(PeerClosed::Reset)),
        }
    }
}
