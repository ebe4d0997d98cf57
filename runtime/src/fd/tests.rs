//! Descriptors of all kinds, on both backends of the reactor.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::poll_once;

use super::*;
use crate::testing::{connect, on_both_backends, on_fast_backend, on_thread, run};
use crate::{IOLoop, Task, sleep, timeout, yield_now};

mod budget;

fn pipe() -> (AsyncFd<PipeReader>, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    (AsyncFd::new(reader).unwrap(), writer)
}

fn socket() -> (AsyncFd<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (AsyncFd::new(near).unwrap(), far)
}

/// Reads once like a stream: a short read has taken everything.
async fn read<const N: usize>(socket: &AsyncFd<UnixStream>) -> io::Result<Vec<u8>> {
    let mut buffer = [0; N];
    let read = poll_fn(|cx| {
        let operation = |mut socket: &UnixStream| socket.read(&mut buffer);
        socket.poll_read_with(cx, operation, |count| *count < N)
    });
    let count = read.await?;
    Ok(buffer[..count].to_vec())
}

/// A task that waits for `socket` until another task removes it.
fn wait_in_background(socket: &Rc<AsyncFd<UnixStream>>) -> Task<io::Result<Vec<u8>>> {
    let socket = Rc::clone(socket);
    IOLoop::current().spawn(async move { read::<64>(&socket).await })
}

/// Lets tasks run until they wait, and lets the reactor report events.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn a_fin_that_arrives_with_data_is_seen() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        let near = Rc::new(near);
        let reader = wait_in_background(&near);
        settle().await;
        // One edge announces both while the reader waits.
        far.write_all(b"request").unwrap();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b"request");
        assert_eq!(read::<64>(&near).await.unwrap(), b"");
    });
}

#[test]
fn each_of_many_descriptors_gets_its_own_events_and_frees_its_place() {
    on_both_backends(async || {
        for _ in 0..2 {
            let mut pairs: Vec<_> = (0..150).map(|_| socket()).collect();
            pairs.drain(40..90);
            pairs.extend((0..50).map(|_| socket()));
            let (near, far): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let near: Vec<_> = near.into_iter().map(Rc::new).collect();
            let readers: Vec<_> = near.iter().map(wait_in_background).collect();
            settle().await;
            for (n, mut far) in far.iter().enumerate().rev() {
                far.write_all(&[n as u8]).unwrap();
            }
            for (n, reader) in readers.into_iter().enumerate() {
                assert_eq!(reader.await.unwrap().unwrap(), [n as u8]);
            }
        }
    });
}

#[test]
fn a_buffer_that_was_filled_does_not_count_as_the_last_one() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        let near = Rc::new(near);
        assert!(poll_once(read::<4>(&near)).await.is_none());
        far.write_all(b"12345678abc").unwrap();
        for part in [b"1234".as_slice(), b"5678", b"abc"] {
            assert_eq!(read::<4>(&near).await.unwrap(), part);
        }
        assert!(poll_once(read::<4>(&near)).await.is_none());
    });
}

#[test]
fn a_task_that_is_always_ready_lets_others_run_and_continues_later() {
    on_both_backends(async || {
        const BYTES: usize = 10_000;
        let (near, mut far) = socket();
        far.write_all(&[7; BYTES]).unwrap();
        let others_turns = Rc::new(Cell::new(0));
        let turns = Rc::clone(&others_turns);
        let other = IOLoop::current().spawn(async move {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        });
        let greedy = IOLoop::current().spawn(async move {
            for _ in 0..BYTES {
                assert_eq!(read::<1>(&near).await.unwrap(), [7]);
            }
        });
        greedy.await.unwrap();
        drop(other);
        assert!(others_turns.get() > BYTES / 256, "it ran {} times", others_turns.get());
    });
}

#[test]
fn false_readiness_only_waits_again() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        let near = Rc::new(near);
        let reader = wait_in_background(&near);
        settle().await;
        far.write_all(b"stolen").unwrap();
        // The reader is woken for bytes that are gone before its turn.
        IOLoop::current().add_callback({
            let near = Rc::clone(&near);
            move || assert_eq!(near.get_ref().read(&mut [0; 64]).unwrap(), 6)
        });
        settle().await;
        assert!(!reader.is_finished());
        far.write_all(b"kept").unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b"kept");
    });
}

