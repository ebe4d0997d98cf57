//! A server in a process of its own, and what the system says of it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::disable_transparent_huge_pages;

/// The server must listen, and later end, within this time; otherwise it is killed. Both may take
/// long under a tool that counts instructions on a busy machine.
const GRACE: Duration = Duration::from_secs(120);

/// By how much the time that is counted in ticks may be wrong.
const ROUNDED: Duration = Duration::from_millis(30);

/// A process that listens. It is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts the program that `command` makes for a port of this machine, and waits until it
    /// listens there. What it prints is not shown; what it logs is.
    ///
    /// # Errors
    ///
    /// If it cannot be run, ends, or does not listen within two minutes.
    pub fn start(command: impl FnOnce(u16) -> Command) -> io::Result<Self> {
        // The benchmarks measure the server's memory, and some systems allocate it in pieces of 2
        // MiB. The server inherits this setting.
        let _ = disable_transparent_huge_pages(true);
        let port = free_port()?;
        let process = command(port).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Self { process, port };
        let begin = Instant::now();
        while !server.listens() {
            if let Some(status) = server.process.try_wait()? {
                return Err(io::Error::other(format!("the server has ended: {status}")));
            }
            if begin.elapsed() > GRACE {
                return Err(io::Error::other("the server does not listen"));
            }
            pause();
        }
        Ok(server)
    }

    /// Ends it gracefully, so that the tools which watch it write down what they saw. Those that
    /// run it as a child are not signalled, only it.
    ///
    /// # Errors
    ///
    /// If it does not end within two minutes.
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

    /// How long all its processes have been running on a processor.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn cpu(&self) -> io::Result<Duration> {
        let (mut exact, mut ticks) = (0, 0);
        for pid in self.pids() {
            let pid = pid.as_raw_pid();
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                // A thread may end meanwhile.
                let text = fs::read_to_string(thread?.path().join("schedstat"));
                exact += number(&text.unwrap_or_default(), 0);
            }
            let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let fields = text.rsplit(')').next().unwrap_or_default();
            // As in proc(5), where the state, which follows the name, is field 3.
            ticks += number(fields, 14 - 3) + number(fields, 15 - 3);
        }
        let ticks = Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64);
        let exact = Duration::from_nanos(exact);
        // Threads that have ended are counted by the process alone, and roughly.
        Ok(if ticks > exact + exact / 10 + ROUNDED { ticks } else { exact })
    }

    fn listens(&self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "no loop runs here")]
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
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

/// The field at a position of those that spaces part.
fn number(text: &str, position: usize) -> u64 {
    text.split_whitespace().nth(position).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_pid();
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

/// A free port in both address families, where the machine has both.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0));
    let listener = listener.or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    Ok(listener.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "no loop runs here")]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}
