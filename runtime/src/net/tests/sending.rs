//! Sending: in order, and only as fast as the peer reads.

use super::*;

#[test]
fn a_sender_waits_when_the_receiver_does_not_read() {
    const LENGTH: usize = 8 << 20;

    on_both_backends(async || {
        let (mut client, server) = tcp_pair().await;
        let text: Vec<u8> = (0..=250).cycle().take(LENGTH).collect();
        let mut sent = 0;
        while let Some(length) = poll_once(send(&server, &text[sent..])).await {
            sent += length.unwrap();
        }
        assert!(sent < LENGTH, "no system buffers this much");

        let reader = thread::spawn(move || {
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
    on_both_backends(async || {
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
fn one_task_can_read_while_another_writes() {
    on_both_backends(async || {
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
