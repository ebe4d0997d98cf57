//! What is done, and for whom, when the graceful end begins.

use std::io;
use std::process::id;
use std::time::Duration;

use nix::sys::signal::Signal;
use squall::{HTTPServer, sleep};

use super::stop::{SHORT, serving};
use super::{application, serve};
use crate::case::{Case, SOON};

/// A server that says so when its end begins.
fn hooked(processes: usize, limit: Duration) -> io::Result<()> {
    let server = HTTPServer::new(application()).shutdown_timeout(limit);
    server.on_drain(async |reason| {
        println!("{} hears: {reason:?}", id());
        sleep(SHORT).await;
        println!("{} has said goodbye", id());
    });
    serve(&server, processes)
}

pub fn a_hook_runs_in_each_process_when_its_end_begins(case: &Case) {
    let server = case.server(|| hooked(2, SOON));
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
    let server = case.server(|| hooked(1, SOON));
    serving(&server, 1);
    server.signal(Signal::SIGTERM);
    server.expect(" hears: Shutdown");
    server.expect(" has said goodbye");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_hook_that_takes_too_long_is_named_by_its_line(case: &Case) {
    let server = case.server(|| hooked(1, SHORT / 4));
    serving(&server, 1);
    server.signal(Signal::SIGTERM);
    let place = server.expect("WARN squall::general: the background task of ");
    assert!(place.starts_with(file!()) && place.ends_with("is cancelled: it took too long"));
    assert_eq!(server.ended().0.code(), Some(0));
}
