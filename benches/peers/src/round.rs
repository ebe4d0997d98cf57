//! One server in one scenario.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench_client::{Load, Outcome, Server as Process, Until};

use crate::nginx;
use crate::results::Run;
use crate::scenarios::Scenario;
use crate::servers::Server;

pub(crate) fn run(
    server: &Server,
    scenario: &Scenario,
    duration: Duration,
    target: &Path,
) -> io::Result<Run> {
    let process = start(|port| server.command(port, scenario, target))?;
    let proxy = match scenario.proxy {
        Some(proxy) => Some(start(|port| nginx::proxy(port, process.port, proxy, target))?),
        None => None,
    };
    let load = Load {
        port: proxy.as_ref().map_or(process.port, |proxy| proxy.port),
        connections: scenario.connections,
        depth: scenario.depth,
        request: (scenario.request)(),
        websocket: None,
    };
    let warm = Until::Elapsed(duration / 4);
    if scenario.closing {
        load.run_closing(warm)?;
        return measure(&process, || load.run_closing(Until::Elapsed(duration)));
    }
    let mut connections = load.open()?;
    connections.run(warm)?;
    let (memory, idle) = match scenario.idle {
        0 => (None, None),
        count => {
            let before = process.memory()?;
            let idle = Load { connections: count, depth: 1, ..load.clone() }.open()?;
            let memory = process.memory()?.saturating_sub(before) as f64 / count as f64;
            (Some(memory), Some(idle))
        }
    };
    let run = measure(&process, || connections.run(Until::Elapsed(duration)))?;
    if idle.is_some_and(|idle| !idle.disturbed().is_ok_and(|count| count == 0)) {
        return Err(io::Error::other("idle connections were closed"));
    }
    Ok(Run { memory, ..run })
}

fn measure(process: &Process, load: impl FnOnce() -> io::Result<Outcome>) -> io::Result<Run> {
    let before = process.cpu()?;
    let outcome = load()?;
    // A thread's time is accounted when it stops running.
    thread::yield_now();
    let cpu = process.cpu()?.saturating_sub(before);
    let microseconds = |part| outcome.latencies.quantile(part).as_nanos() as f64 / 1000.0;
    Ok(Run {
        cpu_us: cpu.as_nanos() as f64 / 1000.0 / outcome.requests as f64,
        requests_per_second: outcome.requests as f64 / outcome.elapsed.as_secs_f64(),
        p50_us: microseconds(0.5),
        p99_us: microseconds(0.99),
        memory: None,
    })
}

fn start(command: impl FnOnce(u16) -> io::Result<std::process::Command>) -> io::Result<Process> {
    let mut error = None;
    let process = Process::start(|port| {
        command(port).unwrap_or_else(|cause| {
            error = Some(cause);
            std::process::Command::new("false")
        })
    });
    error.map_or(process, Err)
}
