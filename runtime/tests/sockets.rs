//! Streams and listeners against the system's own sockets: what arrives, what ends, and what
//! an edge-triggered reactor could lose.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall_runtime::{
    IOLoop, PeerClosed, TcpListener, TcpStream, UnixListener, UnixStream, sleep, timeout, yield_now,
};

/// Runs `test` on this thread's loop, for at most the time after which something hangs.
fn run<T>(test: impl Future<Output = T>) -> T {
    let limited = timeout(Duration::from_secs(20), test);
    IOLoop::current().run_sync(limited).unwrap().expect("it hangs")
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
}

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Lets the reactor see what has happened to the sockets.
async fn settle() {
    sleep(Duration::from_millis(5)).await;
}

#[test]
fn a_fin_that_comes_with_the_data_is_seen() {
    run(async {
        // One edge covers both, whether the reader waits already or comes later.
        for waits in [false, true] {
            let (mut client, server) = tcp_pair().await;
            let mut first = pin!(recv(&server, 64));
            if waits {
                assert!(poll_once(&mut first).await.is_none());
            }
            client.write_all(b"request").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            settle().await;
            assert_eq!(first.await.unwrap(), b"request");
            assert_eq!(recv(&server, 64).await.unwrap(), b"", "waits: {waits}");
        }
    });
}

#[test]
fn a_fin_after_the_data_was_read_is_seen() {
    run(async {
        let (mut client, server) = tcp_pair().await;
        client.write_all(b"request").unwrap();
        assert_eq!(recv(&server, 64).await.unwrap(), b"request");
        let end = zip(recv(&server, 64), async {
            settle().await;
            drop(client);
        });
        assert_eq!(end.await.0.unwrap(), b"");
    });
}

