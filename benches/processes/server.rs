//! The servers, and how they are started.

use std::io;
use std::process::{Command, id};
use std::time::Duration;

use nix::unistd::Pid;
use squall::process::{ForkOptions, task_id};
use squall::{Application, Context, HTTPServer, IOLoop, Result, get, route, sleep};

use crate::program::Program;

/// Starts a server of this kind in a process of its own, and waits until it listens. Returns its
/// port as well.
pub(crate) fn start(kind: &str) -> io::Result<(Program, u16)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", kind]);
    let program = Program::start(command);
    let port = port(&program)?;
    Ok((program, port))
}

/// Where it listens, once it does.
pub(crate) fn port(program: &Program) -> io::Result<u16> {
    program.expect("port ").parse().map_err(io::Error::other)
}

/// The process of the worker that comes up next with this number.
pub(crate) fn worker(program: &Program, number: usize) -> Pid {
    let rest = program.expect(&format!("worker {number} is process "));
    Pid::from_raw(rest.parse().expect("a number"))
}

/// Waits until the first so many workers have come up.
pub(crate) fn workers(program: &Program, count: usize) {
    for number in 0..count {
        worker(program, number);
    }
}

/// The process that was started.
pub(crate) fn serve(kind: &str) -> io::Result<()> {
    // Long turns are expected here, because the machine is busy on purpose.
    let server = HTTPServer::new(application()).slow_callback(None);
    let server = match kind {
        "term" => server.shutdown_timeout(Duration::from_secs(5)),
        _ => server.drain_idle(Duration::from_millis(200)),
    };
    if kind == "unix" {
        let path = std::env::temp_dir().join(format!("squall-bench-{}.sock", id()));
        println!("path {}", path.display());
        server.bind(path)?;
    } else {
        server.bind("127.0.0.1:0")?;
    }
    println!("port {}", server.local_addrs().first().map_or(0, std::net::SocketAddr::port));
    println!("supervisor {}", id());
    let workers = if kind == "kills" { 4 } else { 2 };
    server.start(ForkOptions::new().workers(workers))?;
    println!("worker {} is process {}", task_id().unwrap_or_default(), id());
    IOLoop::current().start()
}

fn application() -> Application {
    Application::new([route("/", get(who)), route("/hang", get(hang)), route("/hour", get(hour))])
}

async fn who() -> String {
    format!("{} {}", task_id().unwrap_or_default(), id())
}

async fn hang() -> &'static str {
    loop {
        std::hint::spin_loop();
    }
}

/// A line a second, for an hour.
async fn hour(cx: &mut Context) -> Result {
    for second in 0..3600 {
        cx.write(format!("{second}\n"))?;
        cx.flush().await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
