//! Servers that are busy when something happens to them.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall::HTTPServer;

use super::{application, connection_to, sender, serve};
use crate::case::{Case, SOON};
use crate::http::Connection;

/// How many connections keep a server busy.
const BUSY: usize = 16;

pub fn each_worker_serves_a_share_of_the_connections(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    let spread = || {
        let mut connections: Vec<_> = (0..64).map(|_| Connection::open(port).unwrap()).collect();
        let mut ask = || -> Vec<_> {
            connections.iter_mut().map(|one| sender(&one.get("/").unwrap()).1).collect()
        };
        let first = ask();
        for _ in 0..3 {
            assert_eq!(ask(), first, "another worker has answered");
        }
        workers.map(|worker| first.iter().filter(|&&pid| pid == worker).count())
    };
    // Fewer than 16 of 64 coins show heads, or tails, once in 25,000 times: one may try again.
    let fair = |counts: &[usize; 2]| counts.iter().all(|&count| count >= 16);
    let counts = [(); 2].map(|()| spread());
    println!("of 64 connections: {counts:?}");
    assert!(counts.iter().any(fair), "{counts:?}");
    assert!(counts.iter().all(|counts| counts.iter().sum::<usize>() == 64), "{counts:?}");
}

pub fn a_killed_worker_loses_only_what_it_was_serving(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let port = server.port();
    let mut workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]); // It listens by now.

    let load = Load::start(port);
    let (mut killed, mut times) = (Vec::new(), Vec::new());
    for id in [0, 1, 0, 1, 0] {
        load.await_answers();
        let start = Instant::now();
        kill(workers[id], Signal::SIGKILL).unwrap();
        // None of these can be lost: what waits at the listener of the one that is gone waits
        // for its replacement.
        let replacement = loop {
            let answer = Connection::open(port).and_then(|mut one| one.get("/"));
            let pid = sender(&answer.expect("new connections are answered")).1;
            if !workers.contains(&pid) {
                break pid;
            }
        };
        times.push(start.elapsed());
        assert_eq!(replacement, server.worker(id));
        killed.push(workers[id]);
        workers[id] = replacement;
    }
    load.await_answers();

    let lost = load.finish();
    println!("answered after {times:?}; {} requests were lost", lost.len());
    assert!(!lost.is_empty(), "nobody was busy");
    for Lost { client, worker, error } in &lost {
        let was_killed = worker.is_some_and(|worker| killed.contains(&worker));
        assert!(was_killed, "client {client} of {worker:?}, which nobody killed: {error}");
        let of_both =
            lost.iter().filter(|other| (other.client, other.worker) == (*client, *worker));
        assert_eq!(of_both.count(), 1, "client {client} has lost two requests to {worker:?}");
    }
    // The machine is busy, with these clients at least: the quickest time counts.
    assert!(times.iter().min().unwrap() < &Duration::from_secs(1), "{times:?}");
}

pub fn nobody_serves_after_the_supervisor_was_killed(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let port = server.port();
    let mut kept = [0, 1].map(|id| connection_to(port, server.worker(id)));
    let start = Instant::now();
    server.signal(Signal::SIGKILL);
    loop {
        match Connection::open(port).and_then(|mut one| one.get("/")) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            _ => assert!(start.elapsed() < SOON, "orphans serve"),
        }
    }
    println!("nobody listened after {:?}", start.elapsed());
    for connection in &mut kept {
        connection.get("/").expect_err("an orphan serves");
    }
    assert!(server.has_ended_within(SOON), "an orphan is left");
}

/// Clients that send one request after the other, each on a connection of its own, and connect
/// again when that ends.
struct Load {
    clients: Vec<JoinHandle<Vec<Lost>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By client.
    answered: [AtomicUsize; BUSY],
    is_over: AtomicBool,
}

/// A request that was not answered.
struct Lost {
    client: usize,
    /// The worker that served the connection, if it is known.
    worker: Option<Pid>,
    error: io::Error,
}

impl Load {
    fn start(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |number| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || client(port, number, &shared))
        };
        Self { clients: (0..BUSY).map(client).collect(), shared }
    }

    /// Waits until each client has had some more answers.
    #[track_caller]
    fn await_answers(&self) {
        let start = Instant::now();
        for answered in &self.shared.answered {
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 20 {
                assert!(start.elapsed() < SOON, "no answers");
                thread::yield_now();
            }
        }
    }

    /// The lost requests.
    fn finish(self) -> Vec<Lost> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

fn client(port: u16, number: usize, shared: &Shared) -> Vec<Lost> {
    let mut lost = Vec::new();
    while !shared.is_over.load(Ordering::Relaxed) {
        let mut worker = None;
        if let Err(error) = send_until_over(port, &shared.answered[number], shared, &mut worker) {
            lost.push(Lost { client: number, worker, error });
        }
    }
    lost
}

fn send_until_over(
    port: u16,
    answered: &AtomicUsize,
    shared: &Shared,
    worker: &mut Option<Pid>,
) -> io::Result<()> {
    let mut connection = Connection::open(port)?;
    while !shared.is_over.load(Ordering::Relaxed) {
        let (_, pid) = sender(&connection.get("/")?);
        assert_eq!(*worker.get_or_insert(pid), pid, "another worker has answered");
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
