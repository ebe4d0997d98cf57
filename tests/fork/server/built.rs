//! Applications that fail to build.

use std::io;
use std::path::PathBuf;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpgrp;
use squall::process::task_id;
use squall::{Application, HTTPServer, Result};

use super::{application, connection_to, serve};
use crate::case::{Case, Server};

/// How the builder fails.
const CAUSE: &str = "cannot build the application: no database";

/// The application, unless a file says that there is no database.
fn build() -> Result<Application> {
    match missing().exists() {
        true => Err(io::Error::other("no database"))?,
        false => Ok(application()),
    }
}

fn missing() -> PathBuf {
    std::env::temp_dir().join(format!("squall-missing-{}", getpgrp()))
}

/// The server has given up, and said no more than it has to.
#[track_caller]
fn gave_up(server: Server) {
    let line = server.expect("exited with status 1; ");
    assert_eq!(line, "the server cannot start, giving up");
    server.port();
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(1));
    // The other worker may have failed as well.
    assert!(others.len() <= 1, "{others:?}");
    assert!(others.iter().all(|line| line.contains(CAUSE)), "{others:?}");
}

pub fn a_server_whose_application_cannot_be_built_gives_up_at_once(case: &Case) {
    let server =
        case.server(|| serve(&HTTPServer::try_with(|| Err::<Application, _>("no database")), 2));
    server.expect(&format!(" cannot start: {CAUSE}"));
    gave_up(server);
}

pub fn a_server_whose_builder_panics_gives_up_at_once(case: &Case) {
    fn no_database() -> Result<Application, &'static str> {
        panic!("no database")
    }
    let server = case.server(|| serve(&HTTPServer::try_with(no_database), 2));
    server.expect(" cannot start: cannot build the application: panic: no database");
    let line = server.expect("exited with status 1; ");
    assert_eq!(line, "the server cannot start, giving up");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn a_server_that_gives_up_does_not_wait_for_a_worker_that_still_builds(case: &Case) {
    let server = case.server(|| {
        let build = || {
            if task_id() == Some(0) {
                println!("it builds for ever");
                loop {
                    thread::park();
                }
            }
            while !missing().exists() {
                thread::yield_now();
            }
            build()
        };
        serve(&HTTPServer::try_with(build), 2)
    });
    server.expect("it builds for ever");
    std::fs::write(missing(), "").unwrap();
    server.expect(&format!("worker 1 cannot start: {CAUSE}"));
    gave_up(server);
    std::fs::remove_file(missing()).unwrap();
}

pub fn one_process_whose_application_cannot_be_built_returns_the_error(case: &Case) {
    let server = case.server(|| {
        let cause = io::Error::other("no database");
        serve(&HTTPServer::try_with(move || Err::<Application, _>(cause)), 1)
    });
    server.expect(&format!("error: {CAUSE}"));
    server.port();
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(1), Vec::new()));
}

pub fn a_reload_that_fails_to_build_keeps_the_workers(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::try_with(build), 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]);
    std::fs::write(missing(), "").unwrap();
    server.signal(Signal::SIGHUP);
    server.expect(&format!(" cannot start: {CAUSE}"));
    server.expect("exited with status 1; the workers that are there are kept");
    for worker in workers {
        connection_to(port, worker);
    }
    std::fs::remove_file(missing()).unwrap();
    server.signal(Signal::SIGHUP);
    server.worker(0);
    server.worker(1);
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_dead_worker_is_replaced_once_its_application_can_be_built(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::try_with(build), 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[0]);
    connection_to(port, workers[1]);
    std::fs::write(missing(), "").unwrap();
    kill(workers[1], Signal::SIGKILL).unwrap();
    for _ in 0..3 {
        server.expect(&format!("worker 1 cannot start: {CAUSE}"));
        server.expect("exited with status 1, restarting");
        connection_to(port, workers[0]);
    }
    std::fs::remove_file(missing()).unwrap();
    connection_to(port, server.worker(1));
}
