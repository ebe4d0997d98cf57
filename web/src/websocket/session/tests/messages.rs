use super::*;

#[test]
fn both_sides_send_and_receive_messages_of_any_length() {
    run(async {
        let (stream, other) = duplex(CAPACITY);
        let [mut server, client] =
            [(Role::Server, stream), (Role::Client, other)].map(|(role, s)| {
                let session = Session::new(Box::new(s), start(role, WebSocketOptions::new()), None);
                IOLoop::current().spawn_callback(Driver::new(&session));
                WebSocket::new(&session)
            });
        let echo = IOLoop::current().spawn(async move {
            while let Some(message) = server.recv().await? {
                server.send(message).await?;
            }
            Result::<_>::Ok(server.close_frame())
        });
        let (sender, mut receiver) = client.split();
        for length in [0, 1, 125, 126, 2000, 70_000, 1 << 20] {
            let messages = [Message::from("x".repeat(length)), Message::from(vec![7; length])];
            for message in messages {
                let send = async {
                    sender.send(message.clone()).await.unwrap();
                    pending().await
                };
                let received = future::or(receiver.next(), send).await;
                assert!(received == Some(Ok(message)), "{length}");
            }
        }
        sender.close(1000, "done").await.unwrap();
        let frame = echo.await.unwrap().unwrap().unwrap();
        assert_eq!((frame.code().as_u16(), frame.reason().as_str()), (1000, "done"));
        assert_eq!(receiver.next().await, None);
    });
}

#[test]
fn many_messages_in_one_packet_are_received_one_by_one() {
    run(async {
        let (mut ws, mut peer) = server();
        let packet =
            [masked(0x81, b"a"), masked(0x82, b"b"), masked(0x89, b"p"), masked(0x81, b"c")];
        peer.write_all(&packet.concat()).await.unwrap();
        let mut received = Vec::new();
        for _ in 0..3 {
            received.extend(ws.recv().await.unwrap());
        }
        let expected = [Message::from("a"), Message::from(b"b".to_vec()), Message::from("c")];
        assert_eq!(received, expected);
        assert_eq!(receive(&mut peer).await, *b"\x8a\x01p");
    });
}

#[test]
fn a_slow_peer_makes_senders_wait() {
    run(async {
        let (ws, mut peer) = open(Role::Server, quiet().max_send_buffer(10_000));
        let sent = Rc::new(Cell::new(0));
        let count = Rc::clone(&sent);
        IOLoop::current().spawn_callback(async move {
            loop {
                ws.send(vec![0; 996]).await.unwrap();
                assert!(ws.buffered() < 10_000 + 1000);
                count.set(count.get() + 1);
            }
        });
        sleep(seconds(1)).await;
        let first = sent.get();
        assert!((14..=15).contains(&first), "{first}");
        let mut buffer = vec![0; 5000];
        peer.read_exact(&mut buffer).await.unwrap();
        sleep(seconds(1)).await;
        assert_eq!(sent.get(), first + 5);
    });
}

#[test]
fn a_message_whose_future_is_dropped_is_not_sent_in_part() {
    run(async {
        let (ws, mut peer) = open(Role::Server, quiet().max_send_buffer(1));
        ws.send(vec![1; CAPACITY]).await.unwrap();
        assert!(timeout(seconds(1), ws.send("dropped")).await.is_err());
        let reader = IOLoop::current().spawn(async move {
            let mut bytes = vec![0; 4 + CAPACITY + 7];
            peer.read_exact(&mut bytes).await.unwrap();
            bytes
        });
        ws.send("whole").await.unwrap();
        assert!(reader.await.unwrap().ends_with(b"\x01\x81\x05whole"));
    });
}

