//! Tools of the cases: servers in processes of their own, and clients.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, ExitStatus, exit, id};
use std::thread;
use std::time::Instant;

use futures_lite::io::BufReader as AsyncBufReader;
use futures_lite::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall_runtime::{IOLoop, Listener, Sockets};

pub use crate::http::SOON;
use crate::program::Program;

/// A case that runs.
pub struct Case {
    name: &'static str,
    is_server: bool,
}

impl Case {
    pub fn new(name: &'static str, is_server: bool) -> Self {
        Self { name, is_server }
    }

    /// Runs `serve` in a new process with one thread. Its standard output and error are what
    /// the case reads.
    ///
    /// The new process runs the case up to the first call of this, which does not return there.
    /// So a case may start many servers, but only of one kind.
    pub fn server(&self, serve: impl FnOnce() -> io::Result<()>) -> Server {
        if self.is_server {
            let result = serve();
            if let Err(error) = &result {
                println!("error: {error}");
            }
            exit(i32::from(result.is_err()));
        }
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--case", self.name, "--server"]);
        Server::start(command)
    }

    /// As `server`, started by another program.
    pub fn server_under(
        &self,
        program: &str,
        arguments: &[&str],
        serve: impl FnOnce() -> io::Result<()>,
    ) -> Server {
        if self.is_server {
            return self.server(serve);
        }
        let mut command = Command::new(program);
        command.args(arguments).arg(env::current_exe().unwrap());
        command.args(["--case", self.name, "--server"]);
        Server::start(command)
    }

    /// Whether this is the process of the server, which runs the case up to `server`.
    pub fn is_server(&self) -> bool {
        self.is_server
    }
}

/// A set of signals that this process has, such as `SigIgn`: one bit for each, from 1.
pub fn signal_set(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    u64::from_str_radix(set.unwrap(), 16).unwrap()
}

pub fn has(set: u64, signal: Signal) -> bool {
    set & bit(signal) != 0
}

pub fn bit(signal: Signal) -> u64 {
    1 << (signal as u64 - 1)
}

/// A server's process, with all its workers.
pub type Server = Program;

/// Answers that only these servers give.
impl Server {
    /// As `expect`, for a number.
    #[track_caller]
    pub fn number(&self, text: &str) -> i32 {
        let rest = self.expect(text);
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap_or_else(|_| panic!("no number after `{text}`: {rest}"))
    }

    /// The process id of the worker that comes up next with this number.
    #[track_caller]
    pub fn worker(&self, id: usize) -> Pid {
        Pid::from_raw(self.number(&format!("this is worker {id}, process ")))
    }

    /// Like `ended`, for this many workers that end by themselves. The log has a line for each of
    /// them and for the end.
    #[track_caller]
    pub fn ended_by_itself(self, workers: usize) -> (ExitStatus, Vec<String>) {
        let (status, mut others) = self.ended();
        let is_done = |line: &mut String| line.contains("exited normally; it is not replaced, ");
        assert_eq!(others.extract_if(.., is_done).count(), workers, "{others:?}");
        let is_end = |line: &mut String| line.contains("all workers have ended by themselves: ");
        assert_eq!(others.extract_if(.., is_end).count(), 1, "{others:?}");
        (status, others)
    }

    /// The port that it has announced.
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.number("port ").try_into().unwrap()
    }

    /// The processes that it has started, and that have not ended.
    pub fn children(&self) -> Vec<Pid> {
        let parent = self.pid().to_string();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let process = entry.unwrap().file_name().to_str()?.parse().ok()?;
            // It may have ended since.
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let (state, its_parent) = (fields.next()?, fields.next()?);
            (state != "Z" && its_parent == parent).then_some(Pid::from_raw(process))
        });
        processes.collect()
    }
}

/// Called in a worker: announces the worker's number to the case.
pub fn announce(worker: usize) {
    println!("this is worker {worker}, process {}", id());
}

/// In a worker: greets each connection with `worker process\n`, and then does what it asks for:
/// `exit N`, or nothing.
pub fn greet(worker: usize, sockets: Sockets) -> io::Result<()> {
    let io_loop = IOLoop::current();
    for listener in sockets.into_listeners()? {
        match listener {
            Listener::Tcp(listener) => io_loop.spawn_callback(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    IOLoop::current().spawn_callback(talk(worker, stream));
                }
            }),
            Listener::Unix(listener) => io_loop.spawn_callback(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    IOLoop::current().spawn_callback(talk(worker, stream));
                }
            }),
        }
    }
    io_loop.start()
}

async fn talk(worker: usize, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let greeting = format!("{worker} {}\n", id());
    let mut order = String::new();
    // Clients leave as they like.
    let _ = stream.write_all(greeting.as_bytes()).await;
    let _ = AsyncBufReader::new(stream).read_line(&mut order).await;
    if let Some(status) = order.trim().strip_prefix("exit ") {
        exit(status.parse().unwrap());
    }
}

/// A connection to one of the workers.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address.into(), SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// To a port of this machine.
    pub fn local(port: u16) -> Self {
        Self::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
    }

    /// To a certain worker, which one finds by trying. Once this returns, the worker listens.
    pub fn of_worker(port: u16, worker: usize) -> Self {
        let start = Instant::now();
        loop {
            let mut client = Self::local(port);
            if client.greeting().unwrap().0 == worker {
                return client;
            }
            assert!(start.elapsed() < SOON, "no connection reaches worker {worker}");
        }
    }

    /// The number and process id of the worker that has accepted this.
    pub fn greeting(&mut self) -> io::Result<(usize, Pid)> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let parts = line.trim().split_once(' ').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((parts.0.parse().unwrap(), Pid::from_raw(parts.1.parse().unwrap())))
    }

    pub fn order(&mut self, order: &str) {
        writeln!(self.0.get_mut(), "{order}").unwrap();
    }
}

/// Waits until the process has ended, whether anybody has asked how or not.
#[track_caller]
pub fn await_end(process: Pid) {
    let start = Instant::now();
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        Some(!stat.rsplit_once(") ")?.1.starts_with('Z'))
    };
    while lives() == Some(true) {
        assert!(start.elapsed() < SOON, "process {process} is still there");
        thread::yield_now();
    }
}

/// Stops all threads of a process; returns when they have stopped.
pub fn suspend(process: Pid) {
    let start = Instant::now();
    kill(process, Signal::SIGSTOP).unwrap();
    let is_stopped = |thread: io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    while !fs::read_dir(format!("/proc/{process}/task")).unwrap().all(is_stopped) {
        assert!(start.elapsed() < SOON);
        thread::yield_now();
    }
}
