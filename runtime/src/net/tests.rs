//! Streams and listeners against sockets of the standard library, on both backends of the reactor.

mod closing;
mod connecting;
mod files;
mod listening;
mod reading;
mod sending;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::testing::{connect, on_both_backends, on_fast_backend};
use crate::{
    IOLoop, PeerClosed, TcpListener, TcpStream, UnixListener, UnixStream, sleep, yield_now,
};

fn localhost() -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// A connection with one end that the test drives by blocking calls.
async fn tcp_pair() -> (std::net::TcpStream, TcpStream) {
    let listener = localhost();
    let client = connect(listener.local_addr().unwrap());
    (client, listener.accept().await.unwrap().0)
}

async fn unix_pair() -> (std::os::unix::net::UnixStream, UnixStream) {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    (client, server.try_into().unwrap())
}

async fn recv(stream: &TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let received = poll_fn(|cx| stream.poll_recv(cx, &mut buffer)).await?;
    buffer.truncate(received);
    Ok(buffer)
}

async fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_send(cx, &[IoSlice::new(bytes)])).await
}

async fn peer_closed(stream: &TcpStream) -> PeerClosed {
    poll_fn(|cx| stream.poll_peer_closed(cx)).await
}

/// Makes the close of `stream` a reset.
fn reset(stream: std::net::TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Lets the reactor notice recent events of the sockets.
async fn settle() {
    sleep(Duration::from_millis(5)).await;
}

#[test]
fn a_stream_is_small() {
    // Each idle connection has one of these.
    assert!(size_of::<TcpStream>() <= 24, "{} bytes", size_of::<TcpStream>());
    assert!(size_of::<UnixStream>() <= 24, "{} bytes", size_of::<UnixStream>());
}
