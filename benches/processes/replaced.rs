//! Workers that are replaced, fewer and more.

use std::io;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::Clients;
use crate::program::Program;
use crate::{must, server};

pub(crate) fn reloads() -> io::Result<()> {
    under_load("reloads", 50, |program, workers| {
        program.signal(Signal::SIGHUP);
        let new = [server::worker(program, 0), server::worker(program, 1)];
        await_end(workers);
        *workers = new;
    })
}

pub(crate) fn scaling() -> io::Result<()> {
    under_load("times one worker fewer and one more", 200, |program, workers| {
        program.signal(Signal::SIGTTOU);
        await_end(&workers[1..]);
        program.signal(Signal::SIGTTIN);
        workers[1] = server::worker(program, 1);
    })
}

fn under_load(what: &str, times: usize, act: impl Fn(&Program, &mut [Pid; 2])) -> io::Result<()> {
    let (program, port) = server::start("two")?;
    let mut workers = [0, 1].map(|number| server::worker(&program, number));
    let clients = Clients::start(port);
    let start = Instant::now();
    for _ in 0..times {
        clients.await_answers(50);
        act(&program, &mut workers);
    }
    clients.await_answers(50);
    println!("  {times} {what} in {:?}", start.elapsed());
    let seen = clients.end();
    seen.print();
    must(seen.failed() == 0 && seen.cut() == 0, "a request has failed")
}

fn await_end(processes: &[Pid]) {
    while processes.iter().any(|&pid| kill(pid, None).is_ok()) {
        std::thread::yield_now();
    }
}
