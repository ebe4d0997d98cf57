//! Signals that the parent process has blocked or ignored, and what the server's own children
//! inherit of them.

use std::fs;
use std::io;
use std::process::{Command, id};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getpgrp};
use squall::process::{ForkOptions, task_id};
use squall::{Application, HTTPServer, IOLoop, StartOptions, get, route};
use squall_runtime::process::fork_processes;

use crate::case::{Case, Server, announce, await_end, bit, signal_set};
use crate::http::Connection;

/// Blocks all signals in the process of the case, which its servers inherit.
fn block_all(case: &Case) {
    if !case.is_server() {
        SigSet::all().thread_block().unwrap();
    }
}

fn application() -> Application {
    let child = async || IOLoop::current().run_in_executor(signals_of_child).await;
    let hang = async || -> &str {
        loop {
            std::hint::spin_loop();
        }
    };
    Application::new([
        route("/child/of/loop", get(async || signals_of_child())),
        route("/child/of/pool", get(child)),
        route("/hang", get(hang)),
    ])
}

/// The signals that a program started here finds blocked and ignored.
fn signals_of_child() -> String {
    let output = Command::new("cat").arg("/proc/self/status").output();
    let status = String::from_utf8(output.unwrap().stdout).unwrap();
    ["SigBlk", "SigIgn"].map(|name| set_in(&status, name)).join(" ")
}

fn set_in<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap()
}

fn serve(options: impl Into<StartOptions>) -> io::Result<()> {
    // The standard library ignores SIGPIPE, and does not let children inherit that.
    let (blocked, ignored) = (signal_set("SigBlk"), signal_set("SigIgn") & !bit(Signal::SIGPIPE));
    println!("at startup {blocked:016x} {ignored:016x}");
    let server = HTTPServer::new(application()).slow_callback(None);
    server.bind("127.0.0.1:0")?;
    println!("port {}", server.local_addrs()[0].port());
    println!("supervisor {}", id());
    server.start(options)?;
    announce(task_id().unwrap_or(0));
    IOLoop::current().start()
}

/// It stops at once, without a complaint.
#[track_caller]
fn stops(server: Server, pid: Pid) {
    kill(pid, Signal::SIGTERM).unwrap();
    let (status, mut others) = server.ended();
    others.retain(|line| line.contains("squall::"));
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn what_the_parent_has_blocked_stops_workers(case: &Case) {
    block_all(case);
    let server = case.server(|| serve(2));
    server.worker(0);
    server.worker(1);
    Connection::open(server.port()).unwrap().get("/child/of/loop").unwrap();
    let supervisor = server.pid();
    stops(server, supervisor);
}

pub fn what_the_parent_has_blocked_stops_workers_without_a_handler(case: &Case) {
    block_all(case);
    let server = case.server(|| {
        announce(fork_processes(2)?);
        loop {
            std::thread::park();
        }
    });
    server.worker(0);
    server.worker(1);
    let supervisor = server.pid();
    stops(server, supervisor);
}

pub fn what_the_parent_has_ignored_stops_workers_without_a_handler(case: &Case) {
    let server = case.server_under("sh", &["-c", &ignoring("TERM")], || {
        announce(fork_processes(2)?);
        loop {
            std::thread::park();
        }
    });
    server.worker(0);
    server.worker(1);
    let supervisor = server.pid();
    stops(server, supervisor);
}

pub fn what_the_parent_has_blocked_stops_one_process(case: &Case) {
    block_all(case);
    let server = case.server(|| serve(1));
    server.worker(0);
    let process = server.pid();
    stops(server, process);
}

pub fn what_the_parent_has_blocked_is_heard_by_one_process_without_a_supervisor(case: &Case) {
    block_all(case);
    // Where there is no terminal.
    let server = case.server_under("setsid", &[], || serve(1));
    server.worker(0);
    Connection::open(server.port()).unwrap().get("/child/of/loop").unwrap();
    server.signal(Signal::SIGHUP);
    server.expect("SIGHUP: nothing is replaced");
    let process = server.pid();
    stops(server, process);
}

pub fn what_the_parent_has_blocked_ends_a_worker_that_hangs(case: &Case) {
    block_all(case);
    let options = ForkOptions::new().workers(1).stall_timeout(Duration::from_secs(1));
    let server = case.server(|| serve(options));
    server.worker(0);
    let port = server.port();
    Connection::open(port).unwrap().get("/child/of/loop").unwrap();
    Connection::open(port).unwrap().send("GET", "/hang", "", b"").unwrap();
    server.expect("was killed by SIGABRT while serving GET /hang");
}

pub fn what_the_parent_has_blocked_stops_a_new_program(case: &Case) {
    block_all(case);
    let server = case.server(serve_in_turns);
    let old = Pid::from_raw(server.number("supervisor "));
    server.worker(0);
    let mut new = old;
    for turn in ["one", "two"] {
        write_turn(turn);
        kill(new, Signal::SIGUSR2).unwrap();
        let next = Pid::from_raw(server.number("supervisor "));
        server.worker(0);
        await_end(new);
        new = next;
    }
    stops(server, new);
    fs::remove_file(turn_file()).unwrap();
}

/// Serves in one process where a file says so, and otherwise with workers.
fn serve_in_turns() -> io::Result<()> {
    match fs::read_to_string(turn_file()) {
        Ok(turn) if turn == "two" => serve(1),
        _ => serve(2),
    }
}

fn write_turn(turn: &str) {
    fs::write(turn_file(), turn).unwrap();
}

fn turn_file() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("squall-turn-{}", getpgrp()))
}

