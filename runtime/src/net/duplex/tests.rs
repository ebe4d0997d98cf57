//! The connection in memory, which behaves like a socket.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use futures_lite::future::{block_on, poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn recv(stream: &DuplexStream, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let received = poll_fn(|cx| stream.poll_recv(cx, &mut buffer)).await?;
    buffer.truncate(received);
    Ok(buffer)
}

async fn send(stream: &DuplexStream, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_send(cx, &[IoSlice::new(bytes)])).await
}

async fn peer_closed(stream: &DuplexStream) -> PeerClosed {
    poll_fn(|cx| stream.poll_peer_closed(cx)).await
}

fn kind(result: io::Result<impl Sized>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn sending_more_than_the_capacity_waits_for_the_reader() {
    block_on(async {
        let (client, server) = duplex(4);
        assert_eq!(send(&client, b"abcdef").await.unwrap(), 4);
        assert!(poll_once(send(&client, b"ef")).await.is_none(), "full");

        assert_eq!(recv(&server, 1).await.unwrap(), b"a");
        assert_eq!(send(&client, b"ef").await.unwrap(), 1);
        assert_eq!(recv(&server, 16).await.unwrap(), b"bcde");
    });
}

#[test]
fn a_waiting_sender_is_woken_by_the_reader_and_the_reverse() {
    block_on(async {
        let (mut client, mut server) = duplex(3);
        let text: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let sending = async {
            client.write_all(&text).await.unwrap();
            client.close().await.unwrap();
        };
        let mut received = Vec::new();
        zip(sending, server.read_to_end(&mut received)).await.1.unwrap();
        assert_eq!(received, text);
    });
}

#[test]
fn several_buffers_are_sent_in_order_and_empty_ones_skipped() {
    block_on(async {
        let (client, server) = duplex(16);
        let buffers = [b"ab".as_slice(), b"", b"cd", b"e"].map(IoSlice::new);
        assert_eq!(poll_fn(|cx| client.poll_send(cx, &buffers)).await.unwrap(), 5);
        assert_eq!(recv(&server, 16).await.unwrap(), b"abcde");
        assert_eq!(send(&client, b"").await.unwrap(), 0, "nothing to send is done at once");
    });
}

#[test]
fn dropping_an_end_is_a_fin_after_the_data() {
    block_on(async {
        let (client, server) = duplex(16);
        send(&client, b"last words").await.unwrap();
        drop(client);
        assert_eq!(peer_closed(&server).await, PeerClosed::Finished);
        assert_eq!(recv(&server, 16).await.unwrap(), b"last words");
        assert_eq!(recv(&server, 16).await.unwrap(), b"");
        assert_eq!(kind(send(&server, b"x").await), Some(io::ErrorKind::BrokenPipe));
    });
}

#[test]
fn after_a_half_close_the_other_direction_goes_on() {
    block_on(async {
        let (client, server) = duplex(16);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kind(send(&client, b"x").await), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(recv(&server, 16).await.unwrap(), b"");
        send(&server, b"answer").await.unwrap();
        assert_eq!(recv(&client, 16).await.unwrap(), b"answer");
        assert!(poll_once(peer_closed(&client)).await.is_none());
    });
}

#[test]
fn a_fin_wakes_a_waiting_task_although_bytes_are_unread() {
    block_on(async {
        let (client, server) = duplex(16);
        send(&client, b"unread").await.unwrap();
        let mut waiting = pin!(peer_closed(&server));
        assert!(poll_once(&mut waiting).await.is_none());
        let closed = zip(waiting, async { drop(client) }).await.0;
        assert_eq!(closed, PeerClosed::Finished);
    });
}

#[test]
fn a_reset_loses_bytes_in_transit_and_fails_both_directions() {
    block_on(async {
        let (client, server) = duplex(16);
        send(&client, b"lost").await.unwrap();
        client.reset();
        assert_eq!(peer_closed(&server).await, PeerClosed::Reset);
        assert_eq!(kind(recv(&server, 16).await), Some(io::ErrorKind::ConnectionReset));
        assert_eq!(kind(send(&server, b"x").await), Some(io::ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_full_sender_is_woken_when_the_other_end_goes() {
    block_on(async {
        let (client, server) = duplex(1);
        send(&client, b"a").await.unwrap();
        let (sent, ()) = zip(send(&client, b"b"), async { drop(server) }).await;
        assert_eq!(kind(sent), Some(io::ErrorKind::BrokenPipe));
    });
}

#[test]
fn an_end_shut_down_for_reading_reads_nothing_more() {
    block_on(async {
        let (client, server) = duplex(16);
        send(&client, b"ignored").await.unwrap();
        server.shutdown(Shutdown::Read).unwrap();
        assert_eq!(recv(&server, 16).await.unwrap(), b"");
        assert_eq!(kind(send(&client, b"x").await), Some(io::ErrorKind::BrokenPipe));
    });
}

#[test]
fn a_waker_may_use_the_stream_when_it_is_dropped_or_woken() {
    struct Reentrant {
        stream: Rc<DuplexStream>,
        runs: Rc<Cell<u32>>,
    }
    impl Drop for Reentrant {
        fn drop(&mut self) {
            self.runs.set(self.runs.get() + 1);
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let _ = self.stream.poll_recv(&mut cx, &mut [0; 4]);
        }
    }

    let (client, server) = duplex(16);
    let runs = Rc::new(Cell::new(0));
    let server = Rc::new(server);
    // `LocalWaker` is not stable, so a task that the waker keeps alive owns the guard.
    let guard = Reentrant { stream: Rc::clone(&server), runs: Rc::clone(&runs) };
    let (runnable, task) = async_task::spawn_local(
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        },
        |_runnable| {},
    );
    let waker = runnable.waker();
    drop(task);
    drop(runnable);
    let mut cx = Context::from_waker(&waker);
    assert!(server.poll_recv(&mut cx, &mut [0; 4]).is_pending());
    drop(waker);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(server.poll_recv(&mut cx, &mut [0; 4]).is_pending());
    drop(client);
    assert_eq!(runs.get(), 1);
}

#[test]
#[should_panic(expected = "must be at least 1 byte")]
fn no_capacity_is_refused() {
    let _ = duplex(0);
}

#[test]
fn a_reset_after_a_fin_wakes_the_task_that_saw_the_fin() {
    block_on(async {
        let (client, server) = duplex(16);
        client.shutdown(Shutdown::Write).unwrap();
        let mut reset = pin!(poll_fn(|cx| match server.poll_peer_closed(cx) {
            Poll::Ready(PeerClosed::Reset) => Poll::Ready(()),
            Poll::Ready(PeerClosed::Finished) | Poll::Pending => Poll::Pending,
        }));
        assert!(poll_once(&mut reset).await.is_none());
        zip(reset, async { client.reset() }).await;
    });
}

/// Asserts that the task of `busy`, which never waits, lets a time limit end it.
fn gives_way(busy: impl Future<Output = ()> + 'static) {
    let io_loop = crate::IOLoop::current();
    io_loop.use_virtual_time();
    let limited = crate::timeout(std::time::Duration::from_secs(1), busy);
    let task = io_loop.spawn(limited);
    let ended = io_loop.run_sync(async {
        io_loop.advance(std::time::Duration::from_secs(2));
        task.await
    });
    assert!(ended.unwrap().unwrap().is_err(), "the limit has ended it");
}

#[test]
fn a_loop_that_reads_the_end_again_and_again_gives_way_to_a_time_limit() {
    let (client, server) = duplex(4);
    drop(client);
    gives_way(async move {
        loop {
            assert_eq!(recv(&server, 1).await.unwrap(), b"");
        }
    });
}

#[test]
fn a_loop_that_fails_to_send_again_and_again_gives_way_to_a_time_limit() {
    let (client, server) = duplex(4);
    drop(client);
    gives_way(async move {
        loop {
            assert!(send(&server, b"a").await.is_err());
        }
    });
}

#[test]
fn a_task_that_uses_both_ends_gives_way_to_a_time_limit() {
    let (client, server) = duplex(4);
    gives_way(async move {
        loop {
            send(&client, b"a").await.unwrap();
            assert_eq!(recv(&server, 1).await.unwrap(), b"a");
        }
    });
}
