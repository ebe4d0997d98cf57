//! Runs cases as `cargo test` and `cargo nextest` expect it of a test binary.

use std::env;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::case::Case;

/// The time limit of a case. None takes more than a few seconds, unless the machine is busy.
const LIMIT: Duration = Duration::from_secs(180);

/// The name of a case, and the case.
pub type Row = (&'static str, fn(&Case));

/// A row for each function, named by its path.
macro_rules! rows {
    ($($case:path,)*) => {
        &[$((stringify!($case), $case as fn(&crate::case::Case)),)*]
    };
}
pub(crate) use rows;

/// The whole program: runs the cases that the arguments ask for, or, started by itself, one.
pub fn main(rows: &'static [Row]) -> ExitCode {
    leave_no_cores();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--case", name] => run_case(rows, name, false),
        ["--case", name, "--server"] => run_case(rows, name, true),
        _ => Options::parse(&arguments).run(rows),
    }
}

/// Some of what is tested ends by a signal that has the system write a file. A limit of 1 is heeded
/// also where that goes through a pipe (core(5)).
fn leave_no_cores() {
    let before = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), ..before });
}

fn run_case(rows: &[Row], name: &str, is_server: bool) -> ExitCode {
    let &(name, case) = rows.iter().find(|row| row.0 == name).expect("there is such a case");
    case(&Case::new(name, is_server));
    ExitCode::SUCCESS
}

/// The options of a test binary that make sense here. The rest are ignored.
#[derive(Default)]
struct Options {
    list: bool,
    ignored: bool,
    exact: bool,
    nocapture: bool,
    filters: Vec<String>,
    skip: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => options.list = true,
                "--ignored" => options.ignored = true,
                "--exact" => options.exact = true,
                "--nocapture" | "--no-capture" => options.nocapture = true,
                "--skip" => options.skip.extend(arguments.next().cloned()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => {
                    arguments.next();
                }
                option if option.starts_with('-') => {}
                filter => options.filters.push(filter.to_owned()),
            }
        }
        options
    }

    fn selects(&self, name: &str) -> bool {
        let matches = |filter: &String| match self.exact {
            true => name == filter,
            false => name.contains(filter.as_str()),
        };
        !self.ignored
            && (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skip.iter().any(matches)
    }

    fn run(&self, rows: &[Row]) -> ExitCode {
        let selected: Vec<_> =
            rows.iter().map(|row| row.0).filter(|name| self.selects(name)).collect();
        if self.list {
            selected.iter().for_each(|name| println!("{name}: test"));
            return ExitCode::SUCCESS;
        }

        let start = Instant::now();
        println!("\nrunning {} tests", selected.len());
        let mut failures = Vec::new();
        for name in &selected {
            match run(name, self.nocapture) {
                Ok(()) => println!("test {name} ... ok"),
                Err(output) => {
                    println!("test {name} ... FAILED");
                    failures.push((name, output));
                }
            }
        }
        for (name, output) in &failures {
            println!("\n---- {name} ----\n{output}");
        }
        println!(
            "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; \
             finished in {:.2}s\n",
            if failures.is_empty() { "ok" } else { "FAILED" },
            selected.len() - failures.len(),
            failures.len(),
            rows.len() - selected.len(),
            start.elapsed().as_secs_f64(),
        );
        // 101 is what the standard harness ends with.
        if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
    }
}

/// Runs one case in a process of its own. The error is what it printed.
fn run(name: &str, nocapture: bool) -> Result<(), String> {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.args(["--case", name]).process_group(0);
    if !nocapture {
        command.stdout(writer.try_clone().expect("a descriptor"));
        command.stderr(writer.try_clone().expect("a descriptor"));
    }
    let mut child = command.spawn().expect("this program starts");
    let group = Pid::from_raw(child.id().cast_signed());
    drop((command, writer));

    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let status = child.wait().expect("the case was started");
        // Whatever it has left behind.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = sender.send(status);
    });
    let result = match ended.recv_timeout(LIMIT) {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(_) => {
            let _ = killpg(group, Signal::SIGKILL);
            format!("still running after {LIMIT:?}, killed")
        }
    };
    let mut output = String::new();
    let _ = reader.read_to_string(&mut output);
    Err(output + &result)
}
