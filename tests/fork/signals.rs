//! How a server of several processes is stopped.

use std::io;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall_runtime::IOLoop;
use squall_runtime::process::{ForkOptions, fork_processes};
use squall_runtime::signal::{SIGTERM, SIGUSR1, Signals};

use crate::case::{Case, SOON, Server, announce, await_end, has, signal_set, suspend};

/// Workers that say when they are asked to stop, and do so on `SIGUSR1`.
fn slow_to_stop(options: ForkOptions) -> io::Result<()> {
    let id = options.fork_processes()?;
    IOLoop::current().run_sync(async {
        let mut orders = Signals::new([SIGTERM, SIGUSR1])?;
        announce(id);
        while orders.next().await == Some(SIGTERM) {
            println!("worker {id} got SIGTERM");
        }
        Ok(())
    })?
}

fn two() -> ForkOptions {
    ForkOptions::new().workers(2)
}

fn both(server: &Server) -> [Pid; 2] {
    [server.worker(0), server.worker(1)]
}

pub fn workers_without_a_handler_end_on_term(case: &Case) {
    let server = case.server(|| {
        announce(fork_processes(2)?);
        loop {
            std::thread::park();
        }
    });
    both(&server);
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn workers_that_die_while_stopping_are_not_replaced(case: &Case) {
    let server = case.server(|| slow_to_stop(two()));
    let [first, second] = both(&server);
    server.signal(Signal::SIGTERM);
    server.expect("worker 0 got SIGTERM");
    server.expect("worker 1 got SIGTERM");
    kill(first, Signal::SIGKILL).unwrap();
    server.expect(&format!("worker 0 (pid {first}) was killed by SIGKILL"));
    kill(second, Signal::SIGUSR1).unwrap();
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_second_order_to_stop_kills(case: &Case) {
    let server = case.server(|| slow_to_stop(two()));
    both(&server);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    server.expect("worker 0 got SIGTERM");
    server.expect("worker 1 got SIGTERM");
    // Those that come close to the first one are the same order.
    loop {
        server.signal(Signal::SIGTERM);
        if server.has_ended_within(Duration::from_millis(20)) {
            break;
        }
        assert!(start.elapsed() < SOON);
    }
    assert!(start.elapsed() >= Duration::from_millis(100));
    server.expect("SIGTERM again: killing worker 0");
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(0));
    assert!(!others.iter().any(|line| line.contains("got")), "{others:?}");
}

pub fn quit_kills_at_once(case: &Case) {
    let server = case.server(|| slow_to_stop(two()));
    both(&server);
    server.signal(Signal::SIGQUIT);
    server.expect("SIGQUIT: killing worker 1");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_does_not_stop_is_killed_in_the_end(case: &Case) {
    let timeout = Duration::from_secs(1);
    let server = case.server(|| slow_to_stop(two().stop_timeout(timeout)));
    let [first, _] = both(&server);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    server.expect("worker 0 got SIGTERM");
    kill(first, Signal::SIGUSR1).unwrap();
    await_end(first);
    let is_in_time = start.elapsed() < timeout;
    server.expect("not stopped within 1s: killing worker 1");
    assert!(start.elapsed() >= timeout);
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(0));
    // On a machine that is busy, it may have been late itself.
    let was_killed = others.iter().any(|line| line.contains("killing worker 0"));
    assert!(!(is_in_time && was_killed), "{others:?}");
}

pub fn a_suspended_worker_is_stopped_as_well(case: &Case) {
    let server = case.server(|| {
        announce(fork_processes(2)?);
        loop {
            std::thread::park();
        }
    });
    suspend(both(&server)[0]);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn ctrl_c_reaches_a_worker_once(case: &Case) {
    if has(signal_set("SigIgn"), Signal::SIGINT) {
        return println!("these tests run in the background, where Ctrl-C is ignored");
    }
    let server = case.server(|| slow_to_stop(two()));
    let workers = both(&server);
    // A terminal signals all of them.
    for worker in workers {
        kill(worker, Signal::SIGINT).unwrap();
    }
    server.signal(Signal::SIGINT);
    server.expect("worker 0 got SIGTERM");
    server.expect("worker 1 got SIGTERM");
    for worker in workers {
        kill(worker, Signal::SIGUSR1).unwrap();
    }
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn an_order_while_workers_are_being_forked_reaches_all(case: &Case) {
    for _ in 0..20 {
        // They fail as soon as they start, so that the supervisor forks all the time.
        let server = case.server(|| {
            let options = ForkOptions::new().workers(4).max_restarts(1 << 20, SOON);
            let id = options.fork_processes()?;
            announce(id);
            std::process::exit(3);
        });
        server.worker(3);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.ended().0.code(), Some(0));
    }
}

pub fn the_death_of_the_supervisor_ends_all_workers(case: &Case) {
    // The last one is not blocked either.
    for end in [Signal::SIGKILL, Signal::SIGUSR1] {
        let server = case.server(|| slow_to_stop(two()));
        both(&server);
        server.signal(end);
        assert!(server.has_ended_within(SOON), "an orphan is left");
    }
}
