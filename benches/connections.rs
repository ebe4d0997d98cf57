//! Measures idle connections: their memory, and the latency of the busy connections beside them.
//!
//! `cargo bench --bench connections [-- COUNT]` opens COUNT connections (default 10,000), makes one
//! request on each, and leaves them; 64 others make requests one after the other, before and
//! meanwhile. It prints figures and judges nothing: machines differ.
//!
//! A process may hold only so many descriptors: there are as many workers as are needed for COUNT,
//! and as many processes that hold the other ends. All is on loopback addresses, eight of them,
//! because each has ports for 28,000 clients. `-- 100000` takes about half a minute, and not more
//! than 20,000 descriptors for each process.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bench_client::{Connections, Load, Server, Until, allow_many_descriptors, get};
use squall::{Application, HTTPServer, IOLoop, route};

const BUSY: usize = 64;
const DURATION: Duration = Duration::from_secs(3);

/// For what a process needs besides connections.
const OTHER_DESCRIPTORS: usize = 500;

/// Workers get about the same number of connections, but not exactly.
const UNEVEN: usize = 10;

/// They must not be closed while they are measured, but have a timer as they usually have.
const TIMEOUT: Duration = Duration::from_secs(3600);

fn main() -> io::Result<()> {
    let descriptors = allow_many_descriptors()?;
    // Cargo has arguments of its own.
    let arguments: Vec<String> =
        env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse().ok());
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(number(1).unwrap_or(0), number(2).unwrap_or(1)),
        Some("hold") => hold(number(1).unwrap_or(0) as u16, number(2).unwrap_or(0)),
        _ => measure(number(0).unwrap_or(10_000), descriptors - OTHER_DESCRIPTORS),
    }
}

fn measure(count: usize, per_process: usize) -> io::Result<()> {
    let workers = (count + count / UNEVEN + BUSY).div_ceil(per_process);
    let server = Server::start(|port| this(&["serve", &port.to_string(), &workers.to_string()]))?;
    let load =
        Load { port: server.port, connections: BUSY, depth: 1, request: get("/"), websocket: None };
    let mut busy = load.open()?;
    // The first requests make pools and tables: they are not what a connection costs.
    busy.run(Until::Elapsed(Duration::from_millis(500)))?;
    report("alone", &mut busy)?;

    let before = server.memory()?;
    let begin = Instant::now();
    let processes = count.div_ceil(per_process);
    let share = |process| count / processes + usize::from(process < count % processes);
    let holders = (0..processes).map(|process| Holder::start(server.port, share(process)));
    let mut holders: Vec<_> = holders.collect::<io::Result<_>>()?;
    holders.iter_mut().try_for_each(Holder::opened)?;
    let (took, with) = (begin.elapsed().as_secs_f64(), server.memory()?);
    let each = |memory: u64| memory.saturating_sub(before) as f64 / count as f64;
    println!("{count} idle connections to {workers} workers, opened in {took:.1} s");
    println!("  {:.0} bytes of the workers' memory each, not counting the kernel's", each(with));
    report("beside them", &mut busy)?;
    let closed: usize = holders.into_iter().map(Holder::end).sum::<io::Result<usize>>()?;
    println!("  {closed} of them were closed by the server");
    busy.run(Until::Elapsed(DURATION / 3))?;
    println!("  {:.0} bytes each are left once they are gone", each(server.memory()?));
    Ok(())
}

fn report(what: &str, busy: &mut Connections) -> io::Result<()> {
    let outcome = busy.run(Until::Elapsed(DURATION))?;
    let rate = outcome.requests as f64 / outcome.elapsed.as_secs_f64();
    let [p50, p99] = [0.5, 0.99].map(|part| outcome.latencies.quantile(part).as_micros());
    println!("  {BUSY} busy {what}: {rate:.0} requests/s, p50 {p50} us, p99 {p99} us");
    Ok(())
}

/// The server: this program with other arguments.
fn serve(port: usize, workers: usize) -> io::Result<()> {
    let app = Application::new([route("/", squall::get(async || "Hello, world"))]);
    let server = HTTPServer::new(app).idle_connection_timeout(TIMEOUT);
    server.bind(port as u16)?;
    server.start(workers)?;
    IOLoop::current().start()
}

/// The other ends: open until the standard input ends.
fn hold(port: u16, connections: usize) -> io::Result<()> {
    let held = Load { port, connections, depth: 1, request: get("/"), websocket: None }.open()?;
    println!("open");
    io::stdin().read_to_end(&mut Vec::new())?;
    println!("{}", held.disturbed()?);
    Ok(())
}

/// A process that holds connections.
struct Holder {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(port: u16, connections: usize) -> io::Result<Self> {
        let mut command = this(&["hold", &port.to_string(), &connections.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { process, output: BufReader::new(output) })
    }

    /// Waits until all are open.
    fn opened(&mut self) -> io::Result<()> {
        match self.line()?.as_str() {
            "open" => Ok(()),
            other => Err(io::Error::other(format!("connections cannot be opened: {other}"))),
        }
    }

    /// Closes them; how many the server had closed before.
    fn end(mut self) -> io::Result<usize> {
        drop(self.process.stdin.take());
        let closed = self.line()?.parse().map_err(io::Error::other)?;
        self.process.wait()?;
        Ok(closed)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap_or_default());
    command.args(arguments);
    command
}
