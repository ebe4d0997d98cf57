//! The addresses that workers listen on.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::signal::{Signal, kill};
use squall_runtime::process::fork_processes;
use squall_runtime::{BindAddress, bind_sockets};

use crate::case::{Case, Client, SOON, announce, greet, suspend};

fn greeters(address: impl Into<BindAddress>, workers: usize) -> io::Result<()> {
    let sockets = bind_sockets(address)?;
    if let Some(address) = sockets.local_addrs().first() {
        println!("port {}", address.port());
    }
    let id = fork_processes(workers)?;
    announce(id);
    greet(id, sockets)
}

pub fn a_taken_port_is_named(case: &Case) {
    let server = case.server(|| {
        let holder = TcpListener::bind("127.0.0.1:0")?;
        let port = holder.local_addr()?.port();
        println!("port {port}");
        greeters(port, 2)
    });
    let port = server.port();
    server.expect(&format!("error: cannot listen on 0.0.0.0:{port}: Address already in use"));
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn a_port_of_the_systems_choice_is_the_same_in_both_families(case: &Case) {
    let server = case.server(|| greeters(0, 2));
    let port = server.port();
    Client::connect((Ipv4Addr::LOCALHOST, port)).unwrap().greeting().unwrap();
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => drop(Client::connect((Ipv6Addr::LOCALHOST, port)).unwrap().greeting().unwrap()),
        Err(error) => println!("this machine has no IPv6: {error}"),
    }
}

pub fn connections_are_spread_over_the_workers(case: &Case) {
    let server = case.server(|| greeters("127.0.0.1:0", 2));
    let port = server.port();
    // A slot gets connections as soon as its worker listens.
    Client::of_worker(port, 1);
    let mut counts = [0, 0];
    for _ in 0..64 {
        counts[Client::local(port).greeting().unwrap().0] += 1;
    }
    // Fewer than 10 of 64 coins show heads once in 10^9 times.
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
}

pub fn connections_queued_on_a_killed_worker_are_answered(case: &Case) {
    let server = case.server(|| greeters("127.0.0.1:0", 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    for id in [0, 1] {
        Client::of_worker(port, id);
    }
    workers.into_iter().for_each(suspend);
    let clients = [(); 100].map(|()| {
        let mut client = Client::local(port);
        client.order("nothing");
        client
    });
    for worker in workers {
        kill(worker, Signal::SIGKILL).unwrap();
    }
    let mut counts = [0, 0];
    for mut client in clients {
        let (id, pid) = client.greeting().expect("no connection is lost");
        assert!(!workers.contains(&pid));
        counts[id] += 1;
    }
    assert!(counts.iter().all(|&count| count > 0), "both queues were used: {counts:?}");
}

pub fn an_address_of_one_worker_gets_no_connection_elsewhere(case: &Case) {
    let server = case.server(|| {
        let sockets = bind_sockets("127.0.0.1:0")?;
        let port = sockets.local_addrs()[0].port();
        let id = fork_processes(2)?;
        if id == 1 {
            loop {
                thread::park();
            }
        }
        println!("port {port}");
        greet(id, sockets)
    });
    let port = server.port();
    for _ in 0..32 {
        assert_eq!(Client::local(port).greeting().unwrap().0, 0);
    }
}

pub fn a_worker_may_bind_for_itself(case: &Case) {
    let server = case.server(|| {
        let id = fork_processes(2)?;
        let sockets = bind_sockets("127.0.0.1:0")?;
        println!("worker {id} at {}", sockets.local_addrs()[0].port());
        greet(id, sockets)
    });
    for id in [0, 1] {
        let port = server.number(&format!("worker {id} at ")).try_into().unwrap();
        assert_eq!(Client::local(port).greeting().unwrap().0, id);
    }
}

pub fn workers_share_a_unix_socket(case: &Case) {
    let server = case.server(|| {
        let path = std::env::temp_dir().join(format!("squall-fork-{}.sock", std::process::id()));
        println!("path {}", path.display());
        greeters(path, 2)
    });
    let path = server.expect("path ");
    let workers = [server.worker(0), server.worker(1)];
    // Either can take it.
    for (stopped, other) in [(0, 1), (1, 0)] {
        suspend(workers[stopped]);
        let mut greeting = String::new();
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        BufReader::new(stream).read_line(&mut greeting).unwrap();
        assert_eq!(greeting, format!("{other} {}\n", workers[other]));
        kill(workers[stopped], Signal::SIGCONT).unwrap();
    }
    drop(server);
    fs::remove_file(&path).unwrap();
}
