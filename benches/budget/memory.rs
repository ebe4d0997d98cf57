//! Weighs connections that do nothing.

use std::io;
use std::path::Path;

use crate::Figures;
use crate::scenarios::Scenario;

/// Connections before those that are weighed: the first ones make tables and pools.
const FIRST: usize = 100;

/// How many files the server and its client each open at most, with some to spare.
pub(crate) fn files(scenario: &Scenario) -> usize {
    scenario.connections + FIRST + 100
}

pub(crate) fn measure(program: &Path, scenario: &Scenario) -> io::Result<Figures> {
    let server = scenario.start(program, |command| command)?;
    let mut load = scenario.load(&server);
    let connections = load.connections;
    load.connections = FIRST;
    let first = load.open()?;
    let before = server.memory()?;
    load.connections = connections;
    let all = load.open()?;
    let after = server.memory()?;
    if first.disturbed()? + all.disturbed()? > 0 {
        return Err(io::Error::other("the server has closed connections that were idle"));
    }
    drop((first, all));
    server.stop()?;
    let each = after.saturating_sub(before) as f64 / connections as f64;
    Ok(vec![("memory", each.round())])
}
