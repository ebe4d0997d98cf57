//! How connections are spread where all workers listen on one socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall::process::task_id;
use squall::{HTTPServer, IOLoop};

use super::application;
use crate::case::{Case, SOON, Server, announce, suspend};

fn over_a_unix_socket(case: &Case) -> (Server, String) {
    let server = case.server(|| {
        let path = std::env::temp_dir().join(format!("squall-fork-{}.sock", std::process::id()));
        let server = HTTPServer::new(application()).slow_callback(None);
        server.bind(path.as_path())?;
        println!("path {}", path.display());
        server.start(2)?;
        announce(task_id().unwrap_or_default());
        IOLoop::current().start()
    });
    let path = server.expect("path ");
    (server, path)
}

pub fn who_waits_at_a_shared_socket_is_answered_to_the_last(case: &Case) {
    answers_who_waits(case, 0, |_| ());
}

pub fn who_waits_at_a_shared_socket_for_workers_that_die_is_answered(case: &Case) {
    answers_who_waits(case, 1, |workers| {
        workers.iter().for_each(|&worker| kill(worker, Signal::SIGKILL).unwrap());
    });
}

/// Clients are queued when something happens to the workers, and the supervisor hears of it after
/// the order to stop.
fn answers_who_waits(case: &Case, last_workers: usize, happen: impl FnOnce(&[Pid])) {
    let (server, path) = over_a_unix_socket(case);
    let workers = [server.worker(0), server.worker(1)];
    let (_kept, _) = keep(&path);
    workers.into_iter().for_each(suspend);
    suspend(server.pid());
    let connect = |_| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    };
    let waiting: Vec<_> = (0..100).map(connect).collect();
    happen(&workers);
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("who has connected is answered");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    let start = Instant::now();
    while UnixStream::connect(&path).is_ok() {
        assert!(start.elapsed() < SOON, "it listens");
    }
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(0));
    // The supervisor starts no worker if no client waits.
    let started = others.iter().filter(|line| line.starts_with("this is worker")).count();
    assert_eq!(started, last_workers, "{others:?}");
    let _ = std::fs::remove_file(path);
}

/// A connection that is kept, and the worker that has it.
fn keep(path: &str) -> (UnixStream, usize) {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(&stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "it is answered");
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let worker = String::from_utf8(body).unwrap();
    let worker = worker.split(' ').next().unwrap().parse().unwrap();
    drop(reader);
    (stream, worker)
}

pub fn kept_connections_are_spread_evenly(case: &Case) {
    let (server, path) = over_a_unix_socket(case);
    server.worker(0);
    server.worker(1);
    // The first ones may come before the other worker is ready, and so it may have to catch up.
    let kept: Vec<_> = (0..64).map(|_| keep(&path)).collect();
    let count = |worker| kept.iter().filter(|kept| kept.1 == worker).count();
    println!("of 64 connections: {} and {}", count(0), count(1));
    assert!(count(0) >= 16 && count(1) >= 16, "{} and {}", count(0), count(1));
    std::fs::remove_file(path).unwrap();
}

pub fn who_has_more_takes_what_nobody_else_does(case: &Case) {
    let (server, path) = over_a_unix_socket(case);
    let workers = [server.worker(0), server.worker(1)];
    keep(&path);
    suspend(workers[1]);
    let start = Instant::now();
    let kept: Vec<_> = (0..8).map(|_| keep(&path)).collect();
    assert!(kept.iter().all(|kept| kept.1 == 0));
    assert!(start.elapsed() < SOON / 4, "{:?}", start.elapsed());
    kill(workers[1], Signal::SIGCONT).unwrap();
    std::fs::remove_file(path).unwrap();
}