#[test]
fn a_signal_does_not_end_the_wait() {
    use nix::sys::pthread::{pthread_kill, pthread_self};
    use nix::sys::signal::Signal;

    on_both_backends(async || {
        let handled = std::sync::Arc::default();
        let id =
            signal_hook::flag::register(Signal::SIGUSR1 as i32, std::sync::Arc::clone(&handled));
        let (near, mut far) = socket();
        let loop_thread = pthread_self();
        let handled_by_then = std::sync::Arc::clone(&handled);
        let other = std::thread::spawn(move || {
            while !handled_by_then.load(std::sync::atomic::Ordering::SeqCst) {
                pthread_kill(loop_thread, Signal::SIGUSR1).unwrap();
                std::thread::yield_now();
            }
            far.write_all(b"after it").unwrap();
        });
        assert_eq!(read::<64>(&near).await.unwrap(), b"after it");
        other.join().unwrap();
        signal_hook::low_level::unregister(id.unwrap());
    });
}

#[test]
fn a_writer_waits_while_the_pipe_is_full() {
    on_both_backends(async || {
        let (mut reader, writer) = io::pipe().unwrap();
        let writer = AsyncFd::new(writer).unwrap();
        let write = async || writer.write_with(|mut pipe| pipe.write(&[1; 4096])).await.unwrap();
        let mut written = 0;
        while let Some(count) = poll_once(write()).await {
            written += count;
        }
        assert!(poll_once(writer.writable()).await.is_none());
        let mut buffer = vec![0; written];
        reader.read_exact(&mut buffer).unwrap();
        writer.writable().await.unwrap();
        assert_eq!(write().await, 4096);
    });
}

#[test]
fn one_task_may_wait_to_read_while_another_waits_to_write() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        let near = Rc::new(near);
        let reader = wait_in_background(&near);
        let writer = IOLoop::current().spawn({
            let near = Rc::clone(&near);
            async move {
                let mut left = 4_000_000;
                while left > 0 {
                    left -= near.write_with(|mut socket| socket.write(&vec![1; left])).await?;
                }
                io::Result::Ok(())
            }
        });
        settle().await;
        assert!(!reader.is_finished() && !writer.is_finished());
        far.write_all(b"hello").unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b"hello");
        assert!(!writer.is_finished());
        far.set_nonblocking(true).unwrap();
        let far = AsyncFd::new(far).unwrap();
        let mut left = 4_000_000;
        while left > 0 {
            left -= far.read_with(|mut socket| socket.read(&mut vec![0; left])).await.unwrap();
        }
        writer.await.unwrap().unwrap();
    });
}

#[test]
fn reading_sees_the_end_of_a_pipe() {
    on_both_backends(async || {
        let (reader, mut writer) = pipe();
        assert!(poll_once(reader.readable()).await.is_none());
        writer.write_all(b"x").unwrap();
        drop(writer);
        reader.readable().await.unwrap();
        let read = async || reader.read_with(|mut pipe| pipe.read(&mut [0; 16])).await.unwrap();
        assert_eq!((read().await, read().await), (1, 0));
    });
}

#[test]
fn readable_is_right_each_time_it_is_called() {
    on_both_backends(async || {
        let (reader, mut writer) = pipe();
        assert!(poll_once(reader.readable()).await.is_none());
        writer.write_all(b"x").unwrap();
        for _ in 0..3 {
            reader.readable().await.unwrap();
        }
        // Reads without the reactor noticing.
        reader.get_ref().read_exact(&mut [0; 1]).unwrap();
        assert!(poll_once(reader.readable()).await.is_none());
        writer.write_all(b"y").unwrap();
        reader.readable().await.unwrap();
    });
}

#[test]
fn a_peer_that_finishes_is_noticed_without_reading() {
    on_both_backends(async || {
        let (near, far) = socket();
        let closed = || poll_once(poll_fn(|cx| near.poll_peer_closed(cx)));
        assert!(closed().await.is_none());
        far.shutdown(std::net::Shutdown::Write).unwrap();
        let closed = poll_fn(|cx| near.poll_peer_closed(cx)).await.unwrap();
        assert_eq!(closed, PeerClosed::Finished);
        assert_eq!(read::<64>(&near).await.unwrap(), b"");
    });
}

