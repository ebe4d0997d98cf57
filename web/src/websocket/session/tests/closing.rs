use super::*;

/// Reads up to the end of the stream.
async fn rest(peer: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[test]
fn a_close_frame_is_answered_with_its_code() {
    let cases: [(&[u8], &[u8]); 3] = [
        (b"", b"\x88\x00"),
        (b"\x03\xe8bye", b"\x88\x02\x03\xe8"),
        (b"\x0f\xa0", b"\x88\x02\x0f\xa0"),
    ];
    for (payload, answer) in cases {
        run(async {
            let (mut ws, mut peer) = server();
            peer.write_all(&masked(0x81, b"last")).await.unwrap();
            peer.write_all(&masked(0x88, payload)).await.unwrap();
            peer.write_all(&masked(0x81, b"ignored")).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some("last".into()));
            assert_eq!(ws.recv().await.unwrap(), None);
            assert_eq!(ws.recv().await.unwrap(), None);
            assert_eq!(rest(&mut peer).await, answer);
            let code = ws.close_frame().map(|frame| frame.code().as_u16().to_be_bytes());
            assert_eq!(code.as_ref().map(|code| &code[..]), payload.get(..2));
            assert_eq!(error_of(ws.send("late").await), WebSocketError::Closed);
        });
    }
}

#[test]
fn a_close_frame_does_not_overtake_messages_that_wait_for_room() {
    run(async {
        let (ws, mut peer) = open(Role::Server, quiet().max_send_buffer(1000));
        let sender = IOLoop::current().spawn(async move {
            for byte in 0..10 {
                ws.send(vec![byte; 996]).await?;
            }
            Result::<_>::Ok(ws)
        });
        sleep(seconds(1)).await;
        peer.write_all(&masked(0x88, b"")).await.unwrap();
        sleep(seconds(1)).await;
        let received = rest(&mut peer).await;
        assert_eq!(received.len(), 10 * 1000 + 2);
        assert!(received.ends_with(b"\x88\x00"));
        assert!(!sender.await.unwrap().unwrap().is_open());
    });
}

#[test]
fn a_close_frame_is_answered_while_the_handler_is_busy() {
    run(async {
        let (ws, mut peer) = server();
        peer.write_all(&masked(0x88, b"")).await.unwrap();
        assert_eq!(rest(&mut peer).await, b"\x88\x00");
        assert!(!ws.is_open());
    });
}

#[test]
fn closing_waits_for_the_close_frame_of_the_peer() {
    run(async {
        let (ws, mut peer) = server();
        let begin = IOLoop::current().time();
        let closed = IOLoop::current().spawn(async move {
            ws.close(3001, "bye").await.unwrap();
            ws
        });
        assert_eq!(receive(&mut peer).await, *b"\x88\x05\x0b\xb9bye");
        sleep(seconds(4)).await;
        peer.write_all(&masked(0x81, b"dropped")).await.unwrap();
        peer.write_all(&masked(0x88, b"\x03\xe8ok")).await.unwrap();
        let ws = closed.await.unwrap();
        assert_eq!(ws.close_frame().unwrap().reason(), "ok");
        assert_eq!(rest(&mut peer).await, b"");
        assert_eq!(IOLoop::current().time() - begin, seconds(4));
    });
}

#[test]
fn closing_does_not_wait_for_longer_than_its_limit() {
    run(async {
        let (ws, mut peer) = server();
        let begin = IOLoop::current().time();
        ws.close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(IOLoop::current().time() - begin, seconds(5));
        assert_eq!(rest(&mut peer).await, b"\x88\x02\x03\xe8");
    });
}

#[test]
fn codes_and_reasons_that_may_not_be_sent_are_errors() {
    run(async {
        let (ws, _peer) = server();
        let error = ws.close(1005, "").await.unwrap_err();
        assert_eq!(error.to_string(), "the close code 1005 may not be sent");
        assert_eq!(error.location().file(), file!());
        assert!(ws.close(1000, "x".repeat(124)).await.is_err());
        assert!(ws.ping([0; 126]).await.is_err());
        assert!(ws.is_open());
    });
}

#[test]
fn a_peer_that_breaks_the_protocol_receives_the_close_code() {
    run(async {
        let (mut ws, mut peer) = open(Role::Server, quiet().max_message_size(10));
        let begin = IOLoop::current().time();
        peer.write_all(&masked(0x81, &[b'x'; 11])).await.unwrap();
        let WebSocketError::Protocol(error) = error_of(ws.recv().await) else { panic!() };
        assert_eq!(
            (error.close_code(), error.to_string()),
            (CloseCode::MESSAGE_TOO_BIG, "message too big".into())
        );
        assert_eq!(rest(&mut peer).await, b"\x88\x11\x03\xf1message too big");
        assert_eq!(error_of(ws.send("late").await), WebSocketError::Closed);
        // What the peer still sends does not make the system reset the connection.
        peer.write_all(&[0; CAPACITY]).await.unwrap();
        drop(peer);
        ws.close(1000, "").await.unwrap();
        assert_eq!(IOLoop::current().time(), begin);
    });
}

#[test]
fn messages_before_an_abrupt_end_are_received() {
    run(async {
        let (mut ws, mut peer) = server();
        peer.write_all(&[masked(0x81, b"a"), masked(0x81, b"b")].concat()).await.unwrap();
        drop(peer);
        assert_eq!(ws.recv().await.unwrap(), Some("a".into()));
        assert_eq!(ws.recv().await.unwrap(), Some("b".into()));
        let lost = WebSocketError::ConnectionLost(io::ErrorKind::UnexpectedEof);
        assert_eq!(error_of(ws.recv().await), lost);
        assert_eq!(error_of(ws.recv().await), lost);
        assert_eq!(ws.close_frame(), None);
    });
}

#[test]
fn dropping_the_last_handle_closes_the_connection() {
    run(async {
        let (ws, mut peer) = server();
        let (sender, receiver) = ws.split();
        drop(receiver);
        sender.send("still open").await.unwrap();
        assert_eq!(receive(&mut peer).await, *b"\x81\x0astill open");
        drop(sender);
        assert_eq!(receive(&mut peer).await, *b"\x88\x02\x03\xe8");
    });
}

#[test]
fn a_client_waits_for_the_server_to_end_the_connection() {
    run(async {
        let (ws, mut peer) = open(Role::Client, quiet());
        let closed = IOLoop::current().spawn(async move { ws.close(1000, "").await });
        let [first, second, ..] = receive::<8>(&mut peer).await;
        assert_eq!((first, second), (0x88, 0x82));
        peer.write_all(b"\x88\x02\x03\xe8").await.unwrap();
        assert!(timeout(seconds(1), peer.read(&mut [0])).await.is_err(), "it is still there");
        drop(peer);
        closed.await.unwrap().unwrap();
    });
}