#[test]
fn a_reader_that_never_waits_lets_others_run_and_loses_nothing() {
    const LENGTH: usize = 100_000;

    run(async {
        let (mut client, server) = tcp_pair().await;
        client.write_all(&[7; LENGTH]).unwrap();
        settle().await;

        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        let _other = IOLoop::current().spawn(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        let reader = IOLoop::current().spawn(async move {
            let mut read = 0;
            while read < LENGTH {
                // No new edge comes for what is there already.
                read += recv(&server, 1).await.unwrap().len();
            }
        });
        reader.await.unwrap();
        assert!(turns.get() > 100, "others ran {} times", turns.get());
    });
}

#[test]
fn a_buffer_that_was_filled_is_not_taken_for_the_end() {
    run(async {
        let (mut client, server) = tcp_pair().await;
        let mut first = pin!(recv(&server, 10));
        assert!(poll_once(&mut first).await.is_none());
        client.write_all(&[1; 20]).unwrap();
        assert_eq!(first.await.unwrap().len(), 10);
        assert_eq!(recv(&server, 10).await.unwrap().len(), 10);

        let mut third = pin!(recv(&server, 10));
        assert!(poll_once(&mut third).await.is_none());
        client.write_all(b"more").unwrap();
        assert_eq!(third.await.unwrap(), b"more");
    });
}

#[test]
fn readiness_that_proves_false_only_waits_again() {
    run(async {
        let (mut client, server) = tcp_pair().await;
        let fd = std::os::fd::AsFd::as_fd(&server).try_clone_to_owned().unwrap();
        let mut thief = std::net::TcpStream::from(fd);

        let reader = IOLoop::current().spawn(async move { recv(&server, 64).await.unwrap() });
        settle().await;
        client.write_all(b"stolen").unwrap();
        // The reactor has not looked since, so it will find the descriptor was ready; but
        // whoever is polled then finds nothing.
        assert_eq!(thief.read(&mut [0; 64]).unwrap(), 6);
        settle().await;
        client.write_all(b"kept").unwrap();
        assert_eq!(reader.await.unwrap(), b"kept");
    });
}

#[test]
fn a_connection_that_nobody_accepts_costs_no_turns() {
    run(async {
        let listener = localhost();
        // The listener is registered by waiting once.
        assert!(poll_once(listener.accept()).await.is_none());
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();

        let before = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        sleep(Duration::from_millis(300)).await;
        let after = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let used = Duration::try_from(after - before).unwrap();
        assert!(used < Duration::from_millis(100), "the loop was busy for {used:?}");
        listener.accept().await.unwrap();
    });
}

#[test]
fn connections_that_queue_up_are_all_accepted() {
    run(async {
        let listener = localhost();
        let address = listener.local_addr().unwrap();
        for _ in 0..3 {
            let mut clients = Vec::new();
            for _ in 0..20 {
                clients.push(TcpStream::connect(address).await.unwrap());
            }
            for client in &clients {
                let (server, peer) = listener.accept().await.unwrap();
                assert_eq!(client.local_addr().unwrap(), peer);
                assert_eq!(server.peer_addr().unwrap(), peer);
                assert_eq!(server.local_addr().unwrap(), address);
            }
            assert!(poll_once(listener.accept()).await.is_none());
        }
    });
}

#[test]
fn a_connection_reset_in_the_queue_does_not_fail_the_listener() {
    run(async {
        let listener = localhost();
        let address = listener.local_addr().unwrap();
        let broken = TcpStream::connect(address).await.unwrap();
        reset(std::os::fd::OwnedFd::from(broken).into());
        let good = TcpStream::connect(address).await.unwrap();
        let good = good.local_addr().unwrap();
        // Linux hands out the broken one as well, other systems do not.
        while listener.accept().await.unwrap().1 != good {}
    });
}

#[test]
fn accepted_sockets_do_not_block_close_on_exec_and_send_at_once() {
    run(async {
        let (_client, server) = tcp_pair().await;
        assert!(rustix::fs::fcntl_getfl(&server).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&server).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert!(rustix::net::sockopt::tcp_nodelay(&server).unwrap());
    });
}

#[test]
fn a_sender_waits_when_the_receiver_does_not_read() {
    const LENGTH: usize = 8 << 20;

    run(async {
        let (mut client, server) = tcp_pair().await;
        let text: Vec<u8> = (0..=250).cycle().take(LENGTH).collect();
        let mut sent = 0;
        while let Some(length) = poll_once(send(&server, &text[sent..])).await {
            sent += length.unwrap();
        }
        assert!(sent < LENGTH, "no system buffers this much");

        let reader = std::thread::spawn(move || {
            let mut received = vec![0; LENGTH];
            client.read_exact(&mut received).unwrap();
            received
        });
        (&server).write_all(&text[sent..]).await.unwrap();
        assert!(reader.join().unwrap() == text);
    });
}

#[test]
fn any_number_of_buffers_is_sent_in_order() {
    run(async {
        let (mut client, server) = tcp_pair().await;
        let pieces: Vec<[u8; 2]> = (0..3000_u16).map(u16::to_be_bytes).collect();
        let mut buffers: Vec<IoSlice<'_>> =
            pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut buffers = buffers.as_mut_slice();
        while !buffers.is_empty() {
            let sent = poll_fn(|cx| server.poll_send(cx, buffers)).await.unwrap();
            IoSlice::advance_slices(&mut buffers, sent);
        }
        let mut received = vec![0; 6000];
        client.read_exact(&mut received).unwrap();
        assert!(received == pieces.concat());
        assert_eq!(poll_fn(|cx| server.poll_send(cx, &[])).await.unwrap(), 0);
    });
}

#[test]
fn sending_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    run(async {
        // The signal's default effect is death, and the standard library has it ignored: so
        // a handler of ours must see nothing of it.
        let signalled = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let pipe = signal_hook::consts::SIGPIPE;
        signal_hook::flag::register(pipe, std::sync::Arc::clone(&signalled)).unwrap();

        let (client, server) = tcp_pair().await;
        reset(client);
        assert_eq!(peer_closed(&server).await, PeerClosed::Reset);
        assert_eq!(kind(recv(&server, 1).await), Some(io::ErrorKind::ConnectionReset));
        let two = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        for buffers in [&two[..1], &two[..]] {
            let sent = poll_fn(|cx| server.poll_send(cx, buffers)).await;
            assert_eq!(kind(sent), Some(io::ErrorKind::BrokenPipe));
        }

        let (client, server) = unix_pair().await;
        drop(client);
        let sent = poll_fn(|cx| server.poll_send(cx, &two)).await;
        assert_eq!(kind(sent), Some(io::ErrorKind::BrokenPipe));
        assert!(!signalled.load(std::sync::atomic::Ordering::SeqCst));
    });
}

#[test]
fn a_peer_that_closes_is_noticed_with_bytes_unread() {
    run(async {
        // Whether the stream has been used before, and whether the watcher waits already.
        for (used, waits) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut client, server) = tcp_pair().await;
            if used {
                client.write_all(b"first").unwrap();
                assert_eq!(recv(&server, 64).await.unwrap(), b"first");
                assert!(poll_once(recv(&server, 64)).await.is_none());
            }
            client.write_all(b"unread").unwrap();
            settle().await;
            let mut closed = pin!(peer_closed(&server));
            if waits {
                assert!(poll_once(&mut closed).await.is_none());
                settle().await;
                assert!(poll_once(&mut closed).await.is_none(), "data is no end");
            }
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(closed.await, PeerClosed::Finished, "used: {used}, waits: {waits}");
            assert_eq!(recv(&server, 64).await.unwrap(), b"unread");
            assert_eq!(recv(&server, 64).await.unwrap(), b"");
        }
    });
}

#[test]
fn a_reset_is_told_from_a_fin_and_noticed_after_one() {
    run(async {
        let (mut client, server) = tcp_pair().await;
        client.write_all(b"unread").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer_closed(&server).await, PeerClosed::Finished);

        let mut broken = pin!(poll_fn(|cx| match server.poll_peer_closed(cx) {
            Poll::Ready(PeerClosed::Reset) => Poll::Ready(()),
            Poll::Ready(PeerClosed::Finished) | Poll::Pending => Poll::Pending,
        }));
        assert!(poll_once(&mut broken).await.is_none());
        settle().await;
        reset(client);
        broken.await;
    });
}

