//! The conditions that prevent a process from forking.

use std::sync::mpsc;
use std::thread;

use squall_runtime::IOLoop;
use squall_runtime::process::{ForkOptions, fork_processes};
use squall_runtime::signal::{SIGUSR2, Signals};

use crate::case::{Case, Server, announce};

/// The server has ended with an error that says this.
#[track_caller]
fn refused(server: Server, reason: &str) {
    server.expect(&format!("error: cannot fork: {reason}"));
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(1), Vec::new()));
}

pub fn a_second_thread_is_named(case: &Case) {
    let server = case.server(|| {
        let (_end, ended) = mpsc::channel::<()>();
        let (runs, running) = mpsc::channel();
        let thread = thread::Builder::new().name("my pool".to_owned());
        thread.spawn(move || {
            runs.send(()).unwrap();
            ended.recv()
        })?;
        // It has its name by then.
        running.recv().unwrap();
        announce(fork_processes(2)?);
        Ok(())
    });
    refused(server, "there are other threads (`my pool`)");
}

pub fn a_loop_is_named_by_where_it_was_made(case: &Case) {
    let server = case.server(|| {
        IOLoop::current();
        announce(fork_processes(2)?);
        Ok(())
    });
    refused(server, &format!("an IOLoop was made at {}:", file!()));
}

pub fn a_joined_thread_is_no_obstacle(case: &Case) {
    let server = case.server(|| {
        for _ in 0..100 {
            thread::spawn(|| ()).join().unwrap();
        }
        announce(fork_processes(1)?);
        Ok(())
    });
    server.worker(0);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_does_not_fork_again(case: &Case) {
    let server = case.server(|| {
        // A worker that fails would be replaced.
        ForkOptions::new().workers(1).max_restarts(0, std::time::Duration::MAX).fork_processes()?;
        announce(fork_processes(2)?);
        Ok(())
    });
    server.expect("error: cannot fork: this process is already worker 0");
    server.expect("giving up");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn a_handler_of_a_signal_is_named(case: &Case) {
    let server = case.server(|| {
        // On another thread, so that this one has no loop.
        thread::spawn(|| Signals::new([SIGUSR2]).map(drop)).join().unwrap()?;
        announce(fork_processes(2)?);
        Ok(())
    });
    refused(server, "a handler for SIGUSR2 is installed");
}
