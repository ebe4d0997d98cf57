//! Outgoing connections.

use super::*;

#[test]
fn connecting_without_a_listener_is_refused() {
    on_both_backends(async || {
        let address = localhost().local_addr().unwrap();
        let refused = TcpStream::connect(address).await;
        assert_eq!(kind(refused), Some(io::ErrorKind::ConnectionRefused));

        let nowhere = UnixStream::connect("/nonexistent/squall.sock").await;
        assert_eq!(kind(nowhere), Some(io::ErrorKind::NotFound));
    });
}

#[test]
fn a_host_is_tried_at_each_of_its_addresses() {
    on_both_backends(async || {
        // Of the addresses of `localhost`, only the last one accepts.
        let listener = localhost();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect_host("localhost", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());

        drop(listener);
        let refused = TcpStream::connect_host("localhost", port).await;
        assert_eq!(kind(refused), Some(io::ErrorKind::ConnectionRefused));
        assert!(TcpStream::connect_host("no such host", port).await.is_err());
    });
}
