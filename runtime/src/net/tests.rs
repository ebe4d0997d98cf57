//! Streams and listeners against the system's own sockets, on both systems of the reactor.

mod closing;
mod connecting;
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
use std::time::{Duration, Instant};

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::{
    IOLoop, PeerClosed, TcpListener, TcpStream, UnixListener, UnixStream, reactor, sleep, timeout,
    yield_now,
};

/// Longer than anything here takes.
const HANGS: Duration = Duration::from_secs(20);

/// Runs `test` on a loop of each of the reactor's systems.
fn on_both_systems(test: impl AsyncFn() + Sync) {
    on_fast_system(&test);
    on_system("portable", reactor::use_portable, test);
}

fn on_fast_system(test: impl AsyncFn() + Sync) {
    on_system("fast", || (), test);
}

fn on_system(name: &str, choose: fn(), test: impl AsyncFn() + Sync) {
    let run = || {
        choose();
        let began = Instant::now();
        let limited = timeout(HANGS, test());
        IOLoop::current().run_sync(limited).unwrap().expect("it hangs");
        // The limit wakes the test as well, which may then find what nothing had told it of.
        assert!(began.elapsed() < HANGS / 2, "only the limit woke it");
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(format!("{name} system"));
        thread.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

fn localhost() -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// A connection whose one end the test drives by blocking calls.
async fn tcp_pair() -> (std::net::TcpStream, TcpStream) {
    let listener = localhost();
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    client.connect(&listener.local_addr().unwrap().into()).unwrap();
    (client.into(), listener.accept().await.unwrap().0)
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

/// Lets the reactor see what has happened to the sockets.
async fn settle() {
    sleep(Duration::from_millis(5)).await;
}

#[test]
fn a_stream_is_small() {
    // There is one for each idle connection.
    assert!(size_of::<TcpStream>() <= 24, "{} bytes", size_of::<TcpStream>());
    assert!(size_of::<UnixStream>() <= 24, "{} bytes", size_of::<UnixStream>());
}
