//! A new program takes the place of a server that is busy.

use std::fs;
use std::path::PathBuf;
use std::process::id;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};
use squall::process::{ForkOptions, task_id};
use squall::{HTTPServer, IOLoop};

use super::application;
use super::supervised::{Load, patient};
use crate::case::{Case, Server, announce, await_end};
use crate::http::Connection;

/// The variable with the number of workers of the next program.
fn workers_file() -> PathBuf {
    std::env::temp_dir().join(format!("squall-workers-{}", getpgrp()))
}

fn serve(server: &HTTPServer) -> std::io::Result<()> {
    server.bind("127.0.0.1:0")?;
    println!("port {}", server.local_addrs()[0].port());
    println!("supervisor {}", id());
    match fs::read_to_string(workers_file())?.parse().map_err(std::io::Error::other)? {
        1 => server.start(1)?,
        workers => server.start(ForkOptions::new().workers(workers).max_workers(workers))?,
    }
    announce(task_id().unwrap_or(0));
    IOLoop::current().start()
}

/// Has a server with so many workers take over from one with so many others, one after the other.
fn upgrades(case: &Case, counts: &[usize]) {
    let write = |workers: usize| fs::write(workers_file(), workers.to_string()).unwrap();
    if !case.is_server() {
        write(counts[0]);
    }
    let server: Server = case.server(|| serve(&patient(application()).slow_callback(None)));
    let port = server.port();
    let supervisor = || Pid::from_raw(server.number("supervisor "));
    let come_up =
        |workers: usize| (0..workers).for_each(|id| assert!(server.worker(id).as_raw() > 0));
    let mut old = supervisor();
    come_up(counts[0]);
    let load = Load::start(port);
    for &workers in &counts[1..] {
        load.await_answers();
        write(workers);
        kill(old, Signal::SIGUSR2).unwrap();
        let new = supervisor();
        come_up(workers);
        await_end(old);
        assert_eq!(server.port(), port);
        old = new;
        // Each queue has a process that serves it.
        for _ in 0..32 {
            assert_eq!(Connection::open(port).unwrap().get("/").unwrap().status(), 200);
        }
    }
    load.await_answers();
    load.finish();
    kill(old, Signal::SIGTERM).unwrap();
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
    fs::remove_file(workers_file()).unwrap();
}

pub fn an_upgrade_fails_no_request(case: &Case) {
    upgrades(case, &[2, 2, 2, 2]);
}

pub fn queues_of_more_workers_than_there_are_now_are_served(case: &Case) {
    upgrades(case, &[4, 2, 3]);
}

pub fn one_process_takes_over_from_several(case: &Case) {
    upgrades(case, &[3, 1]);
}