#[test]
fn a_pong_overtakes_messages_that_wait_and_only_the_newest_is_kept() {
    run(async {
        let (ws, mut peer) = server();
        for _ in 0..10 {
            ws.send(vec![0; 996]).await.unwrap();
        }
        for payload in [b"1", b"2", b"3"] {
            peer.write_all(&masked(0x89, payload)).await.unwrap();
        }
        sleep(seconds(1)).await;
        let mut frames = vec![0; 10_000 + 3];
        peer.read_exact(&mut frames).await.unwrap();
        let pong = frames.windows(3).position(|bytes| bytes == b"\x8a\x013").unwrap();
        assert_eq!(pong % 1000, 0, "it is between two frames");
        assert!(pong <= 5000, "{pong}");
        assert_eq!(frames.iter().filter(|byte| **byte == 0x8a).count(), 1);
        drop(ws);
    });
}

#[test]
fn a_session_may_be_driven_in_the_task_of_its_handler() {
    run(async {
        let (stream, mut peer) = duplex(CAPACITY);
        let session = Session::new(Box::new(stream), start(Role::Server, quiet()), None);
        let mut ws = WebSocket::new(&session);
        let handler = async move {
            let first = ws.recv().await.unwrap();
            sleep(seconds(60)).await;
            (first, ws.recv().await.unwrap(), ws.recv().await.unwrap())
        };
        let mut driver = std::pin::pin!(Driver::new(&session));
        let mut handler = std::pin::pin!(handler);
        peer.write_all(&masked(0x81, b"a")).await.unwrap();
        let client = async {
            sleep(seconds(1)).await;
            // The handler is busy.
            peer.write_all(&masked(0x89, b"p")).await.unwrap();
            assert_eq!(receive(&mut peer).await, *b"\x8a\x01p");
            assert!(IOLoop::current().time() < std::time::Instant::now() + seconds(60));
            peer.write_all(&masked(0x81, b"b")).await.unwrap();
            peer.write_all(&masked(0x88, b"")).await.unwrap();
            pending().await
        };
        let both = poll_fn(|task| {
            let driven = driver.as_mut().poll(task);
            let handled = handler.as_mut().poll(task);
            if session.needs_poll() && driven.is_pending() {
                let _ = driver.as_mut().poll(task);
            }
            handled
        });
        let received = future::or(both, client).await;
        assert_eq!(received, (Some("a".into()), Some("b".into()), None));
    });
}

#[test]
fn a_flood_of_small_frames_lets_other_tasks_run() {
    run(async {
        let (stream, mut peer) = duplex(64 * 1024);
        let session = Session::new(Box::new(stream), start(Role::Server, quiet()), None);
        let flood = masked(0x8a, b"").repeat(10_000);
        peer.write_all(&flood).await.unwrap();
        IOLoop::current().spawn_callback(Driver::new(&session));
        let turns = Rc::new(RefCell::new(0));
        let ws = WebSocket::new(&session);
        peer.write_all(&masked(0x89, b"!")).await.unwrap();
        let count = async {
            loop {
                *turns.borrow_mut() += 1;
                sleep(Duration::ZERO).await;
            }
        };
        future::or(async { assert_eq!(receive(&mut peer).await, *b"\x8a\x01!") }, count).await;
        assert!(*turns.borrow() >= 10_000 / 256, "{turns:?}");
        drop(ws);
    });
}

#[test]
fn a_prepared_message_is_sent_to_many() {
    run(async {
        let prepared = Prepared::new("news ".repeat(20));
        let mut peers = Vec::new();
        for options in [quiet(), quiet().compression(WebSocketCompression::new().min_size(0))] {
            let (ws, peer) = open(Role::Server, options);
            ws.send_prepared(&prepared).await.unwrap();
            peers.push((ws, peer));
        }
        assert_eq!(receive(&mut peers[0].1).await, *b"\x81\x64news");
        assert_eq!(receive(&mut peers[1].1).await, [0xc1]);
    });
}

#[test]
fn a_waiting_session_is_small() {
    assert!(size_of::<state::State>() <= 440, "{}", size_of::<state::State>());
    run(async {
        let (mut ws, mut peer) = server();
        let received = IOLoop::current().spawn(async move { ws.recv().await.map(|_| ws) });
        peer.write_all(&masked(0x81, b"a")).await.unwrap();
        let ws = received.await.unwrap().unwrap();
        assert_eq!(ws.handle.session().memory(), 0);
    });
}
