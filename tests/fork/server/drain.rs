//! The functions that run when a graceful shutdown begins, and their reasons.

use std::io;
use std::process::id;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use squall::{HTTPServer, sleep};

use super::counted::application as probed;
use super::stop::{SHORT, serving};
use super::{application, serve};
use crate::case::{Case, SOON, Server};
use crate::http::Connection;

/// A server that says so when its end begins, and needs some time for that.
fn hooked(processes: usize, limit: Duration, time: Duration) -> io::Result<()> {
    let server = HTTPServer::new(application()).shutdown_timeout(limit);
    server.on_drain(async move |reason| {
        println!("{} hears: {reason:?}", id());
        sleep(time).await;
        println!("{} has said goodbye", id());
    });
    serve(&server, processes)
}

pub fn a_hook_runs_in_each_process_when_its_end_begins(case: &Case) {
    let server = case.server(|| hooked(2, SOON, SHORT));
    let workers = serving(&server, 2);
    server.signal(Signal::SIGHUP);
    // One after the other, and each when its replacement is ready.
    for _ in workers {
        let reason = server.expect(" hears: ");
        assert_eq!(reason, "Restart");
        server.expect(" has said goodbye");
    }
    server.signal(Signal::SIGTERM);
    let (status, lines) = server.ended();
    assert_eq!(status.code(), Some(0));
    let count = |text: &str| lines.iter().filter(|line| line.ends_with(text)).count();
    assert_eq!([" hears: Shutdown", " has said goodbye"].map(count), [2, 2], "{lines:?}");
}

pub fn a_hook_of_one_process_runs_and_is_waited_for(case: &Case) {
    let server = case.server(|| hooked(1, SOON, SHORT));
    serving(&server, 1);
    server.signal(Signal::SIGTERM);
    server.expect(" hears: Shutdown");
    server.expect(" has said goodbye");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_hook_that_takes_too_long_is_named_by_its_line(case: &Case) {
    let server = case.server(|| hooked(1, SHORT / 4, SOON));
    serving(&server, 1);
    server.signal(Signal::SIGTERM);
    let place = server.expect("WARN squall::general: the background task of ");
    assert!(
        place.starts_with(file!()) && place.ends_with("is cancelled: it exceeded shutdown_timeout")
    );
    assert_eq!(server.ended().0.code(), Some(0));
}

/// A server that continues for this long after it was asked to stop.
fn delayed(processes: usize, delay: Duration) -> io::Result<()> {
    serve(&HTTPServer::new(probed()?).drain_delay(delay), processes)
}

/// Asks anew each time, as a load balancer does, until it hears of the end.
#[track_caller]
fn await_not_ready(port: u16) {
    let start = Instant::now();
    loop {
        let answer = Connection::open(port).and_then(|mut one| one.get("/readyz")).unwrap();
        if answer.status() == 503 {
            return assert_eq!(answer.text(), "not ready: shutting down\n");
        }
        assert!(start.elapsed() < SOON, "{answer:?}");
    }
}

/// Tells it to end, and asserts that it serves on.
#[track_caller]
fn assert_goes_on(server: &Server, port: u16) {
    let mut kept = Connection::open(port).unwrap();
    kept.get("/").unwrap();
    server.signal(Signal::SIGTERM);
    await_not_ready(port);
    for connection in [&mut kept, &mut Connection::open(port).unwrap()] {
        let answer = connection.get("/").unwrap();
        assert_eq!((answer.status(), answer.header("connection")), (200, None));
    }
}

pub fn workers_serve_on_while_load_balancers_hear_of_the_end(case: &Case) {
    let server = case.server(|| delayed(2, 10 * SOON));
    let port = server.port();
    serving(&server, 2);
    assert_goes_on(&server, port);
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn one_process_serves_on_while_load_balancers_hear_of_the_end(case: &Case) {
    let server = case.server(|| delayed(1, 10 * SOON));
    let port = server.port();
    serving(&server, 1);
    assert_goes_on(&server, port);
    // The second order does not wait.
    while !server.has_ended_within(Duration::from_millis(20)) {
        server.signal(Signal::SIGTERM);
    }
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn the_end_begins_after_the_delay(case: &Case) {
    let server = case.server(|| delayed(2, SHORT));
    serving(&server, 2);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
    assert!(start.elapsed() >= SHORT);
}

pub fn a_handler_that_outlives_its_client_is_cut_as_well(case: &Case) {
    let server = case.server(|| {
        let hasty = HTTPServer::new(application()).shutdown_timeout(SHORT).half_close(true);
        serve(&hasty, 1)
    });
    let mut held = Connection::open(server.port()).unwrap();
    serving(&server, 1);
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    server.signal(Signal::SIGTERM);
    let refused = held.response().unwrap();
    assert_eq!((refused.status(), refused.header("connection")), (503, Some("close")));
    assert_eq!(server.ended().0.code(), Some(0));
}
