//! The sockets that a service manager passes, and the notifications that it receives.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::id;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use squall::{Application, Context, HTTPServer, get, route};
use squall_runtime::process::{ForkOptions, decline_reloads};
use squall_runtime::signal::{SIGTERM, Signals};
use squall_runtime::{BindAddress, IOLoop, bind_sockets};

use crate::case::{Case, Client, SOON, Server, announce, await_end, greet};
use crate::http::Connection;

fn two() -> ForkOptions {
    ForkOptions::new().workers(2)
}

fn greeters(address: impl Into<BindAddress>, options: ForkOptions) -> io::Result<()> {
    let sockets = bind_sockets(address)?;
    println!("supervisor {}", id());
    let worker = options.fork_processes()?;
    announce(worker);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "SQUALL_SOCKETS"] {
        assert!(env::var_os(name).is_none(), "{name} is left to whom the worker starts");
    }
    greet(worker, sockets)
}

/// The variable with the port of the sockets of a case.
const PORT: &str = "SQUALL_TEST_PORT";

/// A shell that runs the server with these sockets as systemd would: from descriptor 3 on, in a
/// process that `LISTEN_PID` names. One of them has this port.
fn activated<S: AsFd>(case: &Case, port: u16, sockets: &[S], names: &str, pid: &str) -> Server {
    // Out of the way of where they go.
    let apart: Vec<_> =
        sockets.iter().map(|socket| fcntl_dupfd_cloexec(socket, 20).unwrap()).collect();
    let mut script = String::new();
    for (index, socket) in apart.iter().enumerate() {
        fcntl_setfd(socket, FdFlags::empty()).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(socket);
        script += &format!("exec {}<&{number} {number}<&-; ", 3 + index);
    }
    let count = sockets.len();
    script += &format!("{PORT}={port} LISTEN_PID={pid} LISTEN_FDS={count} ");
    script += &format!("LISTEN_FDNAMES={names} exec \"$@\"");
    case.server_under("bash", &["-c", &script, "bash"], || unreachable!("it does not serve"))
}

/// In the server: the address of the socket with that port.
fn address() -> String {
    format!("127.0.0.1:{}", env::var(PORT).unwrap())
}

/// In the case: a socket, and its port.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub fn a_socket_of_the_address_is_taken(case: &Case) {
    if case.is_server() {
        case.server(|| greeters(address(), two()));
    }
    let (socket, port) = listener();
    let server = activated(case, port, &[&socket], "", "$$");
    let workers = [server.worker(0), server.worker(1)];
    // A client that connects between two servers waits for the second one.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
    let mut waiting = Client::local(port);
    let server = activated(case, port, &[&socket], "", "$$");
    let next = [server.worker(0), server.worker(1)];
    assert!(next.contains(&waiting.greeting().unwrap().1) && next != workers);
    // And a new program has it from this one.
    let supervisor = |server: &Server| Pid::from_raw(server.number("supervisor "));
    let old = supervisor(&server);
    kill(old, Signal::SIGUSR2).unwrap();
    let new = supervisor(&server);
    let last = [server.worker(0), server.worker(1)];
    await_end(old);
    assert!(last.contains(&Client::local(port).greeting().unwrap().1));
    kill(new, Signal::SIGTERM).unwrap();
    assert!(server.has_ended_within(SOON));
    drop(socket);
}

pub fn sockets_can_be_asked_for_by_name(case: &Case) {
    if case.is_server() {
        case.server(|| {
            let error = bind_sockets("systemd:other").unwrap_err();
            println!("{error}");
            greeters("systemd:web", two())
        });
    }
    let path = PathBuf::from(format!("/tmp/squall-activated-{}.sock", getpgrp()));
    let ((web, port), admin) = (listener(), UnixListener::bind(&path).unwrap());
    let server = activated(case, port, &[web.as_fd(), admin.as_fd()], "web:admin", "$$");
    server.expect("the service manager has passed no socket named `other`");
    server.expect(&format!("closing unix:{}, which was handed over", path.display()));
    let workers = [server.worker(0), server.worker(1)];
    assert!(workers.contains(&Client::local(port).greeting().unwrap().1));
    std::fs::remove_file(path).unwrap();
}

