//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::{here, scenarios, servers};

/// What to measure, and what to do with it.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
    pub(crate) cpu: usize,
    /// Empty: all.
    servers: Vec<String>,
    /// Empty: all.
    scenarios: Vec<String>,
    pub(crate) results: PathBuf,
    pub(crate) render: bool,
    pub(crate) publish: bool,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            rounds: 11,
            seconds: Duration::from_millis(500),
            cpu: 0,
            servers: Vec::new(),
            scenarios: Vec::new(),
            results: here().join("target/results.json"),
            render: false,
            publish: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--render" => arguments.render = true,
                "--publish" => arguments.publish = true,
                "--help" => return Err(help()),
                _ => {
                    let value = words.next().ok_or_else(help)?;
                    arguments.set(&word, &value).ok_or_else(help)?;
                }
            }
        }
        Ok(arguments)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match name {
            "--rounds" => self.rounds = value.parse().ok()?,
            "--seconds" => self.seconds = Duration::try_from_secs_f64(value.parse().ok()?).ok()?,
            "--cpu" => self.cpu = value.parse().ok()?,
            "--servers" => self.servers = list(),
            "--scenarios" => self.scenarios = list(),
            "--results" => self.results = value.into(),
            _ => return None,
        }
        let known_servers = || servers::all().iter().map(|server| server.name).collect::<Vec<_>>();
        let known_scenarios = scenarios::ALL.map(|scenario| scenario.name);
        let all_known = self.servers.iter().all(|name| known_servers().contains(&name.as_str()))
            && self.scenarios.iter().all(|name| known_scenarios.contains(&name.as_str()));
        all_known.then_some(())
    }

    pub(crate) fn wants_server(&self, name: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|wanted| wanted == name)
    }

    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|wanted| wanted == name)
    }
}

fn help() -> String {
    let servers: Vec<_> = servers::all().iter().map(|server| server.name).collect();
    let scenarios = scenarios::ALL.map(|scenario| scenario.name);
    format!(
        "Builds the servers, measures them in turn, and prints what came of it.\n\n\
         --rounds N          11 if not said; the fewer, the wider the intervals\n\
         --seconds S         of load for each server in each scenario and round: 0.5\n\
         --servers A,B       of {}\n\
         --scenarios A,B     of {}\n\
         --cpu N             the processor that client and server share: 0\n\
         --results FILE      where the results are written after each scenario\n\
         --render            measure nothing, take them from there\n\
         --publish           write table and picture for the README\n\n\
         All of it takes about (S + 1) seconds x 105 x N. For Tornado, the environment's PYTHON\n\
         is run, or python3. Servers that are not installed are left out.",
        servers.join(", "),
        scenarios.join(", "),
    )
}
