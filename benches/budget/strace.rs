//! Counts system calls.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Figures;
use crate::scenarios::Scenario;

/// Whether it is installed, and may watch another process.
pub(crate) fn works() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

pub(crate) fn measure(program: &Path, scenario: &Scenario) -> io::Result<Figures> {
    let short = count(program, scenario, 0)?;
    let long = count(program, scenario, scenario.requests)?;
    let each = |name: &String| {
        let of = |counts: &BTreeMap<String, f64>| counts.get(name).copied().unwrap_or(0.0);
        (of(&long) - of(&short)) / scenario.requests as f64
    };
    // So that the sum is not of what a timer did now and then.
    let sum: f64 = long.keys().map(each).sum();
    Ok(vec![("system calls", (sum * 100.0).round() / 100.0)])
}

/// How often the server made each call, in all.
fn count(
    program: &Path,
    scenario: &Scenario,
    requests: usize,
) -> io::Result<BTreeMap<String, f64>> {
    let file = std::env::temp_dir().join(format!("squall-budget-{}", std::process::id()));
    let server = scenario.start(program, |command| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-qq", "-o"]).arg(&file);
        strace.arg(command.get_program()).args(command.get_args());
        strace
    })?;
    scenario.run(&server, requests)?;
    server.stop()?;
    let table = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    // % time     seconds  usecs/call     calls    errors syscall
    let rows = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let count = columns.get(3)?.parse().ok()?;
        columns.last().filter(|&&name| name != "total").map(|&name| (name.to_owned(), count))
    });
    Ok(rows.collect())
}
