//! A server in a process of its own, and what the system says of it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// It ends within this time, or is killed.
const GRACE: Duration = Duration::from_secs(20);

/// A process that listens. It is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts a program that prints its address once it listens, at the port which `command` is
    /// made for.
    ///
    /// # Errors
    ///
    /// If it cannot be run, or prints something else.
    pub fn start(command: impl FnOnce(u16) -> Command) -> io::Result<Self> {
        let port = free_port()?;
        let mut process = command(port).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let Some(output) = process.stdout.take() else {
            return Err(io::Error::other("it has no standard output"));
        };
        let server = Self { process, port };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if !line.contains(&port.to_string()) {
            return Err(io::Error::other(format!("the server has said `{}`", line.trim_end())));
        }
        Ok(server)
    }

    /// Ends it gracefully, so that the tools which watch it write down what they saw. Those that
    /// run it as a child are not signalled, only it.
    ///
    /// # Errors
    ///
    /// If it does not end within 20 seconds.
    pub fn stop(mut self) -> io::Result<()> {
        for pid in self.leaves() {
            kill_process(pid, Signal::TERM)?;
        }
        let begin = Instant::now();
        while self.process.try_wait()?.is_none() {
            if begin.elapsed() > GRACE {
                return Err(io::Error::other("the server does not end"));
            }
            pause();
        }
        Ok(())
    }

    /// The memory that is its own and of no file, in bytes, of all its processes.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn memory(&self) -> io::Result<u64> {
        let each = self.pids().into_iter().map(|pid| {
            let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid()))?;
            let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kilobytes =
                anonymous.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            kilobytes.map(|kilobytes: u64| kilobytes << 10).ok_or(io::ErrorKind::InvalidData.into())
        });
        each.sum()
    }

    /// Its process and all that descend from it.
    fn pids(&self) -> Vec<Pid> {
        let mut found: Vec<Pid> =
            Pid::from_raw(self.process.id().cast_signed()).into_iter().collect();
        let mut next = 0;
        while let Some(&pid) = found.get(next) {
            found.extend(children(pid));
            next += 1;
        }
        found
    }

    /// Those that have no children: a server that does not fork, also under a tool.
    fn leaves(&self) -> Vec<Pid> {
        self.pids().into_iter().filter(|&pid| children(pid).is_empty()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_pid();
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

/// A port that nobody listens at, in either family.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("::", 0))?.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "no loop runs here")]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}
