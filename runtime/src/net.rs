//! Sockets on the loop, and an in-memory connection that replaces one in tests.
//!
//! Each stream has the same six methods: `poll_recv`, `poll_recv_behind`, `poll_send`,
//! `poll_sendfile`, `poll_peer_closed` and `shutdown`. The traits of [`futures_lite`] are built on
//! them.
//!
//! # Layout
//!
//! - `stream`: connected sockets; `tcp` and `unix` add the parts that differ
//! - `accept`: listening sockets; `tcp/listener` and `unix/listener` add the parts that differ
//! - `system`: socket calls that differ between systems
//! - `bind`: from an address to one listener per worker
//! - `duplex`: the in-memory connection
//! - `sendfile`: files into streams
//! - `resolve`: host names

mod accept;
mod bind;
mod duplex;
mod resolve;
mod sendfile;
mod stream;
mod system;
mod tcp;
mod unix;

use std::cell::Cell;
use std::fmt;
use std::task::Waker;

pub use bind::{Adoption, Adoptions, BindAddress, BindOptions, Listener, Sockets};
pub(crate) use bind::{Handed, Slots, Traits, serves_adopted, set_adopted, sockets_taken};
pub use duplex::{DuplexStream, duplex};
pub use resolve::resolve;
pub use sendfile::FilePart;
pub use stream::{SocketStream, StreamSocket};
pub use tcp::{TcpListener, TcpStream};
pub use unix::{UnixListener, UnixStream};

/// The waker of the one task that waits.
#[derive(Default)]
struct WakerSlot(Cell<Option<Waker>>);

impl WakerSlot {
    /// Stores `waker` in place of the one before.
    fn set(&self, waker: &Waker) {
        // Cloning and dropping a waker may run foreign code, which may call this again. So nothing
        // is borrowed here.
        match self.0.take() {
            Some(same) if same.will_wake(waker) => self.0.set(Some(same)),
            _ => self.0.set(Some(waker.clone())),
        }
    }

    /// Wakes the waiting task, if there is one.
    fn wake(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for WakerSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakerSlot")
    }
}

/// Implements `AsyncRead` and `AsyncWrite` for a stream and for references to it, with its
/// `poll_recv`, `poll_send` and `shutdown`.
macro_rules! stream_traits {
    ($stream:ty) => {
        $crate::net::stream_traits!(@one $stream);
        $crate::net::stream_traits!(@one &$stream);
    };
    (@one $stream:ty) => {
        impl futures_lite::AsyncRead for $stream {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_recv(cx, buffer)
            }
        }

        impl futures_lite::AsyncWrite for $stream {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_send(cx, &[std::io::IoSlice::new(buffer)])
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_send(cx, buffers)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.shutdown(std::net::Shutdown::Write))
            }
        }
    };
}
use stream_traits;

#[cfg(test)]
mod tests;
