//! Writing to a broken connection. The signal handler belongs to the whole process, so this is the
//! only test here.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall_runtime::{
    FilePart, IOLoop, PeerClosed, RegularFile, TcpListener, TcpStream, UnixStream, timeout,
};

#[test]
fn sending_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    // The default effect of the signal is death, and the standard library ignores it at startup. So
    // a handler shows that the signal does not even arrive.
    let signalled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::clone(&signalled)).unwrap();

    let two = [IoSlice::new(b"a"), IoSlice::new(b"b")];
    let test = timeout(Duration::from_secs(120), async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(poll_fn(|cx| server.poll_peer_closed(cx)).await, PeerClosed::Reset);
        // The error of the reset itself is reported once, to the next operation.
        let first = poll_fn(|cx| server.poll_send(cx, &two)).await.unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::ConnectionReset);
        for buffers in [&two[..1], &two[..]] {
            let error = poll_fn(|cx| server.poll_send(cx, buffers)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
        let file = RegularFile::open("Cargo.toml").await.unwrap();
        let mut part = FilePart::new(file, 0, 100);
        let error = poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);

        let (client, server) = UnixStream::pair().unwrap();
        drop(client);
        for buffers in [&two[..1], &two[..]] {
            let error = poll_fn(|cx| server.poll_send(cx, buffers)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
        let error = poll_fn(|cx| server.poll_sendfile(cx, &mut part)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
    IOLoop::current().run_sync(test).unwrap().unwrap();
    assert!(!signalled.load(Ordering::SeqCst));
}
