//! Orders to stop that reach the old supervisor when a new program has taken over.

use std::io;
use std::process::id;
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall_runtime::process::ForkOptions;
use squall_runtime::signal::{SIGTERM, SIGUSR1, Signals};
use squall_runtime::{IOLoop, bind_sockets};

use crate::case::{Case, Server, announce, await_end};

/// The supervisor that begins next.
#[track_caller]
fn supervisor(server: &Server) -> Pid {
    Pid::from_raw(server.number("supervisor "))
}

/// Workers that tell when they are asked to stop, and do so at `SIGUSR1`.
fn slow_to_stop() -> io::Result<()> {
    let sockets = bind_sockets("127.0.0.1:0")?;
    println!("supervisor {}", id());
    let worker = ForkOptions::new().workers(1).fork_processes()?;
    drop(sockets);
    IOLoop::current().run_sync(async {
        let mut orders = Signals::new([SIGTERM, SIGUSR1])?;
        announce(worker);
        while orders.next().await == Some(SIGTERM) {
            println!("{} is told to stop", id());
        }
        Ok(())
    })?
}

pub fn an_order_to_stop_that_comes_just_after_an_upgrade_stops_the_new_program(case: &Case) {
    let server = case.server(slow_to_stop);
    let (mut old, mut serving) = (supervisor(&server), server.worker(0));
    // On a machine that is busy, the order may come too late, and is then another one.
    for _ in 0..10 {
        kill(old, Signal::SIGUSR2).unwrap();
        let (new, next) = (supervisor(&server), server.worker(0));
        server.expect(&format!("{serving} is told to stop"));
        kill(old, Signal::SIGTERM).unwrap();
        let answer = ["passed on to process", "SIGTERM again: killing worker 0"];
        let answer = |line: &str| answer.iter().any(|answer| line.contains(answer));
        if server.expect_line(answer).unwrap().contains("passed on") {
            server.expect(&format!("{next} is told to stop"));
            kill(serving, Signal::SIGUSR1).unwrap();
            kill(next, Signal::SIGUSR1).unwrap();
            let (status, others) = server.ended();
            return assert_eq!((status.code(), others), (Some(0), Vec::new()));
        }
        await_end(old);
        (old, serving) = (new, next);
    }
    panic!("the order was too late each time");
}

pub fn an_order_to_stop_that_comes_long_after_an_upgrade_is_for_the_old_program(case: &Case) {
    let server = case.server(slow_to_stop);
    let (old, serving) = (supervisor(&server), server.worker(0));
    kill(old, Signal::SIGUSR2).unwrap();
    let (new, next) = (supervisor(&server), server.worker(0));
    server.expect(&format!("{serving} is told to stop"));
    #[expect(clippy::disallowed_methods, reason = "so long that the order is not passed on")]
    thread::sleep(Duration::from_millis(1100));
    kill(old, Signal::SIGTERM).unwrap();
    server.expect(&format!("SIGTERM again: killing worker 0 (pid {serving})"));
    await_end(old);
    kill(new, Signal::SIGTERM).unwrap();
    server.expect(&format!("{next} is told to stop"));
    kill(next, Signal::SIGUSR1).unwrap();
    assert_eq!(server.ended().0.code(), Some(0));
}
