//! Squall beside its peers: `cargo run --release` in this folder, `-- --help` for more.
//!
//! Each round has each scenario served by each server in turn, in an order that changes, so that
//! what else the machine does meets all alike. Client and server share one processor and take
//! turns on it: the client sends on all connections and waits, the server answers them all and
//! waits. So a server always finds what is due to it, and its time is the time of its work; on two
//! processors a fast one would fall asleep after each request, and pay for it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod arguments;
mod nginx;
mod picture;
mod report;
mod results;
mod round;
mod scenarios;
mod servers;
mod statistics;

use arguments::Arguments;
use results::Results;
use servers::Server;

fn main() -> io::Result<ExitCode> {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            println!("{message}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let file = arguments.results.clone();
    let results = match arguments.render {
        true => Results::read(&file)?,
        false => measure(&arguments, &file)?,
    };
    print!("{}", report::full(&results));
    if arguments.publish {
        report::publish(&results, &here())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &Arguments, file: &Path) -> io::Result<Results> {
    bench_client::allow_many_descriptors()?;
    let target = target()?;
    let mut servers = Vec::new();
    for server in servers::all() {
        if arguments.wants_server(server.name) {
            eprintln!("building {}", server.name);
            match server.prepare(&here(), &target)? {
                Some(version) => servers.push((server, version)),
                None => eprintln!("{} is not installed: left out", server.name),
            }
        }
    }
    share_one_processor(arguments.cpu);
    let versions = servers.iter().map(|(s, version)| (s.name.to_owned(), version.clone()));
    let versions: BTreeMap<_, _> = versions.collect();
    let servers: Vec<Server> = servers.into_iter().map(|(server, _)| server).collect();
    let mut results = Results::begin(arguments.seconds, versions)?;
    for round in 0..arguments.rounds {
        for scenario in scenarios::ALL.iter().filter(|s| arguments.wants_scenario(s.name)) {
            let mut turn: Vec<&Server> = servers.iter().filter(|s| s.serves(scenario)).collect();
            let first = round % turn.len().max(1);
            turn.rotate_left(first);
            for server in turn {
                let name = (scenario.name, server.name);
                match round::run(server, scenario, arguments.seconds, &target) {
                    Ok(run) => {
                        let cpu = run.cpu_us;
                        eprintln!("{round:3} {:14} {:12} {cpu:9.2} us", name.0, name.1);
                        results.add(round, scenario, server, run);
                    }
                    Err(error) => {
                        eprintln!("{round:3} {:14} {:12} failed: {error}", name.0, name.1)
                    }
                }
            }
            results.write(file)?;
        }
    }
    Ok(results)
}

/// The folder of this workspace.
fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where Cargo puts what is built here.
fn target() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/release/peers
    program.ancestors().nth(2).map(Path::to_owned).ok_or(io::ErrorKind::NotFound.into())
}

/// This process, and all that it starts from now on. Without preemption when another one wakes up,
/// and before what else runs here, as far as that is permitted.
fn share_one_processor(cpu: usize) {
    let pid = std::process::id().to_string();
    let cpu = cpu.to_string();
    for command in [
        ["taskset", "-p", "-c", &cpu, &pid].as_slice(),
        &["chrt", "--batch", "-p", "0", &pid],
        &["renice", "-n", "-10", "-p", &pid],
    ] {
        let run = Command::new(command[0]).args(&command[1..]).output();
        if !run.is_ok_and(|output| output.status.success()) {
            eprintln!("`{}` has failed: the figures will vary more", command.join(" "));
        }
    }
}
