//! Binding addresses, options, slots and stale sockets.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::FdFlags;
use socket2::{Domain, Socket, Type};

use super::*;
use crate::bind_sockets;

/// A directory for one test, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("squall-bind-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("app.sock")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn answers(address: SocketAddr) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "no loop runs here that this could block")]
    TcpStream::connect(address).map(drop)
}

fn blocking(listener: Listener) -> TcpListener {
    let Listener::Tcp(listener) = listener else { panic!("{listener:?}") };
    let listener = TcpListener::from(OwnedFd::from(listener));
    listener.set_nonblocking(false).unwrap();
    listener
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn port_0_is_one_port_in_both_families() {
    let addresses = bind_sockets(0).unwrap().local_addrs();
    assert_eq!(addresses.len(), 2, "{addresses:?}: is there no IPv6 here?");
    assert_eq!(addresses[0].ip(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(addresses[1].ip(), Ipv6Addr::UNSPECIFIED);
    assert_eq!(addresses[0].port(), addresses[1].port());
    assert_ne!(addresses[0].port(), 0);
}

#[test]
fn a_port_that_is_taken_in_one_family_is_passed_over() {
    let bind_fails = |failures: usize, kind: ErrorKind| {
        let mut calls = 0;
        let result = retry_in_use(3, || {
            calls += 1;
            if calls > failures { Ok(()) } else { Err(kind.into()) }
        });
        (calls, result.map_err(|error| error.kind()))
    };
    assert_eq!(bind_fails(2, ErrorKind::AddrInUse), (3, Ok(())));
    assert_eq!(bind_fails(3, ErrorKind::AddrInUse), (3, Err(ErrorKind::AddrInUse)));
    assert_eq!(bind_fails(1, ErrorKind::PermissionDenied), (1, Err(ErrorKind::PermissionDenied)));
}

#[test]
fn a_bound_address_takes_connections_at_once() {
    let sockets = bind_sockets(0).unwrap();
    let port = sockets.local_addrs()[0].port();
    answers((Ipv4Addr::LOCALHOST, port).into()).unwrap();
    // Not every machine has the other family.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        answers((Ipv6Addr::LOCALHOST, port).into()).unwrap();
    }
    drop(sockets);
    let gone = answers((Ipv4Addr::LOCALHOST, port).into()).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn one_address_is_one_socket() {
    let sockets = bind_sockets("127.0.0.1:0").unwrap();
    assert_eq!(sockets.local_addrs().len(), 1);
    let port = sockets.local_addrs()[0].port();
    assert_eq!(format!("{sockets:?}"), format!("[127.0.0.1:{port}]"));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let error = bind_sockets(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
}

#[test]
fn a_port_that_this_process_holds_is_in_use() {
    let sockets = bind_sockets(0).unwrap();
    let port = sockets.local_addrs()[0].port();
    let taken = || bind_sockets(port).unwrap_err().to_string();
    assert!(taken().contains(&format!("0.0.0.0:{port}")), "{}", taken());

    // The port stays taken even when each worker has a socket on it.
    let slots = Slots::open(3).unwrap();
    assert!(taken().contains(&format!("0.0.0.0:{port}")), "{}", taken());
    drop(slots);
}

#[test]
fn reuse_port_lets_two_servers_share() {
    let options = BindOptions::new().reuse_port(true);
    let first = options.bind_sockets(0).unwrap();
    let port = first.local_addrs()[0].port();
    let second = options.bind_sockets(port).unwrap();
    assert_eq!(first.local_addrs(), second.local_addrs());
    assert_eq!(bind_sockets(port).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn an_error_of_the_kernel_is_named() {
    // TEST-NET-1: no machine has this address.
    let error = bind_sockets("192.0.2.1:0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert!(error.to_string().contains("192.0.2.1:0"), "{error}");
    let error = bind_sockets("not an address").unwrap_err();
    assert!(error.to_string().contains("`not an address`"), "{error}");
}

#[test]
fn a_machine_without_ipv6_is_no_error() {
    // An address for documentation, which no machine has.
    let absent = "[2001:db8::1]:0".parse().unwrap();
    let bind = |addresses: &[SocketAddr]| {
        BindOptions::new().bind_all(addresses, &mut Vec::new()).map(|b| b.len())
    };
    assert_eq!(bind(&["127.0.0.1:0".parse().unwrap(), absent]).unwrap(), 1);
    assert_eq!(bind(&[absent]).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    assert!(is_family_absent(&Errno::AFNOSUPPORT.into()));
    assert!(!is_family_absent(&Errno::ADDRINUSE.into()));
}

#[test]
fn listeners_are_closed_on_exec_and_never_block() {
    let sockets = bind_sockets(0).unwrap();
    let slots = Slots::open(2).unwrap();
    for listener in sockets.into_listeners().unwrap() {
        let Listener::Tcp(fd) = &listener else { panic!("{listener:?}") };
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
        let flags = rustix::fs::fcntl_getfl(fd).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    }
    drop(slots);
}

#[test]
fn accepted_connections_do_not_wait_to_fill_packets() {
    let sockets = bind_sockets("127.0.0.1:0").unwrap();
    answers(sockets.local_addrs()[0]).unwrap();
    let listener = blocking(sockets.into_listeners().unwrap().remove(0));
    let (stream, _) = listener.accept().unwrap();
    assert!(stream.nodelay().unwrap());
}

#[test]
fn accepted_connections_have_the_options_of_their_listener() {
    let accepted = |options: &BindOptions| {
        let sockets = options.bind_sockets("127.0.0.1:0").unwrap();
        answers(sockets.local_addrs()[0]).unwrap();
        let listener = blocking(sockets.into_listeners().unwrap().remove(0));
        Socket::from(OwnedFd::from(listener.accept().unwrap().0))
    };
    let plain = accepted(&BindOptions::new());
    assert!(!plain.keepalive().unwrap(), "there are no probes by default");
    let options = BindOptions::new().nodelay(false).keep_alive(Duration::from_secs(40));
    let other = accepted(&options);
    assert!(!other.tcp_nodelay().unwrap());
    assert!(other.keepalive().unwrap());
    assert_eq!(other.tcp_keepalive_time().unwrap(), Duration::from_secs(40));
}

/// Writes to `stream` until the kernel accepts no more.
#[cfg(target_os = "linux")]
fn fill(mut stream: &TcpStream) -> usize {
    let zeros = vec![0; 64 * 1024];
    let mut taken = 0;
    loop {
        match stream.write(&zeros) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns how much the kernel buffers for a client that has read much and then stops.
#[cfg(target_os = "linux")]
fn held_for_one_that_stops(options: &BindOptions) -> usize {
    let sockets = options.bind_sockets("127.0.0.1:0").unwrap();
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    client.set_recv_buffer_size(64 * 1024).unwrap();
    client.connect(&sockets.local_addrs()[0].into()).unwrap();
    let listener = blocking(sockets.into_listeners().unwrap().remove(0));
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let mut client = TcpStream::from(client);
    let (mut written, mut read) = (0, 0);
    let mut buffer = vec![0; 256 * 1024];
    while read < 16 << 20 {
        written += fill(&server);
        read += client.read(&mut buffer).unwrap();
    }
    written += fill(&server);
    let waiting = rustix::io::ioctl_fionread(&client).unwrap();
    written - read - usize::try_from(waiting).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_buffers_little_for_a_client_that_does_not_read() {
    let by_default = held_for_one_that_stops(&BindOptions::new());
    assert!(by_default <= 256 * 1024, "{by_default} bytes by default");
    let little = held_for_one_that_stops(&BindOptions::new().notsent_lowat(16 * 1024));
    assert!(little <= 128 * 1024, "{little} bytes");
    let small = BindOptions::new().notsent_lowat(None).send_buffer_size(32 * 1024);
    let small = held_for_one_that_stops(&small);
    assert!(small <= 128 * 1024, "{small} bytes");
    let system = held_for_one_that_stops(&BindOptions::new().notsent_lowat(None));
    println!(
        "{by_default} by default, {little} with little, {small} in a small buffer, else {system}"
    );
    assert!(system > by_default, "{system} bytes if left to the system, {by_default} by default");
}

#[test]
fn a_slot_listens_once_its_worker_asks_for_its_listener() {
    let sockets = bind_sockets("127.0.0.1:0").unwrap();
    let address = sockets.local_addrs()[0];
    let slots = Slots::open(4).unwrap();
    let listener = blocking(sockets.into_listeners().unwrap().remove(0));
    for _ in 0..32 {
        answers(address).unwrap();
        listener.accept().unwrap();
    }
    drop(slots);
}

#[test]
fn a_retired_slot_gets_no_more_connections() {
    let sockets = bind_sockets("127.0.0.1:0").unwrap();
    let address = sockets.local_addrs()[0];
    let slots = Slots::open(2).unwrap();
    let second = blocking(sockets.0[0].listener(1).unwrap());
    slots.retire(0);
    for _ in 0..32 {
        answers(address).unwrap();
        second.accept().unwrap();
    }
}

#[test]
fn a_unix_socket_is_for_its_owner_by_default() {
    let directory = Directory::new("mode");
    let path = directory.socket();
    let sockets = bind_sockets(path.as_path()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(sockets.local_addrs(), []);
    UnixStream::connect(&path).unwrap();
    drop(sockets);
    let _sockets = BindOptions::new().unix_mode(0o666).bind_sockets(path.as_path()).unwrap();
    assert_eq!(mode(&path), 0o666);
    assert_eq!(directory.names(), ["app.sock"]);
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let directory = Directory::new("stale");
    let path = directory.socket();
    drop(UnixListener::bind(&path).unwrap());
    let _sockets = bind_sockets(path.as_path()).unwrap();
    UnixStream::connect(&path).unwrap();
    assert_eq!(directory.names(), ["app.sock"]);
}

#[test]
fn a_socket_with_a_listener_is_in_use() {
    let directory = Directory::new("served");
    let path = directory.socket();
    let first = bind_sockets(path.as_path()).unwrap();
    let error = bind_sockets(path.as_path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    UnixStream::connect(&path).unwrap();
    drop(first);

    fs::remove_file(&path).unwrap();
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    assert_eq!(bind_sockets(path.as_path()).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_socket_with_a_full_queue_is_in_use() {
    let directory = Directory::new("full");
    let path = directory.socket();
    let _full = BindOptions::new().backlog(0).bind_sockets(path.as_path()).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    assert_eq!(bind_sockets(path.as_path()).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_file_that_is_not_a_socket_is_not_removed() {
    let directory = Directory::new("file");
    let path = directory.socket();
    fs::write(&path, "precious").unwrap();
    let error = bind_sockets(path.as_path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let link = directory.0.join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(bind_sockets(link.as_path()).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_socket_that_took_the_name_of_a_stale_one_is_put_back() {
    let directory = Directory::new("race");
    let path = directory.socket();
    let _other = bind_sockets(path.as_path()).unwrap();
    assert_eq!(unix::remove_unserved(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    UnixStream::connect(&path).unwrap();
    assert_eq!(directory.names(), ["app.sock"]);
}

#[test]
fn an_abstract_name_has_no_file() {
    let name = format!("unix:@squall-{}", std::process::id());
    let sockets = bind_sockets(name.as_str()).unwrap();
    assert_eq!(format!("{sockets:?}"), format!("[{name}]"));
    assert_eq!(bind_sockets(name.as_str()).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_path_that_is_too_long_or_missing_is_named_in_the_error() {
    let long = format!("/tmp/{}", "x".repeat(200));
    assert!(bind_sockets(long.as_str()).unwrap_err().to_string().contains(&long));
    let error = bind_sockets("/nonexistent/app.sock").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nonexistent/app.sock"), "{error}");
}

/// Connects a client that is neither accepted nor refused until a server listens again.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_client_that_connects_while_held_off_retries() {
    let sockets = bind_sockets("127.0.0.1:0").unwrap();
    let address = sockets.local_addrs()[0];
    let connect = |limit| TcpStream::connect_timeout(&address, Duration::from_millis(limit));
    let group = std::rc::Rc::clone(&sockets.0);
    let listeners = sockets.into_listeners().unwrap();
    let _before = connect(30_000).expect("it listens");
    assert!(listeners.iter().all(Listener::hold_off));
    assert_eq!(connect(100).unwrap_err().kind(), ErrorKind::TimedOut);
    // Another server takes over the socket.
    group[0].listener(0).unwrap();
    connect(30_000).expect("it listens again");
    listeners[0].stop_listening();
    assert_eq!(connect(30_000).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Checks that a setting panics where it is set, and that the message names it.
fn refuses(setting: &str, set: impl FnOnce() -> BindOptions + std::panic::UnwindSafe) {
    let panic = std::panic::catch_unwind(set).expect_err(setting);
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with(&format!("`BindOptions::{setting}` must be ")), "{text}");
}

#[test]
fn a_setting_out_of_its_range_is_refused_where_it_is_set() {
    let new = BindOptions::new;
    for idle in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_millis(500),
        Duration::from_millis(999),
        Duration::from_secs(32_768),
        Duration::MAX,
    ] {
        refuses("keep_alive", move || new().keep_alive(idle));
    }
    refuses("notsent_lowat", move || new().notsent_lowat(0));
    refuses("notsent_lowat", move || new().notsent_lowat(u32::MAX));
    refuses("send_buffer_size", move || new().send_buffer_size(0));
    refuses("send_buffer_size", move || new().send_buffer_size(usize::MAX));
    refuses("unix_mode", move || new().unix_mode(0o1000));
    refuses("unix_mode", move || new().unix_mode(u32::MAX));
}

#[test]
fn the_kernel_accepts_every_value_that_a_setting_accepts() {
    for options in [
        BindOptions::new().keep_alive(Duration::from_secs(1)),
        BindOptions::new().keep_alive(Duration::from_millis(1500)),
        BindOptions::new().keep_alive(Duration::from_millis(32_767_999)),
        BindOptions::new().keep_alive(None),
        BindOptions::new().notsent_lowat(1),
        BindOptions::new().notsent_lowat(i32::MAX as u32),
        BindOptions::new().send_buffer_size(1),
        BindOptions::new().send_buffer_size(i32::MAX as usize),
        BindOptions::new().backlog(0),
        BindOptions::new().backlog(u32::MAX),
    ] {
        let sockets = options.bind_sockets("127.0.0.1:0");
        sockets.unwrap_or_else(|error| panic!("{options:?}: {error}"));
    }
    for mode in [0, 0o777] {
        let path = std::env::temp_dir().join(format!("squall-mode-{mode}-{}", std::process::id()));
        drop(BindOptions::new().unix_mode(mode).bind_sockets(path.as_path()).unwrap());
        let _ = fs::remove_file(path);
    }
}
