//! Sending files: in order with other data, as fast as the client reads, and ending with the error
//! of the file or the connection.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{FilePart, RegularFile, duplex};

/// More than the buffers of a connection, and not a multiple of the size of one job.
const LENGTH: usize = (16 << 20) + 4711;

/// Enough for a connection in memory, where `read_to_end` clears its whole buffer again and again.
const IN_MEMORY: usize = 300_001;

/// A file that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("squall-runtime-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    /// Opens the file again and returns a part of it.
    async fn part(&self, offset: u64, length: u64) -> FilePart {
        FilePart::new(RegularFile::open(&self.0).await.unwrap(), offset, length)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn text() -> Vec<u8> {
    let mut text = (0..=250).collect::<Vec<u8>>().repeat(LENGTH / 251 + 1);
    text.truncate(LENGTH);
    text
}

/// Sends all of `part` with a `poll_sendfile`.
async fn send_all(
    mut part: FilePart,
    mut send: impl FnMut(&mut std::task::Context<'_>, &mut FilePart) -> Poll<io::Result<u64>>,
) -> io::Result<()> {
    while part.left() > 0 {
        let left = part.left();
        let sent = poll_fn(|cx| send(cx, &mut part)).await?;
        assert!(sent > 0 && part.left() == left - sent);
    }
    Ok(())
}

/// Reads to the end of the stream, slowly at first.
fn read_slowly(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut received = Vec::new();
        for _ in 0..100 {
            let mut buffer = [0; 10_007];
            stream.read_exact(&mut buffer).unwrap();
            received.extend_from_slice(&buffer);
            thread::yield_now();
        }
        stream.read_to_end(&mut received).unwrap();
        received
    })
}

#[test]
fn a_file_arrives_whole_between_what_is_sent_around_it() {
    let text = text();
    let file = Scratch::new(&text);
    on_both_backends(async || {
        let expected = [b"head", &text[3..], b"tail"].concat();
        let part = async || file.part(3, LENGTH as u64 - 3).await;

        let (client, server) = tcp_pair().await;
        let reader = read_slowly(client);
        poll_fn(|cx| server.poll_send_more(cx, &[IoSlice::new(b"head")])).await.unwrap();
        send_all(part().await, |cx, part| server.poll_sendfile(cx, part)).await.unwrap();
        (&server).write_all(b"tail").await.unwrap();
        drop(server);
        assert!(reader.join().unwrap() == expected);

        let (client, server) = unix_pair().await;
        let reader = read_slowly(client);
        (&server).write_all(b"head").await.unwrap();
        send_all(part().await, |cx, part| server.poll_sendfile(cx, part)).await.unwrap();
        (&server).write_all(b"tail").await.unwrap();
        drop(server);
        assert!(reader.join().unwrap() == expected);

        let (mut client, mut server) = duplex(10_000);
        let write = async {
            let part = file.part(3, IN_MEMORY as u64).await;
            server.write_all(b"head").await.unwrap();
            send_all(part, |cx, part| server.poll_sendfile(cx, part)).await.unwrap();
            server.write_all(b"tail").await.unwrap();
            drop(server);
        };
        let mut received = Vec::new();
        let (read, ()) = zip(client.read_to_end(&mut received), write).await;
        read.unwrap();
        assert!(received == [b"head", &text[3..3 + IN_MEMORY], b"tail"].concat());
    });
}

#[test]
fn a_file_waits_for_a_client_that_does_not_read() {
    let file = Scratch::new(&text());
    on_both_backends(async || {
        let (mut client, server) = tcp_pair().await;
        let mut part = file.part(0, LENGTH as u64).await;
        // Runs until it waits for the socket, and not for the file.
        poll_fn(|cx| {
            loop {
                match server.poll_sendfile(cx, &mut part) {
                    Poll::Ready(sent) => assert!(sent.unwrap() > 0),
                    Poll::Pending if part.waits_for_file() => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        let left = part.left();
        assert!(left > 0, "no system buffers this much");
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            received.len()
        });
        send_all(part, |cx, part| server.poll_sendfile(cx, part)).await.unwrap();
        drop(server);
        assert_eq!(reader.join().unwrap(), LENGTH);
    });
}

#[test]
fn a_file_that_ends_early_fails_for_good() {
    let file = Scratch::new(b"0123456789");
    on_both_backends(async || {
        let (_client, server) = tcp_pair().await;
        let (_memory, other) = duplex(100);
        let mut parts = [file.part(0, 11).await, file.part(0, 11).await];
        File::options().write(true).open(&file.0).unwrap().set_len(10).unwrap();
        for _ in 0..2 {
            let [over_tcp, in_memory] = &mut parts;
            let error = poll_fn(|cx| server.poll_sendfile(cx, over_tcp)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            let error = poll_fn(|cx| other.poll_sendfile(cx, in_memory)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(over_tcp.has_failed() && in_memory.has_failed());
            // The error stays, even if the file recovers.
            File::options().append(true).open(&file.0).unwrap().write_all(b"more").unwrap();
        }
    });
}

#[test]
fn a_connection_that_breaks_is_no_fault_of_the_file() {
    let file = Scratch::new(&text());
    on_both_backends(async || {
        let (client, server) = tcp_pair().await;
        let mut part = file.part(0, LENGTH as u64).await;
        poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await.unwrap();
        drop(client);
        let error = loop {
            match poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await {
                Ok(_) => {}
                Err(error) => break error.kind(),
            }
        };
        let broken = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(broken.contains(&error) && !part.has_failed(), "{error:?}");
    });
}

#[test]
fn a_file_that_the_kernel_cannot_send_is_copied() {
    // The files of /proc have no pages, and report a length of 0.
    on_both_backends(async || {
        let (mut client, server) = tcp_pair().await;
        let file = RegularFile::open("/proc/self/mounts").await;
        let Ok(file) = file else { return };
        let text = fs::read("/proc/self/mounts").unwrap();
        let part = FilePart::new(file, 1, text.len() as u64 - 1);
        send_all(part, |cx, part| server.poll_sendfile(cx, part)).await.unwrap();
        drop(server);
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received, text[1..]);
    });
}
