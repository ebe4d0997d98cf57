//! What was measured, as it is kept in a file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenarios::Scenario;
use crate::servers::Server;

/// All of it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) date: String,
    pub(crate) machine: String,
    pub(crate) seconds: f64,
    /// By the server's name.
    pub(crate) versions: BTreeMap<String, String>,
    /// By scenario, server and round.
    pub(crate) runs: BTreeMap<String, BTreeMap<String, BTreeMap<usize, Run>>>,
}

/// One server in one scenario and one round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    /// Of all threads and processes of the server, for each request.
    pub(crate) cpu_us: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Bytes for each idle connection, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<f64>,
}

impl Results {
    pub(crate) fn begin(seconds: Duration, versions: BTreeMap<String, String>) -> io::Result<Self> {
        let date = Command::new("date").args(["--utc", "+%Y-%m-%d"]).output()?.stdout;
        let date = String::from_utf8_lossy(&date).trim().to_owned();
        let (seconds, machine) = (seconds.as_secs_f64(), machine()?);
        Ok(Self { date, machine, seconds, versions, runs: BTreeMap::new() })
    }

    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Replaces the file as a whole.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let beside = file.with_extension("new");
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&beside, serde_json::to_string_pretty(self)? + "\n")?;
        fs::rename(beside, file)
    }

    pub(crate) fn add(&mut self, round: usize, scenario: &Scenario, server: &Server, run: Run) {
        let servers = self.runs.entry(scenario.name.to_owned()).or_default();
        servers.entry(server.name.to_owned()).or_default().insert(round, run);
    }

    /// The rounds of a server in a scenario.
    pub(crate) fn rounds(&self, scenario: &str, server: &str) -> Vec<Run> {
        let rounds = self.runs.get(scenario).and_then(|servers| servers.get(server));
        rounds.map(|rounds| rounds.values().copied().collect()).unwrap_or_default()
    }

    /// CPU time as a multiple of that of `bare` in the same round.
    pub(crate) fn ratios(&self, scenario: &str, server: &str) -> Vec<f64> {
        let Some(servers) = self.runs.get(scenario) else { return Vec::new() };
        let (Some(bare), Some(rounds)) = (servers.get("bare"), servers.get(server)) else {
            return Vec::new();
        };
        let ratio = |(round, run): (&usize, &Run)| Some(run.cpu_us / bare.get(round)?.cpu_us);
        rounds.iter().filter_map(ratio).collect()
    }

    /// How many rounds there are of the scenario with the most.
    pub(crate) fn round_count(&self) -> usize {
        let rounds = self.runs.values().flat_map(BTreeMap::values).map(BTreeMap::len);
        rounds.max().unwrap_or(0)
    }
}

fn machine() -> io::Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!("{}, Linux {}", model.unwrap_or("unknown processor"), kernel.trim()))
}
