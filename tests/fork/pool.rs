//! The thread pool of a server that may have few threads, or none.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, geteuid, getpgrp, setuid};
use rustix::process::{Resource, Rlimit, setrlimit};
use squall::{Application, Context, HTTPServer, IOLoop, Result, get, route};

use crate::case::{Case, Server};
use crate::http::Connection;

/// More than a socket and the pages of a pipe hold, so that one file takes several jobs.
const FILE_SIZE: usize = 4 << 20;

/// How many clients ask at the same time.
const CLIENTS: usize = 30;

/// A user without any other process on this machine.
fn user() -> Uid {
    Uid::from_raw(1_000_000_000 + getpgrp().as_raw().cast_unsigned())
}

/// The file that is served. The server's process has the same process group.
fn path() -> PathBuf {
    env::temp_dir().join(format!("squall-pool-{}", getpgrp()))
}

/// Serves as a user with this limit on threads, one of which is the loop's.
fn serve(threads: u64) -> io::Result<()> {
    setrlimit(Resource::Nproc, Rlimit { current: Some(threads), maximum: Some(threads) })?;
    setuid(user())?;
    let double = async |cx: &mut Context| -> Result {
        let job = || 21 * 2;
        let double = IOLoop::current().run_in_executor(job).await?;
        cx.write(double.to_string())
    };
    let server = HTTPServer::new(Application::new([
        route("/file", get(async |cx: &mut Context| cx.send_file(path()).await)),
        route("/double", get(double)),
        route("/", get(async || "no thread is needed")),
    ]));
    server.bind("127.0.0.1:0")?;
    println!("port {}", server.local_addrs()[0].port());
    server.start(1)?;
    IOLoop::current().start()
}

/// Ends the server as its operator does.
#[track_caller]
fn end(server: Server) -> Vec<String> {
    server.signal(Signal::SIGTERM);
    let (status, lines) = server.ended();
    assert_eq!(status.code(), Some(0), "{lines:?}");
    lines
}

pub fn files_are_served_by_the_few_threads_that_the_system_allows(case: &Case) {
    if !geteuid().is_root() {
        return println!("only root can become a user who has no other process");
    }
    let expected: Vec<u8> = (0..FILE_SIZE).map(|place| (place / 7 % 251) as u8).collect();
    if !case.is_server() {
        fs::write(path(), &expected).unwrap();
    }
    let server = case.server(|| serve(3));
    let port = server.port();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Connection::open(port).unwrap()).collect();
    for target in ["/double", "/file"] {
        clients.iter_mut().for_each(|client| client.send("GET", target, "", b"").unwrap());
        for client in &mut clients {
            let response = client.response().unwrap();
            assert_eq!(response.status(), 200, "{response:?}");
            match target {
                "/file" => assert!(response.body == expected, "the file arrives whole"),
                _ => assert_eq!(response.text(), "42"),
            }
        }
    }
    server.expect("jobs wait for its 2 threads");
    end(server);
    fs::remove_file(path()).unwrap();
}

pub fn without_any_thread_jobs_fail_and_everything_else_is_served(case: &Case) {
    if !geteuid().is_root() {
        return println!("only root can become a user who has no other process");
    }
    if !case.is_server() {
        fs::write(path(), "a file").unwrap();
    }
    let server = case.server(|| serve(1));
    let port = server.port();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Connection::open(port).unwrap()).collect();
    for (target, status) in [("/double", 500), ("/file", 500), ("/", 200)] {
        clients.iter_mut().for_each(|client| client.send("GET", target, "", b"").unwrap());
        for client in &mut clients {
            let response = client.response().unwrap();
            assert_eq!(response.status(), status, "{response:?}");
        }
    }
    server.expect("the thread pool has no thread and cannot create one: ");
    end(server);
    fs::remove_file(path()).unwrap();
}
