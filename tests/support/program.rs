//! A program that a test runs beside itself, and what it prints.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::SOON;

/// A process, and those that it has forked. Dropping it kills the first, with which a supervisor's
/// workers end.
pub struct Program {
    child: Child,
    /// The output and the log of all of them.
    lines: Receiver<String>,
    /// Lines that came while another one was awaited.
    seen: RefCell<Vec<String>>,
}

impl Program {
    pub fn start(mut command: Command) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        // A backtrace could fill the pipe, and a server drops log lines for which there is no room.
        command.env("RUST_BACKTRACE", "0");
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let line = line.unwrap();
                // Shown if the test fails.
                eprintln!("server: {line}");
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: RefCell::default() }
    }

    /// Waits for a line that contains `text`, and returns what comes after it. Every line is
    /// found once only.
    #[track_caller]
    pub fn expect(&self, text: &str) -> String {
        let line = self.expect_line(|line| line.contains(text));
        let line = line.unwrap_or_else(|error| panic!("no line with `{text}`: {error}"));
        line.split_once(text).map(|(_, after)| after.to_owned()).unwrap()
    }

    /// Waits for a line like this.
    pub fn expect_line(&self, is_it: impl Fn(&str) -> bool) -> Result<String, RecvTimeoutError> {
        let mut seen = self.seen.borrow_mut();
        if let Some(index) = seen.iter().position(|line| is_it(line)) {
            return Ok(seen.remove(index));
        }
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left)?;
            if is_it(&line) {
                return Ok(line);
            }
            seen.push(line);
        }
    }

    /// The process that was started: the supervisor, if there are workers.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Signals that process.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until the program and all its workers have ended. Returns the exit status of the
    /// program, and the lines that no test has awaited. It leaves out warnings of a blocked loop,
    /// because the machine may be busy, and of an ignored SIGINT, because the tests may run as a
    /// background job.
    #[track_caller]
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        assert!(self.has_ended_within(SOON), "the program is still running, or a worker is");
        let mut lines = self.seen.take();
        let may_be = ["event loop blocked for ", "SIGINT was ignored when the program began"];
        lines.retain(|line| !may_be.iter().any(|text| line.contains(text)));
        (self.child.wait().unwrap(), lines)
    }

    /// Whether all processes have closed the standard output, so that no process is left.
    pub fn has_ended_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.borrow_mut().push(line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
