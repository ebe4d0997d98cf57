//! What connections cost that do nothing: memory, and the latency of those beside them.
//!
//! `cargo bench --bench connections [-- IDLE]` opens IDLE connections (default 10,000, each with
//! one request behind it) to a server in a process of its own, and lets 64 others make requests
//! one after the other, before and while the idle ones are open. It prints figures and judges
//! nothing: machines differ.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::{Application, HTTPServer, IOLoop, get, route};
use squall_runtime::TcpStream;

const BUSY: usize = 64;
const DURATION: Duration = Duration::from_secs(3);
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "serve") {
        return serve();
    }
    let idle = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let mut server = Server::spawn()?;
    IOLoop::current().run_sync(async {
        // The first requests make pools and tables: they are not what a connection costs.
        busy(server.address, Duration::from_millis(300)).await?;
        report("64 busy alone", busy(server.address, DURATION).await?);
        let before = server.memory()?;
        let connections = open(server.address, idle).await?;
        let each = (server.memory()? - before) / idle as f64;
        println!("{idle} idle: {each:.0} bytes of the server's memory each");
        report("64 busy beside them", busy(server.address, DURATION).await?);
        drop(connections);
        io::Result::Ok(())
    })??;
    server.process.kill()
}

fn serve() -> io::Result<()> {
    let app = Application::new([route("/", get(async || "Hello, world"))]);
    let server = HTTPServer::new(app).idle_connection_timeout(None);
    server.listen("127.0.0.1:0")?;
    println!("{}", server.local_addrs()[0]);
    IOLoop::current().start()
}

/// The server, in a process of its own: this program with another argument.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn spawn() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg("serve").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = &mut process.stdout {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { process, address })
    }

    /// The memory of the server that is its own, in bytes.
    fn memory(&self) -> io::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = anonymous.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        Ok(kilobytes.unwrap_or(f64::NAN) * 1024.0)
    }
}

/// Opens connections, and makes one request on each.
async fn open(address: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = TcpStream::connect(address).await?;
        request(&mut connection).await?;
        connections.push(connection);
    }
    Ok(connections)
}

/// Makes requests on `BUSY` connections at once; returns how long each took, sorted.
async fn busy(address: SocketAddr, duration: Duration) -> io::Result<Vec<Duration>> {
    let times = Rc::new(RefCell::new(Vec::new()));
    let end = Instant::now() + duration;
    let mut tasks = Vec::new();
    for _ in 0..BUSY {
        let times = Rc::clone(&times);
        tasks.push(IOLoop::current().spawn(async move {
            let mut connection = TcpStream::connect(address).await?;
            while Instant::now() < end {
                let begin = Instant::now();
                request(&mut connection).await?;
                times.borrow_mut().push(begin.elapsed());
            }
            io::Result::Ok(())
        }));
    }
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    let mut times = times.take();
    times.sort_unstable();
    Ok(times)
}

async fn request(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(REQUEST).await?;
    let mut answer = [0; 1024];
    let count = connection.read(&mut answer).await?;
    match answer[..count].starts_with(b"HTTP/1.1 200 OK\r\n") {
        true => Ok(()),
        false => Err(io::Error::other("the server did not answer as it should")),
    }
}

fn report(what: &str, times: Vec<Duration>) {
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    println!(
        "{what}: {} requests in {} s, p50 {} us, p99 {} us",
        times.len(),
        DURATION.as_secs(),
        at(0.5),
        at(0.99),
    );
}
