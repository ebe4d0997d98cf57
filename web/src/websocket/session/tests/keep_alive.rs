use super::*;

fn pinging() -> WebSocketOptions {
    quiet().ping_interval(seconds(3600)).ping_timeout(seconds(1800))
}

#[test]
fn a_silent_peer_is_pinged_and_then_taken_for_dead() {
    run(async {
        let begin = IOLoop::current().time();
        let since = || (IOLoop::current().time() - begin).as_secs();
        let (mut ws, mut peer) = open(Role::Server, pinging());
        let end = IOLoop::current().spawn(async move { ws.recv().await.map(drop) });
        assert_eq!((receive(&mut peer).await, since()), (*b"\x89\x00", 3600));
        let mut close = Vec::new();
        peer.read_to_end(&mut close).await.unwrap();
        assert_eq!(close, b"\x88\x10\x03\xf3ping timed out");
        assert_eq!(error_of(end.await.unwrap()), WebSocketError::PingTimeout);
        assert_eq!(since(), 3600 + 1800 + 5);
    });
}

#[test]
fn any_byte_is_a_sign_of_life() {
    run(async {
        let begin = IOLoop::current().time();
        let (ws, mut peer) = open(Role::Server, pinging());
        for hour in 1..100 {
            assert_eq!(receive(&mut peer).await, *b"\x89\x00");
            assert_eq!((IOLoop::current().time() - begin).as_secs(), hour * 3600);
            // Also a message that no handler receives.
            let sign = if hour % 2 == 0 { masked(0x8a, b"") } else { masked(0x89, b"") };
            peer.write_all(&sign).await.unwrap();
            if hour % 2 == 1 {
                assert_eq!(receive(&mut peer).await, *b"\x8a\x00");
            }
        }
        assert!(ws.is_open());
    });
}

#[test]
fn the_peer_of_a_busy_handler_does_not_count_as_dead() {
    run(async {
        let (mut ws, mut peer) = open(Role::Server, quiet().ping_interval(seconds(10)));
        peer.write_all(&[masked(0x81, b"a"), masked(0x81, b"b")].concat()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some("a".into()));
        sleep(seconds(3600)).await;
        assert_eq!(ws.recv().await.unwrap(), Some("b".into()));
    });
}

#[test]
fn a_peer_that_reads_nothing_counts_as_dead() {
    run(async {
        let (ws, mut peer) = open(Role::Server, quiet().ping_interval(seconds(30)));
        ws.send(vec![0; 2 * CAPACITY]).await.unwrap();
        // Nothing reads what the peer sends, either.
        peer.write_all(&masked(0x81, b"a")).await.unwrap();
        sleep(seconds(61)).await;
        assert!(!ws.is_open());
        sleep(seconds(5)).await;
        assert_eq!(error_of(ws.send("late").await), WebSocketError::Closed);
        assert_eq!(ws.buffered(), 0);
    });
}

#[test]
fn an_idle_session_gives_back_the_memory_of_context_takeover() {
    run(async {
        let compression = WebSocketCompression::new().min_size(0);
        let options = WebSocketOptions::new().compression(compression);
        let (ws, mut peer) = open(Role::Server, options);
        ws.send("again and again ".repeat(100)).await.unwrap();
        assert!(ws.handle.session().memory() > 1000);
        sleep(seconds(59)).await;
        peer.write_all(&masked(0x8a, b"")).await.unwrap();
        sleep(seconds(2)).await;
        assert_eq!(ws.handle.session().memory(), 0);
    });
}
