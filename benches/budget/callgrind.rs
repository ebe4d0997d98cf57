//! Counts instructions and allocations.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use bench_client::Server;

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
    let each = |short: u64, long: u64| {
        let difference = long as f64 - short as f64;
        (difference / scenario.requests as f64 * 100.0).round() / 100.0
    };
    Ok(vec![
        ("instructions", each(short.instructions, long.instructions)),
        ("allocations", each(short.allocations, long.allocations)),
    ])
}

#[derive(Default)]
struct Counts {
    instructions: u64,
    allocations: u64,
}

/// What the server did, in all.
fn count(program: &Path, scenario: &Scenario, requests: usize) -> io::Result<Counts> {
    let file = std::env::temp_dir().join(format!("squall-budget-{}", std::process::id()));
    let server = Server::start(|port| {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "-q", "--compress-strings=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", file.display()));
        valgrind.arg(program).arg(port.to_string());
        valgrind
    })?;
    scenario.run(&server, requests)?;
    server.stop()?;
    let profile = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    Ok(read(&profile))
}

/// Calls stand behind the name of what is called: `cfn=malloc`, then `calls=7 0`.
fn read(profile: &str) -> Counts {
    let mut counts = Counts::default();
    let mut called = "";
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATORS.contains(&called)
        {
            counts.allocations += number(calls);
        } else if let Some(sum) = line.strip_prefix("totals: ") {
            counts.instructions += number(sum);
        }
    }
    counts
}

/// The number that the text begins with.
fn number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