#[test]
fn a_unix_peer_that_closes_is_noticed() {
    run(async {
        let (mut client, server) = unix_pair().await;
        client.write_all(b"unread").unwrap();
        let mut closed = pin!(poll_fn(|cx| server.poll_peer_closed(cx)));
        assert!(poll_once(&mut closed).await.is_none());
        drop(client);
        assert_eq!(closed.await, PeerClosed::Finished);

        let (client, server) = unix_pair().await;
        poll_fn(|cx| server.poll_send(cx, &[IoSlice::new(b"never read")])).await.unwrap();
        drop(client);
        assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Reset);
    });
}

#[test]
fn one_task_can_read_while_another_writes() {
    run(async {
        let listener = localhost();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let text = vec![b'x'; 4 << 20];

        let echo = async {
            futures_lite::io::copy(&server, &server).await.unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        };
        let write = async {
            (&client).write_all(&text).await.unwrap();
            (&client).close().await.unwrap();
        };
        let mut received = Vec::new();
        let read = async { (&client).read_to_end(&mut received).await.unwrap() };
        zip(echo, zip(write, read)).await;
        assert!(received == text);
    });
}

#[test]
fn connecting_where_nobody_listens_is_refused() {
    run(async {
        let address = localhost().local_addr().unwrap();
        let refused = TcpStream::connect(address).await;
        assert_eq!(kind(refused), Some(io::ErrorKind::ConnectionRefused));

        let nowhere = UnixStream::connect("/nonexistent/squall.sock").await;
        assert_eq!(kind(nowhere), Some(io::ErrorKind::NotFound));
    });
}

#[test]
fn a_host_is_tried_at_each_of_its_addresses() {
    run(async {
        // Of the addresses of `localhost`, only the last one tried answers.
        let listener = localhost();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect_host("localhost", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());

        drop(listener);
        let refused = TcpStream::connect_host("localhost", port).await;
        assert_eq!(kind(refused), Some(io::ErrorKind::ConnectionRefused));
        assert!(TcpStream::connect_host("no such host", port).await.is_err());
    });
}

#[test]
fn ipv6_is_spoken_where_the_system_has_it() {
    run(async {
        let Ok(listener) = TcpListener::bind("[::1]:0".parse().unwrap()) else { return };
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(client.local_addr().unwrap(), peer);
        assert!(peer.is_ipv6());
    });
}

#[test]
fn unix_addresses_are_paths_or_names_or_nothing() {
    let path = std::env::temp_dir().join(format!("squall-{}-it.sock", std::process::id()));
    let bound = path.with_extension("client.sock");
    let longest = std::env::temp_dir();
    run(async {
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path.as_path()));
        let _client = UnixStream::connect(&path).await.unwrap();
        assert!(listener.accept().await.unwrap().1.is_unnamed());

        let client =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.bind(&socket2::SockAddr::unix(&bound).unwrap()).unwrap();
        client.connect(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        let (_server, address) = listener.accept().await.unwrap();
        assert_eq!(address.as_pathname(), Some(bound.as_path()));

        // The system takes a name without the zero at its end, if it is just long enough.
        let length = 108 - 1 - longest.as_os_str().len();
        let longest = longest.join("x".repeat(length));
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let client = client.unwrap();
        let name = rustix::net::SocketAddrUnix::new(&longest).unwrap();
        rustix::net::bind(&client, &name).unwrap();
        client.connect(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        let (_server, address) = listener.accept().await.unwrap();
        assert_eq!(address.as_pathname(), Some(longest.as_path()));
        std::fs::remove_file(longest).unwrap();

        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let client = client.unwrap();
        let name = rustix::net::SocketAddrUnix::new_abstract_name(b"squall test").unwrap();
        rustix::net::bind(&client, &name).unwrap();
        client.connect(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        let (_server, address) = listener.accept().await.unwrap();
        assert!(address.as_pathname().is_none() && !address.is_unnamed());

        let taken = UnixListener::bind(&path);
        assert_eq!(kind(taken), Some(io::ErrorKind::AddrInUse));
    });
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(bound).unwrap();
}

#[test]
fn dropping_a_stream_in_use_by_nobody_frees_its_descriptor_for_the_next() {
    run(async {
        // The next socket gets the number of the last; what was registered under that number
        // must not be mistaken for it.
        for round in 0..50_u8 {
            let (mut client, server) = tcp_pair().await;
            assert!(poll_once(recv(&server, 8)).await.is_none());
            client.write_all(&[round]).unwrap();
            assert_eq!(recv(&server, 8).await.unwrap(), [round]);
            client.write_all(b"left over").unwrap();
        }
    });
}
