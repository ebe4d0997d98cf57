//! Receiving, and the data that an edge-triggered reactor could miss.

use super::*;

#[test]
fn a_fin_that_comes_with_the_data_is_seen() {
    on_both_backends(async || {
        // One edge announces both, whether the reader waits already or comes later.
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
    on_both_backends(async || {
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

    on_both_backends(async || {
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
                // No further edge comes for data that has already arrived.
                read += recv(&server, 1).await.unwrap().len();
            }
        });
        reader.await.unwrap();
        assert!(turns.get() > 100, "others ran {} times", turns.get());
    });
}

#[test]
fn a_buffer_that_was_filled_is_not_taken_for_the_end() {
    on_both_backends(async || {
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
fn false_readiness_only_waits_again() {
    on_both_backends(async || {
        let (mut client, server) = tcp_pair().await;
        let fd = std::os::fd::AsFd::as_fd(&server).try_clone_to_owned().unwrap();
        let mut thief = std::net::TcpStream::from(fd);

        let reader = IOLoop::current().spawn(async move { recv(&server, 64).await.unwrap() });
        settle().await;
        client.write_all(b"stolen").unwrap();
        // The reactor has not looked since, so it will find the descriptor ready. But the reader
        // finds nothing.
        assert_eq!(thief.read(&mut [0; 64]).unwrap(), 6);
        settle().await;
        client.write_all(b"kept").unwrap();
        assert_eq!(reader.await.unwrap(), b"kept");
    });
}

#[test]
fn dropping_an_unused_stream_frees_its_descriptor_for_the_next() {
    on_both_backends(async || {
        // The next socket gets the number of the last one. The registration of the old socket must
        // not be used for the new one.
        for round in 0..50_u8 {
            let (mut client, server) = tcp_pair().await;
            assert!(poll_once(recv(&server, 8)).await.is_none());
            client.write_all(&[round]).unwrap();
            assert_eq!(recv(&server, 8).await.unwrap(), [round]);
            client.write_all(b"left over").unwrap();
        }
    });
}

/// Returns the bytes that a waiting server receives while `send` sends.
async fn receive_behind_short_reads<S>(
    mut server: S,
    expected: &[u8],
    send: impl FnOnce(),
) -> Vec<u8>
where
    S: futures_lite::AsyncRead + Unpin,
{
    let mut buffer = [0; 64];
    // It is registered from here on, and waits for events only.
    assert!(poll_once(server.read(&mut buffer)).await.is_none());
    send();
    let mut received = Vec::new();
    let all = async {
        while received.len() < expected.len() {
            let count = server.read(&mut buffer).await.unwrap();
            received.extend_from_slice(&buffer[..count]);
        }
    };
    crate::timeout(Duration::from_secs(20), all).await.expect("the rest is received");
    received
}

#[test]
fn bytes_behind_urgent_data_are_received() {
    on_both_backends(async || {
        let (client, server) = tcp_pair().await;
        let expected = b"before, behind";
        let received = receive_behind_short_reads(server, expected, || {
            (&client).write_all(b"before,").unwrap();
            rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
            (&client).write_all(b" behind").unwrap();
        });
        assert_eq!(received.await, expected);
    });
}

#[test]
fn bytes_behind_a_descriptor_that_was_sent_along_are_received() {
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

    on_both_backends(async || {
        let (client, server) = unix_pair().await;
        let expected = b"before, behind";
        let received = receive_behind_short_reads(server, expected, || {
            let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut along = SendAncillaryBuffer::new(&mut room);
            let descriptors = [client.as_fd()];
            assert!(along.push(SendAncillaryMessage::ScmRights(&descriptors)));
            let before = [IoSlice::new(b"before,")];
            rustix::net::sendmsg(&client, &before, &mut along, SendFlags::empty()).unwrap();
            (&client).write_all(b" behind").unwrap();
        });
        assert_eq!(received.await, expected);
    });
}
