//! Workers that are killed all the time.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::Clients;
use crate::{must, server};

const FOR: Duration = Duration::from_secs(60);

const EVERY: Duration = Duration::from_millis(200);

/// How soon all workers must be back.
const SOON: Duration = Duration::from_secs(10);

pub(crate) fn run() -> io::Result<()> {
    let (program, port) = server::start("kills")?;
    server::workers(&program, 4);
    let clients = Clients::start(port);
    clients.await_answers(1000);
    let start = Instant::now();
    let mut killed = 0;
    while start.elapsed() < FOR {
        // Which one comes first in the list is as good as chance: the numbers grow.
        let workers = children(program.pid())?;
        if !workers.is_empty() {
            let victim = workers[(start.elapsed().subsec_nanos() as usize) % workers.len()];
            kill(victim, Signal::SIGKILL)?;
            killed += 1;
        }
        #[expect(clippy::disallowed_methods, reason = "there is no loop here")]
        thread::sleep(EVERY);
    }
    let end = Instant::now();
    while children(program.pid())?.len() < 4 && end.elapsed() < SOON {
        thread::yield_now();
    }
    let back = children(program.pid())?.len();
    println!("  {killed} workers killed; {back} there {:?} after the last", end.elapsed());
    clients.await_answers(1000);
    let seen = clients.end();
    seen.print();
    must(back == 4, "not all workers are back")?;
    must(seen.failed() == 0, "a connection was refused")?;
    // A request on a new connection may have been in flight as well; no worker has more of them
    // than there are clients.
    must(seen.cut() <= killed * 16, "requests were lost that no worker had received")
}

/// The processes that this one has started, and that have not ended.
fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    let tasks = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    for pid in tasks.split_whitespace() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')) {
            children.push(Pid::from_raw(pid.parse().map_err(io::Error::other)?));
        }
    }
    Ok(children)
}
