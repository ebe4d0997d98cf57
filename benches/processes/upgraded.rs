//! A program that takes the place of a server.

use std::io;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::Clients;
use crate::{must, server};

/// How many times.
const UPGRADES: usize = 10;

pub(crate) fn upgrades() -> io::Result<()> {
    let (program, port) = server::start("upgrades")?;
    let supervisor = || program.expect("supervisor ").parse().map(Pid::from_raw);
    let mut old = supervisor().map_err(io::Error::other)?;
    server::workers(&program, 2);
    let clients = Clients::start(port);
    let start = Instant::now();
    for _ in 0..UPGRADES {
        clients.await_answers(50);
        kill(old, Signal::SIGUSR2)?;
        let new = supervisor().map_err(io::Error::other)?;
        must(server::port(&program)? == port, "it listens elsewhere")?;
        server::workers(&program, 2);
        await_end(old);
        old = new;
    }
    clients.await_answers(50);
    println!("  {UPGRADES} upgrades in {:?}", start.elapsed());
    let seen = clients.end();
    seen.print();
    kill(old, Signal::SIGTERM)?;
    must(program.has_ended_within(crate::http::SOON), "the last one goes on")?;
    must(seen.failed() == 0 && seen.cut() == 0, "a request has failed")
}

/// This process may have lost its parent, and so remains a zombie until a process waits for it.
fn await_end(process: Pid) {
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|rest| !rest.1.starts_with('Z')))
    };
    while is_there() {
        std::thread::yield_now();
    }
}
