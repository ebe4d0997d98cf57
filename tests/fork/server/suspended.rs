//! Time in which processes are suspended counts for no limit.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};
use squall::process::ForkOptions;
use squall::{Application, HTTPServer, get, route};

use super::{application, connection_to, sender, serve, who};
use crate::case::{Case, SOON, Server, await_end, suspend};
use crate::http::Connection;

/// A limit that leaves a busy machine enough time.
const LIMIT: Duration = Duration::from_secs(3);

/// Longer than the limit.
const PAUSE: Duration = Duration::from_secs(4);

/// Long enough for a supervisor to look at its workers more than once.
const LOOKS: Duration = Duration::from_millis(700);

/// The gate at which handlers, or the start of a worker, wait.
fn gate() -> PathBuf {
    std::env::temp_dir().join(format!("squall-gate-{}", getpgrp()))
}

fn await_gate() {
    while !gate().exists() {
        std::hint::spin_loop();
    }
}

fn open_gate() {
    fs::write(gate(), "").unwrap();
}

fn close_gate() {
    fs::remove_file(gate()).unwrap();
}

/// Keeps the process for as long as the gate is closed.
async fn busy() -> String {
    println!("it is busy");
    await_gate();
    who().await
}

/// One worker, which is busy with a request.
fn one_busy(case: &Case) -> (Server, Pid, Connection) {
    let server = case.server(|| {
        let app = Application::new([route("/", get(who)), route("/busy", get(busy))]);
        let options = ForkOptions::new().workers(1).stall_timeout(LIMIT);
        serve(&HTTPServer::new(app), options)
    });
    let (port, worker) = (server.port(), server.worker(0));
    let mut client = connection_to(port, worker);
    client.send("GET", "/busy", "", b"").unwrap();
    server.expect("it is busy");
    (server, worker, client)
}

/// Processes that could not run for a while go on, and the busy worker answers in the end.
#[expect(clippy::disallowed_methods, reason = "it must not be killed within this time")]
fn answers_after_a_pause(case: &Case, paused: impl FnOnce(&Server, Pid) -> Vec<Pid>) {
    let (server, worker, mut client) = one_busy(case);
    let paused = paused(&server, worker);
    paused.iter().for_each(|&process| suspend(process));
    thread::sleep(PAUSE);
    for process in paused {
        kill(process, Signal::SIGCONT).unwrap();
    }
    thread::sleep(LOOKS);
    open_gate();
    assert_eq!(sender(&client.response().unwrap()), (Some(0), worker));
    close_gate();
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_busy_worker_that_was_suspended_is_not_killed(case: &Case) {
    answers_after_a_pause(case, |_, worker| vec![worker]);
}

pub fn a_busy_worker_of_a_server_that_was_frozen_is_not_killed(case: &Case) {
    answers_after_a_pause(case, |server, worker| vec![server.pid(), worker]);
}

pub fn a_busy_worker_whose_supervisor_was_suspended_is_not_killed(case: &Case) {
    answers_after_a_pause(case, |server, _| vec![server.pid()]);
}

#[expect(clippy::disallowed_methods, reason = "it must not be killed within this time")]
pub fn a_worker_that_was_suspended_while_it_starts_is_not_killed(case: &Case) {
    let server = case.server(|| {
        let build = || {
            println!("it builds, process {}", std::process::id());
            await_gate();
            application()
        };
        let options = ForkOptions::new().workers(1).start_timeout(LIMIT);
        serve(&HTTPServer::with(build), options)
    });
    let worker = Pid::from_raw(server.number("it builds, process "));
    suspend(worker);
    thread::sleep(PAUSE);
    kill(worker, Signal::SIGCONT).unwrap();
    open_gate();
    assert_eq!(server.worker(0), worker);
    close_gate();
    connection_to(server.port(), worker);
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

#[expect(clippy::disallowed_methods, reason = "nothing must be killed after this time")]
pub fn a_server_that_was_frozen_while_it_ends_finishes_its_requests(case: &Case) {
    let server = case.server(|| {
        let options = ForkOptions::new().workers(1).stop_timeout(LIMIT);
        let server = HTTPServer::new(application()).drain_idle(SOON);
        server.on_drain(async |_| println!("it drains"));
        serve(&server, options)
    });
    let (port, worker) = (server.port(), server.worker(0));
    let (mut idle, mut held) = (connection_to(port, worker), connection_to(port, worker));
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    server.signal(Signal::SIGTERM);
    server.expect("it drains");
    for process in [server.pid(), worker] {
        suspend(process);
    }
    thread::sleep(PAUSE);
    for process in [server.pid(), worker] {
        kill(process, Signal::SIGCONT).unwrap();
    }
    idle.send("POST", "/release", "", b"").unwrap();
    assert_eq!(sender(&held.response().unwrap()), (Some(0), worker));
    assert_eq!(sender(&idle.response().unwrap()), (Some(0), worker));
    drop((idle, held));
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

/// A worker that announces when it was asked to stop, and ends by itself within a second although a
/// client waits.
fn short_of_patience() -> HTTPServer {
    let server = HTTPServer::new(application()).shutdown_timeout(Duration::from_secs(1));
    server.on_drain(async |_| println!("it drains"));
    server
}

/// It ends in its own time, not by the supervisor's hand.
#[track_caller]
fn ends_by_itself(server: Server) {
    let (status, mut others) = server.ended();
    others.retain(|line| line.contains("killing") || line.contains("SIGKILL"));
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_worker_that_is_suspended_while_all_end_is_continued(case: &Case) {
    let server = case.server(|| serve(&short_of_patience(), ForkOptions::new().workers(1)));
    let (port, worker) = (server.port(), server.worker(0));
    let mut held = connection_to(port, worker);
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    server.signal(Signal::SIGTERM);
    server.expect("it drains");
    kill(worker, Signal::SIGSTOP).unwrap();
    ends_by_itself(server);
}

pub fn a_worker_that_is_suspended_while_it_is_replaced_is_continued(case: &Case) {
    let server = case.server(|| serve(&short_of_patience(), ForkOptions::new().workers(1)));
    let (port, old) = (server.port(), server.worker(0));
    let mut held = connection_to(port, old);
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    server.signal(Signal::SIGHUP);
    server.worker(0);
    server.expect("it drains");
    kill(old, Signal::SIGSTOP).unwrap();
    await_end(old);
    server.signal(Signal::SIGTERM);
    ends_by_itself(server);
}