/// As systemd opens them by default.
pub fn who_comes_over_ipv4_to_a_socket_of_both_versions_is_known_so(case: &Case) {
    if case.is_server() {
        case.server(|| {
            let who = async |cx: &mut Context| {
                cx.write(format!("{:?}", cx.peer_addr().map(|peer| peer.ip())))
            };
            let server = HTTPServer::new(Application::new([route("/", get(who))]));
            server.bind("systemd:both")?.start(1)?;
            IOLoop::current().start()
        });
    }
    let socket = TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let server = activated(case, port, &[&socket], "both", "$$");
    let answer = Connection::open(port).unwrap().get("/").unwrap();
    assert_eq!(answer.text(), "Some(127.0.0.1)");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn what_is_meant_for_another_process_is_left_alone(case: &Case) {
    if case.is_server() {
        case.server(|| greeters(address(), two()));
    }
    let (socket, port) = listener();
    let server = activated(case, port, &[&socket], "", "1");
    server.expect("error: cannot listen on ");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn what_is_no_socket_for_connections_is_not_used(case: &Case) {
    if case.is_server() {
        case.server(|| greeters(address(), two()));
    }
    let datagrams = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let (socket, port) = listener();
    let server = activated(case, port, &[datagrams.as_fd(), socket.as_fd()], "", "$$");
    server.expect("descriptor 3 of systemd is not used: not a stream socket");
    server.worker(0);
    server.worker(1);
    Client::of_worker(port, 0);
}

pub fn what_was_handed_over_is_taken_once_whatever_comes_of_it(case: &Case) {
    if case.is_server() {
        case.server(|| {
            for _ in 0..2 {
                // It has the lowest number available: that of the socket, from the second time on.
                let mine = std::fs::File::open("/dev/null")?;
                println!("{}", bind_sockets(0).unwrap_err());
                mine.metadata()?;
            }
            println!("all files are open");
            Ok(())
        });
    }
    let (socket, port) = listener();
    let server = activated(case, port, &[&socket], "web SQUALL_SOCKETS=nonsense", "$$");
    server.expect("SQUALL_SOCKETS is malformed");
    server.expect("SQUALL_SOCKETS is malformed");
    server.expect("all files are open");
    assert_eq!(server.ended().0.code(), Some(0));
}

/// Where a manager listens for messages of this case.
fn manager() -> (UnixDatagram, String) {
    let name = format!("squall-manager-{}", getpgrp());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    (manager, format!("NOTIFY_SOCKET=@{name}"))
}

/// The next message that is no sign of life, without the time and what is for people.
fn next(manager: &UnixDatagram) -> String {
    loop {
        let text = message(manager);
        let is_told = |line: &&str| {
            *line != "WATCHDOG=1" && !line.starts_with("STATUS=") && !line.contains("_USEC=")
        };
        let told = text.lines().filter(is_told).collect::<Vec<_>>().join(" ");
        if !told.is_empty() {
            return told;
        }
    }
}

fn message(manager: &UnixDatagram) -> String {
    let mut message = [0; 512];
    let length = manager.recv(&mut message).expect("the server says something");
    String::from_utf8(message[..length].to_vec()).unwrap()
}

pub fn the_manager_is_told_what_the_server_does(case: &Case) {
    if case.is_server() {
        case.server(|| greeters("127.0.0.1:0", two()));
    }
    let (manager, variable) = manager();
    let server = case.server_under("env", &[&variable], || Ok(()));
    let old = server.number("supervisor ");
    assert_eq!(next(&manager), "READY=1");
    server.signal(Signal::SIGHUP);
    assert_eq!([next(&manager), next(&manager)], ["RELOADING=1", "READY=1"]);
    kill(Pid::from_raw(old), Signal::SIGUSR2).unwrap();
    assert_eq!(next(&manager), "RELOADING=1");
    let new = server.number("supervisor ");
    // The new one is not believed before the old one has named it.
    assert_eq!(next(&manager), format!("READY=1 MAINPID={new}"));
    assert_eq!(next(&manager), "READY=1");
    kill(Pid::from_raw(new), Signal::SIGTERM).unwrap();
    assert_eq!(next(&manager), "STOPPING=1");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn the_manager_is_told_how_many_workers_serve(case: &Case) {
    if case.is_server() {
        case.server(|| greeters("127.0.0.1:0", two()));
    }
    let (manager, variable) = manager();
    let server = case.server_under("env", &[&variable], || Ok(()));
    assert_eq!(message(&manager), "READY=1\nSTATUS=2 workers serve");
    server.signal(Signal::SIGTTIN);
    assert_eq!(message(&manager), "STATUS=3 workers serve");
    server.signal(Signal::SIGTTOU);
    assert_eq!(message(&manager), "STATUS=2 workers serve");
    server.signal(Signal::SIGTTOU);
    assert_eq!(message(&manager), "STATUS=1 worker serves");
}

pub fn a_new_program_that_fails_says_nothing_to_the_manager(case: &Case) {
    if case.is_server() {
        case.server(|| {
            let options = two().max_failed_starts(0, SOON);
            if env::var_os("SQUALL_SOCKETS").is_some() {
                let _sockets = bind_sockets("127.0.0.1:0")?;
                options.fork_processes()?;
                std::process::exit(4);
            }
            greeters("127.0.0.1:0", options)
        });
    }
    let (manager, variable) = manager();
    let server = case.server_under("env", &[&variable], || Ok(()));
    assert_eq!(next(&manager), "READY=1");
    server.signal(Signal::SIGUSR2);
    server.expect("exited with status 1 before it was ready: no upgrade");
    assert_eq!(next(&manager), "RELOADING=1");
    assert_eq!(message(&manager), "READY=1\nSTATUS=2 workers serve; the upgrade has failed");
    server.signal(Signal::SIGTERM);
    assert_eq!(next(&manager), "STOPPING=1");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn the_manager_hears_of_a_reload_of_nobody(case: &Case) {
    let marker = |supervisor: i32| format!("/tmp/squall-nobody-{supervisor}");
    if case.is_server() {
        case.server(|| {
            let supervisor = id().cast_signed();
            let sockets = bind_sockets("127.0.0.1:0")?;
            let worker = ForkOptions::new().workers(1).fork_processes()?;
            if std::path::Path::new(&marker(supervisor)).exists() {
                std::process::exit(4);
            }
            announce(worker);
            greet(worker, sockets)
        });
    }
    let (manager, variable) = manager();
    let server = case.server_under("env", &[&variable], || Ok(()));
    assert_eq!(next(&manager), "READY=1");
    std::fs::write(marker(server.pid().as_raw()), "").unwrap();
    kill(server.worker(0), Signal::SIGKILL).unwrap();
    // Nobody is there for so long.
    while server.number("exited with status 4, restarting in ") < 300 {}
    server.signal(Signal::SIGHUP);
    assert_eq!([next(&manager), next(&manager)], ["RELOADING=1", "READY=1"]);
    std::fs::remove_file(marker(server.pid().as_raw())).unwrap();
    server.worker(0);
}

pub fn signs_of_life_are_given_in_time(case: &Case) {
    if case.is_server() {
        case.server(|| greeters("127.0.0.1:0", two()));
    }
    let (manager, variable) = manager();
    let allowed = Duration::from_millis(200);
    let watchdog = format!("WATCHDOG_USEC={}", allowed.as_micros());
    let server = case.server_under("env", &[&variable, &watchdog], || Ok(()));
    let mut signs = 0;
    let mut is_ready = false;
    while signs < 5 || !is_ready {
        let text = message(&manager);
        signs += usize::from(text == "WATCHDOG=1");
        is_ready |= text.starts_with("READY=1");
    }
    drop(server);
}

pub fn one_process_tells_the_manager_as_well(case: &Case) {
    if case.is_server() {
        case.server(|| {
            ForkOptions::new().stay()?;
            decline_reloads()?;
            println!("this is one process");
            IOLoop::current().run_sync(async {
                let mut signals = Signals::new([SIGTERM])?;
                futures_lite::StreamExt::next(&mut signals).await;
                assert!(squall_runtime::process::announce_drain());
                Ok(())
            })?
        });
    }
    let (manager, variable) = manager();
    let command = ["env", &variable, "WATCHDOG_USEC=200000"];
    let server = case.server_under("setsid", &command, || Ok(()));
    server.expect("this is one process");
    assert_eq!(next(&manager), "READY=1");
    while message(&manager) != "WATCHDOG=1" {}
    server.signal(Signal::SIGHUP);
    assert_eq!([next(&manager), next(&manager)], ["RELOADING=1", "READY=1"]);
    server.signal(Signal::SIGTERM);
    assert_eq!(next(&manager), "STOPPING=1");
    assert_eq!(server.ended().0.code(), Some(0));
}
