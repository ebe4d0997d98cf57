//! How the end of a connection is noticed.

use super::*;

#[test]
fn a_peer_that_closes_is_noticed() {
    on_both_backends(async || {
        for waits in [false, true] {
            let (client, server) = tcp_pair().await;
            let mut closed = pin!(peer_closed(&server));
            if waits {
                assert!(poll_once(&mut closed).await.is_none());
            }
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(closed.await, PeerClosed::Finished, "waits: {waits}");
            assert_eq!(recv(&server, 64).await.unwrap(), b"");
        }
    });
}

#[test]
fn a_peer_that_closes_is_noticed_with_bytes_unread() {
    // The portable backend cannot report this.
    on_fast_backend(async || {
        // Whether the stream was used before, and whether the watcher waits already.
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
fn a_reset_differs_from_a_fin() {
    on_both_backends(async || {
        for waits in [false, true] {
            let (client, server) = tcp_pair().await;
            let mut closed = pin!(peer_closed(&server));
            if waits {
                assert!(poll_once(&mut closed).await.is_none());
            }
            reset(client);
            assert_eq!(closed.await, PeerClosed::Reset, "waits: {waits}");
        }
    });
}

#[test]
fn a_reset_is_noticed_after_a_fin_and_with_bytes_unread() {
    on_fast_backend(async || {
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
fn a_reset_fails_a_waiting_reader() {
    on_both_backends(async || {
        let (client, server) = tcp_pair().await;
        let mut reading = pin!(recv(&server, 64));
        assert!(poll_once(&mut reading).await.is_none());
        reset(client);
        assert_eq!(kind(reading.await), Some(io::ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_unix_peer_that_closes_is_noticed() {
    on_both_backends(async || {
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
