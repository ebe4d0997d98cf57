//! Incoming connections.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use super::*;

#[test]
fn a_connection_that_is_not_accepted_causes_no_turns() {
    on_both_backends(async || {
        let listener = localhost();
        // Waiting once registers the listener.
        assert!(poll_once(listener.accept()).await.is_none());
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();

        let before = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        sleep(Duration::from_millis(300)).await;
        let after = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let used = Duration::try_from(after - before).unwrap();
        assert!(used < Duration::from_millis(100), "the loop was busy for {used:?}");
        listener.accept().await.unwrap();
    });
}

#[test]
fn connections_that_queue_up_are_all_accepted() {
    on_both_backends(async || {
        let listener = localhost();
        let address = listener.local_addr().unwrap();
        for _ in 0..3 {
            let mut clients = Vec::new();
            for _ in 0..20 {
                clients.push(TcpStream::connect(address).await.unwrap());
            }
            for client in &clients {
                let (server, peer) = listener.accept().await.unwrap();
                assert_eq!(client.local_addr().unwrap(), peer);
                assert_eq!(server.peer_addr().unwrap(), peer);
                assert_eq!(server.local_addr().unwrap(), address);
            }
            assert!(poll_once(listener.accept()).await.is_none());
        }
    });
}

#[test]
fn a_connection_reset_in_the_queue_does_not_fail_the_listener() {
    on_both_backends(async || {
        let listener = localhost();
        let address = listener.local_addr().unwrap();
        let broken = TcpStream::connect(address).await.unwrap();
        reset(std::os::fd::OwnedFd::from(broken).into());
        let good = TcpStream::connect(address).await.unwrap();
        let good = good.local_addr().unwrap();
        // Linux returns the broken connection, too. Other systems do not.
        while listener.accept().await.unwrap().1 != good {}
    });
}

#[test]
fn accepted_sockets_do_not_block_close_on_exec_and_send_at_once() {
    on_both_backends(async || {
        let (_client, server) = tcp_pair().await;
        assert!(rustix::fs::fcntl_getfl(&server).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&server).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert!(rustix::net::sockopt::tcp_nodelay(&server).unwrap());
    });
}

#[test]
fn ipv6_is_spoken_where_the_system_has_it() {
    on_both_backends(async || {
        let Ok(listener) = TcpListener::bind("[::1]:0".parse().unwrap()) else { return };
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(client.local_addr().unwrap(), peer);
        assert!(peer.is_ipv6());
    });
}

#[test]
fn unix_addresses_are_paths_or_names_or_nothing() {
    on_both_backends(async || {
        let directory = std::env::temp_dir();
        let path = directory.join(format!("squall-{}-listener.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path.as_path()));
        assert_eq!(kind(UnixListener::bind(&path)), Some(io::ErrorKind::AddrInUse));

        let short = directory.join(format!("squall-{}-client.sock", std::process::id()));
        // If there is no room, the kernel accepts a name without the zero at its end.
        let longest = directory.join("x".repeat(108 - 1 - directory.as_os_str().len()));
        for name in [short, longest] {
            let bound = SocketAddrUnix::new(&name).unwrap();
            let address = accept_from(&listener, Some(&bound)).await;
            std::fs::remove_file(&name).unwrap();
            assert_eq!(address.as_pathname(), Some(name.as_path()));
        }
        let bound = SocketAddrUnix::new_abstract_name(b"squall test").unwrap();
        let address = accept_from(&listener, Some(&bound)).await;
        assert!(address.as_pathname().is_none() && !address.is_unnamed());
        assert!(accept_from(&listener, None).await.is_unnamed());
        std::fs::remove_file(path).unwrap();
    });
}

/// Returns the address that `listener` reports for a client bound to `name`.
async fn accept_from(
    listener: &UnixListener,
    name: Option<&SocketAddrUnix>,
) -> std::os::unix::net::SocketAddr {
    let client = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    if let Some(name) = name {
        rustix::net::bind(&client, name).unwrap();
    }
    let path = listener.local_addr().unwrap();
    let path = SocketAddrUnix::new(path.as_pathname().unwrap()).unwrap();
    rustix::net::connect(&client, &path).unwrap();
    listener.accept().await.unwrap().1
}
