//! Workers that do not go on.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::http::Connection;
use crate::{must, server};

pub(crate) fn queued() -> io::Result<()> {
    let (program, port) = server::start("two")?;
    let workers = [0, 1].map(|number| server::worker(&program, number));
    connect_to_both(port)?;
    for worker in workers {
        kill(worker, Signal::SIGSTOP)?;
    }
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut connection = Connection::open(port)?;
        connection.send("GET", "/", "", b"")?;
        waiting.push(connection);
    }
    for worker in workers {
        kill(worker, Signal::SIGKILL)?;
    }
    let start = Instant::now();
    let answered = waiting.iter_mut().filter_map(|connection| connection.response().ok()).count();
    println!("  {answered} of 100 answered within {:?}", start.elapsed());
    must(answered == 100, "what waited was lost")
}

pub(crate) fn hang() -> io::Result<()> {
    let (program, port) = server::start("two")?;
    let workers = [0, 1].map(|number| server::worker(&program, number));
    connect_to_both(port)?;
    let start = Instant::now();
    Connection::open(port)?.send("GET", "/hang", "", b"")?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        must(Connection::open(port)?.get("/")?.status() == 200, "it is answered")?;
        times.push(start.elapsed());
        #[expect(clippy::disallowed_methods, reason = "there is no loop here")]
        thread::sleep(Duration::from_millis(20));
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    let waited = times.iter().filter(|time| time.as_millis() > 50).count();
    println!(
        "  100 new connections answered, the slowest after {slowest:?}, {waited} in over 50 ms"
    );
    // The log is read for 10 seconds at most.
    #[expect(clippy::disallowed_methods, reason = "there is no loop here")]
    thread::sleep(Duration::from_secs(25).saturating_sub(start.elapsed()));
    let line = program.expect("has not turned for ");
    println!("  after {:?}: has not turned for {line}", start.elapsed());
    program.expect(" was killed by ");
    let hung = workers.iter().filter(|&&pid| kill(pid, None).is_err()).count();
    println!("  {hung} worker replaced");
    must(slowest < Duration::from_secs(1), "somebody has waited for over a second")?;
    must(line.contains("GET /hang"), "the log does not name the route")
}

/// Both listen by then.
fn connect_to_both(port: u16) -> io::Result<()> {
    let mut seen = [false, false];
    while seen != [true, true] {
        let response = Connection::open(port)?.get("/")?;
        seen[usize::from(response.text().starts_with('1'))] = true;
    }
    Ok(())
}
