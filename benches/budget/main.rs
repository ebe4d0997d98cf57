//! Counts the cost of a request in figures that do not depend on the load of the machine, and
//! compares them with the budget in `benches/budget.toml`.
//!
//! `cargo bench --bench budget [-- SCENARIO..]` builds the application that is measured,
//! `examples/bench.rs`, and serves all or the named scenarios to a client. It takes less than a
//! minute, and fails if a figure is over its budget. Instructions may be over it by as much as
//! another processor would count. Figures of `strace` or `valgrind` are left out if the tool is not
//! installed.
//!
//! `--files` prints in which source files the instructions are. `--program=PATH` measures another
//! build of `examples/bench.rs`.
//!
//! | figure | how it is found |
//! |---|---|
//! | `system-calls` | `strace -f -c` of a longer and of a shorter run; their difference, for each request |
//! | `instructions` | the same with `valgrind --tool=callgrind`: of the process, not of the kernel |
//! | `allocations` | calls of `malloc` and its kin, by callgrind |
//! | `memory` | bytes of memory, not of a file, for each idle connection, by `/proc` |

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::Deserialize;

mod callgrind;
mod floor;
mod memory;
mod scenarios;
mod strace;

use scenarios::{SCENARIOS, Scenario};

/// A budget that is so much higher than what is measured should be lowered.
const GENEROUS: f64 = 1.1;

/// Callgrind counts every instruction, but machines differ: where the C library copies with other
/// vector instructions, an echo of 1 KiB costs up to 5 percent more. A difference below this limit
/// is printed and is not a failure.
const ELSEWHERE: f64 = 1.06;

/// On a machine that is busy a batch may be torn apart, which costs a few calls more. So the least
/// of a few tries counts, if the first one is over its budget.
const TRIES: usize = 3;

/// The measured cost of each request or connection.
type Figures = Vec<(&'static str, f64)>;

/// The largest allowed cost of a scenario.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Budget {
    system_calls: Option<f64>,
    instructions: Option<f64>,
    allocations: Option<f64>,
    memory: Option<f64>,
}

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    if let (Some(port), Some(floor::ARGUMENT)) = (arguments.next(), arguments.next().as_deref()) {
        floor::serve(port.parse().map_err(io::Error::other)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given = arguments.iter().find_map(|argument| argument.strip_prefix("--program="));
    let named: Vec<&String> = arguments.iter().filter(|name| !name.starts_with('-')).collect();
    if let Some(unknown) =
        named.iter().find(|name| !SCENARIOS.iter().any(|s| s.name == name.as_str()))
    {
        return Err(io::Error::other(format!("there is no scenario `{unknown}`")));
    }
    let files = bench_client::allow_many_descriptors()?;
    let budgets = read_budgets()?;
    let program = given.map_or_else(build, |path| Ok(PathBuf::from(path)))?;
    let tools = Tools::found(files);

    let wanted =
        |scenario: &&Scenario| named.is_empty() || named.iter().any(|name| *name == scenario.name);
    if arguments.iter().any(|argument| argument == "--files") {
        let counted = SCENARIOS.iter().filter(|scenario| scenario.requests > 0).filter(wanted);
        counted.into_iter().try_for_each(|scenario| callgrind::print_files(&program, scenario))?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:<18}{:<14}{:>10}{:>10}", "scenario", "", "measured", "budget");
    let mut over = false;
    for scenario in SCENARIOS.iter().filter(wanted) {
        let budget = budgets
            .get(scenario.name)
            .ok_or_else(|| io::Error::other(format!("budget.toml has no [{}]", scenario.name)))?;
        over |= judge(&tools, &program, scenario, budget)?;
    }
    Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read_budgets() -> io::Result<BTreeMap<String, Budget>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
    toml::from_str(&fs::read_to_string(path)?).map_err(io::Error::other)
}

/// Builds the application as its users do, and returns its path.
fn build() -> io::Result<PathBuf> {
    let current = env::current_exe()?;
    // target/release/deps/budget-0123456789abcdef
    let target = current.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--locked", "--example", "bench"]);
    cargo.arg("--target-dir").arg(target).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    match cargo.status()?.success() {
        true => Ok(target.join("release/examples/bench")),
        false => Err(io::Error::other("the example does not build")),
    }
}

/// Which of the tools work here, and how many files a process may open.
struct Tools {
    strace: bool,
    callgrind: bool,
    files: usize,
}

impl Tools {
    fn found(files: usize) -> Self {
        let tools = Self { strace: strace::works(), callgrind: callgrind::works(), files };
        if !tools.strace {
            println!("strace does not work here: system calls are not counted");
        }
        if !tools.callgrind {
            println!("valgrind does not work here: instructions and allocations are not counted");
        }
        tools
    }

    fn measure(&self, program: &Path, scenario: &Scenario) -> io::Result<Figures> {
        if scenario.requests == 0 {
            if self.files < memory::files(scenario) {
                println!("{}: no more than {} files may be open here", scenario.name, self.files);
                return Ok(Figures::new());
            }
            return memory::measure(program, scenario);
        }
        let mut figures = Figures::new();
        if self.strace {
            figures.extend(strace::measure(program, scenario)?);
        }
        if self.callgrind {
            figures.extend(callgrind::measure(program, scenario)?);
        }
        Ok(figures)
    }
}

/// Measures, prints the figures beside their budgets, and says whether one of them is over it.
fn judge(tools: &Tools, program: &Path, scenario: &Scenario, budget: &Budget) -> io::Result<bool> {
    let mut figures = tools.measure(program, scenario)?;
    for _ in 1..TRIES {
        if figures.iter().any(|&(what, measured)| budget.is_exceeded(what, measured)) {
            let again = tools.measure(program, scenario)?;
            figures = figures.iter().zip(again).map(|(a, b)| (b.0, b.1.min(a.1))).collect();
        }
    }
    let mut over = false;
    for (what, measured) in figures {
        let is_over = budget.is_exceeded(what, measured);
        over |= is_over;
        let decimals = if measured < 100.0 { 2 } else { 0 };
        let allowed = budget.of(what).unwrap_or(f64::INFINITY);
        let remark = match () {
            () if is_over => "  OVER BUDGET",
            () if measured > allowed => "  over by less than another machine may be",
            () if measured * GENEROUS < allowed => "  the budget can be lowered",
            () => "",
        };
        let name = scenario.name;
        println!("{name:<18}{what:<14}{measured:>10.decimals$}{allowed:>10.decimals$}{remark}");
    }
    Ok(over)
}

impl Budget {
    fn of(&self, what: &str) -> Option<f64> {
        match what {
            "system calls" => self.system_calls,
            "instructions" => self.instructions,
            "allocations" => self.allocations,
            _ => self.memory,
        }
    }

    fn is_exceeded(&self, what: &str, measured: f64) -> bool {
        let margin = if what == "instructions" { ELSEWHERE } else { 1.0 };
        self.of(what).is_some_and(|allowed| measured > allowed * margin)
    }
}
