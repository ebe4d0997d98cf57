//! Counts instructions and allocations.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Figures;
use crate::scenarios::Scenario;

/// Whatever gives a program memory.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// Whether it is installed.
pub(crate) fn works() -> bool {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=none", "-q", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    valgrind.status().is_ok_and(|status| status.success())
}

pub(crate) fn measure(program: &Path, scenario: &Scenario) -> io::Result<Figures> {
    let short = count(program, scenario, 0)?;
    let long = count(program, scenario, scenario.requests)?;
    let each = |short: u64, long: u64| (per(scenario, short, long) * 100.0).round() / 100.0;
    Ok(vec![
        ("instructions", each(short.instructions(), long.instructions())),
        ("allocations", each(short.allocations, long.allocations)),
    ])
}

/// Prints in which source files the instructions of a request are, most of them first.
pub(crate) fn print_files(program: &Path, scenario: &Scenario) -> io::Result<()> {
    let short = count(program, scenario, 0)?;
    let long = count(program, scenario, scenario.requests)?;
    let before = |file: &String| short.files.get(file).copied().unwrap_or(0);
    let each = |(file, &after): (&String, &u64)| (per(scenario, before(file), after), file.clone());
    let mut files: Vec<(f64, String)> = long.files.iter().map(each).collect();
    files.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{}: instructions per request, by source file", scenario.name);
    for (instructions, file) in files.iter().filter(|(instructions, _)| *instructions >= 1.0) {
        println!("{instructions:8.0}  {}", shortened(file));
    }
    Ok(())
}

fn per(scenario: &Scenario, short: u64, long: u64) -> f64 {
    (long as f64 - short as f64) / scenario.requests as f64
}

/// A path from the crate on.
fn shortened(file: &str) -> &str {
    let root = env!("CARGO_MANIFEST_DIR").trim_end_matches("benches");
    let in_registry = || file.split_once("/registry/src/")?.1.split_once('/').map(|(_, rest)| rest);
    let in_rust = || file.find("/library/").map(|at| &file[at + 1..]);
    file.strip_prefix(root).or_else(in_registry).or_else(in_rust).unwrap_or(file)
}

#[derive(Default)]
struct Counts {
    /// Instructions by source file.
    files: BTreeMap<String, u64>,
    allocations: u64,
}

impl Counts {
    fn instructions(&self) -> u64 {
        self.files.values().sum()
    }
}

/// The total cost in the server.
fn count(program: &Path, scenario: &Scenario, requests: usize) -> io::Result<Counts> {
    let file = std::env::temp_dir().join(format!("squall-budget-{}", std::process::id()));
    let server = scenario.start(program, |command| {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "-q", "--compress-strings=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", file.display()));
        valgrind.arg(command.get_program()).args(command.get_args());
        valgrind
    })?;
    scenario.run(&server, requests)?;
    server.stop()?;
    let profile = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    Ok(read(&profile))
}

/// Reads a profile of callgrind. It names a file (`fl=`, or `fi=` and `fe=` for inlined code), then
/// its lines, each with its cost: `120 3`. A call is the name of the callee, `cfn=malloc`, then
/// `calls=7 0`, and a line with the cost of the calls, which is counted for the callee.
fn read(profile: &str) -> Counts {
    let mut counts = Counts::default();
    let (mut file, mut called) = ("", "");
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        match line.split_once('=') {
            Some(("fl" | "fi" | "fe", name)) => file = name,
            Some(("cfn", name)) => called = name,
            Some(("calls", calls)) => {
                if ALLOCATORS.contains(&called) {
                    counts.allocations += calls.split(' ').next().map_or(0, number);
                }
                lines.next();
            }
            Some(_) => {}
            None if line
                .starts_with(|first: char| "+-*".contains(first) || first.is_ascii_digit()) =>
            {
                let cost = line.split(' ').nth(1).map_or(0, number);
                match counts.files.get_mut(file) {
                    Some(sum) => *sum += cost,
                    None => drop(counts.files.insert(file.to_owned(), cost)),
                }
            }
            None => {}
        }
    }
    counts
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}