#[test]
fn a_peer_that_finishes_behind_unread_bytes_is_noticed_before_they_are_read() {
    on_fast_backend(async || {
        let (near, mut far) = socket();
        far.write_all(b"pipelined").unwrap();
        assert!(poll_once(poll_fn(|cx| near.poll_peer_closed(cx))).await.is_none());
        drop(far);
        let closed = poll_fn(|cx| near.poll_peer_closed(cx)).await.unwrap();
        assert_eq!(closed, PeerClosed::Finished);
        assert_eq!(read::<64>(&near).await.unwrap(), b"pipelined");
    });
}

#[test]
fn a_peer_that_finishes_behind_unread_bytes_is_noticed_once_they_are_read() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        far.write_all(b"pipelined").unwrap();
        assert!(poll_once(poll_fn(|cx| near.poll_peer_closed(cx))).await.is_none());
        drop(far);
        assert_eq!(read::<64>(&near).await.unwrap(), b"pipelined");
        let closed = poll_fn(|cx| near.poll_peer_closed(cx)).await.unwrap();
        assert_eq!(closed, PeerClosed::Finished);
    });
}

#[test]
fn unread_bytes_do_not_keep_the_loop_awake_while_the_end_is_awaited() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        far.write_all(b"pipelined").unwrap();
        let polls = Cell::new(0);
        let closed = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            near.poll_peer_closed(cx)
        });
        let waited = timeout(Duration::from_millis(30), closed).await;
        assert!(waited.is_err() && polls.get() < 6, "polled {} times", polls.get());
        assert_eq!(read::<64>(&near).await.unwrap(), b"pipelined");
        drop(far);
        let closed = poll_fn(|cx| near.poll_peer_closed(cx)).await.unwrap();
        assert_eq!(closed, PeerClosed::Finished);
    });
}

#[test]
fn a_reset_differs_from_an_end() {
    on_both_backends(async || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = connect(listener.local_addr().unwrap());
        let near = AsyncFd::new(listener.accept().unwrap().0).unwrap();
        assert!(poll_once(poll_fn(|cx| near.poll_peer_closed(cx))).await.is_none());
        socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
        drop(far);
        let closed = poll_fn(|cx| near.poll_peer_closed(cx)).await.unwrap();
        assert_eq!(closed, PeerClosed::Reset);
    });
}

#[test]
fn a_listener_that_is_level_triggered_hands_out_connection_after_connection() {
    on_both_backends(async || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = AsyncFd::level(listener).unwrap();
        let accept = async || listener.read_with(TcpListener::accept).await.unwrap().1;
        assert!(poll_once(accept()).await.is_none());
        for _ in 0..3 {
            // Both connect before the first is accepted: one event for two connections.
            let clients = [(); 2].map(|()| connect(address));
            for client in &clients {
                assert_eq!(accept().await, client.local_addr().unwrap());
            }
        }
        assert!(poll_once(accept()).await.is_none());
    });
}

#[test]
fn a_descriptor_that_was_given_back_can_be_taken_again() {
    on_both_backends(async || {
        let (near, mut far) = socket();
        assert!(poll_once(near.readable()).await.is_none());
        let near = AsyncFd::new(near.into_inner()).unwrap();
        assert!(poll_once(near.readable()).await.is_none());
        far.write_all(b"hello").unwrap();
        assert_eq!(read::<64>(&near).await.unwrap(), b"hello");
    });
}

#[test]
fn a_borrowed_descriptor_can_be_watched_by_one_after_the_other() {
    on_both_backends(async || {
        let (near, mut far) = UnixStream::pair().unwrap();
        for _ in 0..3 {
            let near = AsyncFd::new(&near).unwrap();
            assert!(poll_once(near.readable()).await.is_none());
            far.write_all(b"x").unwrap();
            let count = near
                .read_with(|socket| {
                    let mut socket: &UnixStream = socket;
                    socket.read(&mut [0; 16])
                })
                .await
                .unwrap();
            assert_eq!(count, 1);
        }
    });
}

#[test]
fn an_idle_connection_takes_little_memory() {
    assert_eq!(size_of::<AsyncFd<std::os::fd::OwnedFd>>(), 16);
}
