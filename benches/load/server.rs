//! The server, in a process of its own: this program with another argument.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use squall::{Application, Bytes, Context, HTTPServer, IOLoop, Result, get, post, route, sleep};

/// How long the handler of `/upload` does not read.
pub(crate) const REST: Duration = Duration::from_secs(5);

/// The most that a compressed body may become.
pub(crate) const INFLATED: u64 = 1 << 20;

static BIG: [u8; 512 << 10] = [b'a'; 512 << 10];

/// Serves until it is killed, with at most so many descriptors if that is said.
pub(crate) fn serve(descriptors: Option<&String>) -> io::Result<()> {
    if let Some(limit) = descriptors.and_then(|limit| limit.parse().ok()) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    let app = Application::new([
        route("/", get(async || "Hello, world")),
        route("/echo", post(echo)),
        route("/big", get(async || Bytes::from_static(&BIG))),
        route("/discard", post(discard)).stream_request_body(),
        route("/inflated", post(echo)).decompress_request(true).max_body_size(INFLATED),
        route("/inflated-pieces", post(discard))
            .stream_request_body()
            .decompress_request(true)
            .max_body_size(INFLATED),
        route("/upload", post(upload)).stream_request_body().max_body_size(1 << 40),
    ]);
    let server = HTTPServer::new(app);
    server.listen("127.0.0.1:0")?;
    println!("{}", server.local_addrs()[0]);
    IOLoop::current().start()
}

async fn echo(cx: &mut Context) -> Result {
    let body = cx.body().await?;
    cx.write(body)
}

async fn discard(cx: &mut Context) -> Result {
    let mut body = cx.body();
    while let Some(piece) = body.next().await {
        piece?;
    }
    cx.write("done")
}

async fn upload(cx: &mut Context) -> Result {
    sleep(REST).await;
    cx.write("enough")
}

/// It is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn spawn() -> io::Result<Self> {
        Self::with(&[])
    }

    pub(crate) fn with_descriptors(limit: u32) -> io::Result<Self> {
        Self::with(&[limit.to_string()])
    }

    fn with(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // These clients would cause thousands of log lines.
        command.arg("serve").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = &mut process.stdout {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { process, address })
    }

    /// The memory that is its own, in bytes.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        self.bytes("RssAnon:")
    }

    /// The most memory that the process has used, including its program.
    pub(crate) fn peak(&self) -> io::Result<f64> {
        self.bytes("VmHWM:")
    }

    fn bytes(&self, name: &str) -> io::Result<f64> {
        let status = fs::read_to_string(self.path("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        Ok(kilobytes.unwrap_or(f64::NAN) * 1024.0)
    }

    /// The bytes that the kernel holds for the clients: sent by the server and not yet received.
    pub(crate) fn queued(&self) -> io::Result<f64> {
        let port = format!("{:04X}", self.address.port());
        let table = fs::read_to_string(self.path("net/tcp"))?;
        let queued = table.lines().filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (_, local) = fields.next()?.split_once(':')?;
            let (sending, _) = fields.nth(2)?.split_once(':')?;
            (local == port).then(|| u64::from_str_radix(sending, 16).ok())?
        });
        Ok(queued.sum::<u64>() as f64)
    }

    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.path("fd"))?.count())
    }

    /// How long it has been running on a core, in all.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let text = fs::read_to_string(self.path("schedstat"))?;
        let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
        Ok(Duration::from_nanos(nanoseconds.unwrap_or(0)))
    }

    fn path(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