/// A command of the shell that executes its arguments with these signals ignored.
fn ignoring(signals: &str) -> String {
    format!(r#"trap "" {signals}; exec "$0" "$@""#)
}

/// Children of the handlers of each server that comes up have the signals of its beginning.
#[track_caller]
fn children_have_the_signals_of_startup(server: &Server, at_startup: &str) {
    let port = server.port();
    for target in ["/child/of/loop", "/child/of/pool"] {
        let response = Connection::open(port).unwrap().get(target).unwrap();
        assert_eq!(response.text(), at_startup, "{target}");
    }
}

/// All that the supervisor or a worker gives another effect than it had.
const TERMINAL: &str = "INT QUIT HUP TTIN TTOU USR2";

fn inherit(case: &Case, ignored: &str, options: impl Into<StartOptions>) {
    let server = case.server_under("sh", &["-c", &ignoring(ignored)], || serve(options));
    let at_startup = server.expect("at startup ");
    server.worker(0);
    children_have_the_signals_of_startup(&server, &at_startup);
    let supervisor = Pid::from_raw(server.number("supervisor "));
    stops(server, supervisor);
}

pub fn children_of_workers_ignore_no_more_than_the_server_did(case: &Case) {
    inherit(case, "WINCH", 2);
}

pub fn children_of_workers_ignore_no_less_than_the_server_did(case: &Case) {
    inherit(case, TERMINAL, 2);
}

pub fn children_of_one_process_ignore_no_more_than_the_server_did(case: &Case) {
    inherit(case, "WINCH", 1);
}

pub fn children_of_one_process_ignore_no_less_than_the_server_did(case: &Case) {
    inherit(case, TERMINAL, 1);
}

pub fn children_of_a_new_program_ignore_what_the_first_one_did(case: &Case) {
    let server = case.server_under("sh", &["-c", &ignoring("HUP TTIN")], || serve(2));
    let (old, at_startup) = (server.number("supervisor "), server.expect("at startup "));
    server.worker(0);
    server.port();
    kill(Pid::from_raw(old), Signal::SIGUSR2).unwrap();
    let (new, again) = (server.number("supervisor "), server.expect("at startup "));
    assert_eq!(again, at_startup);
    server.worker(0);
    await_end(Pid::from_raw(old));
    children_have_the_signals_of_startup(&server, &at_startup);
    stops(server, Pid::from_raw(new));
}

pub fn a_signal_that_is_ignored_still_gives_an_order_to_the_supervisor(case: &Case) {
    let server = case.server_under("sh", &["-c", &ignoring("HUP TTIN USR2 TERM")], || serve(2));
    let workers = [server.worker(0), server.worker(1)];
    server.signal(Signal::SIGHUP);
    let next = [server.worker(0), server.worker(1)];
    workers.into_iter().for_each(await_end);
    server.signal(Signal::SIGTTIN);
    server.worker(2);
    assert!(!next.contains(&workers[0]));
    let supervisor = server.pid();
    stops(server, supervisor);
}
