//! Shows the workers of a server in a terminal, twice a second: their requests, tasks and rates.
//!
//! Run it: `cargo run --example top`, beside `cargo run --example metrics`
//! Run it on another server: `cargo run --example top /run/app.sock`, the path that
//! `HTTPServer::control` was given.
//!
//! `q` or ^C ends it. If the output is no terminal, it shows one picture and ends. Rates and times
//! are those since the last picture.

use std::env;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde::Deserialize;

const REFRESH: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The part of the server's answer that is shown.
#[derive(Deserialize)]
struct Status {
    version: String,
    workers: Vec<Worker>,
    requests: Requests,
    in_flight: u64,
    connections: u64,
    routes: Vec<Route>,
}

#[derive(Deserialize)]
struct Worker {
    number: usize,
    state: String,
    pid: Option<u32>,
    uptime_seconds: f64,
    restarts: u64,
    requests: u64,
    in_flight: u64,
    connections: u64,
    resident_bytes: Option<u64>,
    serving: Option<Serving>,
}

#[derive(Deserialize)]
struct Serving {
    method: String,
    route: String,
    seconds: f64,
}

#[derive(Deserialize)]
struct Route {
    method: String,
    route: String,
    #[serde(flatten)]
    requests: Requests,
}

#[derive(Deserialize)]
struct Requests {
    count: u64,
    by_status: Vec<(String, u64)>,
    duration: Times,
}

#[derive(Deserialize)]
struct Times {
    sum: f64,
    max: f64,
    /// Upper bounds in seconds, and how many took no longer than that and longer than the one before.
    buckets: Vec<(Option<f64>, u64)>,
}

/// One look at the server, and the one before.
struct Look<'a> {
    now: &'a Status,
    before: Option<&'a Status>,
    seconds: f64,
}

fn main() -> io::Result<()> {
    let default = || env::temp_dir().join("squall-8000.sock");
    let path = env::args_os().nth(1).map_or_else(default, PathBuf::from);
    if !io::stdout().is_terminal() {
        let status = ask(&path)?;
        let look = Look { now: &status, before: None, seconds: status.uptime() };
        look.lines().iter().for_each(|line| println!("{line}"));
        return Ok(());
    }
    let screen = Screen::enter()?;
    let mut before: Option<(Instant, Status)> = None;
    loop {
        let (time, status) = (Instant::now(), ask(&path)?);
        let seconds =
            before.as_ref().map_or(status.uptime(), |(then, _)| (time - *then).as_secs_f64());
        let before_that = before.as_ref().map(|(_, status)| status);
        screen.show(&Look { now: &status, before: before_that, seconds }.lines())?;
        before = Some((time, status));
        if screen.is_told_to_end()? {
            return Ok(());
        }
    }
}

/// Asks the server, on a connection of its own: any worker may answer.
fn ask(path: &Path) -> io::Result<Status> {
    let explain = |error: io::Error| {
        io::Error::new(error.kind(), format!("no server answers at {}: {error}", path.display()))
    };
    let mut stream = UnixStream::connect(path).map_err(explain)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(explain)?;
    let json = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(serde_json::from_str(json)?)
}

impl Status {
    /// The longest time that a worker is up.
    fn uptime(&self) -> f64 {
        self.workers.iter().map(|worker| worker.uptime_seconds).fold(1.0, f64::max)
    }
}

impl Look<'_> {
    fn lines(&self) -> Vec<String> {
        let now = self.now;
        let before = self.before.map(|status| &status.requests);
        let ready = now.workers.iter().filter(|worker| worker.state == "ready").count();
        let mut lines = vec![
            format!(
                "squall {}   {:.0} requests/s   half within {}, 99 % within {}   {} in flight   \
                 {} connections   {ready} workers ready",
                now.version,
                self.rate(now.requests.count, before.map(|requests| requests.count)),
                time(quantile(&now.requests, before, 0.5)),
                time(quantile(&now.requests, before, 0.99)),
                now.in_flight,
                now.connections,
            ),
            String::new(),
            format!(
                "{:>6} {:>8} {:<9} {:>8} {:>8} {:>9} {:>6} {:>7} {:>9}  {}",
                "worker",
                "pid",
                "state",
                "up",
                "restarts",
                "memory",
                "conns",
                "flight",
                "req/s",
                "serving"
            ),
        ];
        lines.extend(now.workers.iter().map(|worker| self.worker(worker)));
        lines.push(String::new());
        lines.push(format!(
            "{:<7} {:<32} {:>9} {:>10} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8}",
            "method", "route", "req/s", "requests", "4xx", "5xx", "cut", "p50", "p99", "longest"
        ));
        let mut routes: Vec<_> = now.routes.iter().map(|route| self.route(route)).collect();
        // Where most of the time goes, first.
        routes.sort_by(|one, other| other.0.total_cmp(&one.0));
        lines.extend(routes.into_iter().map(|(_, line)| line));
        lines
    }

    fn worker(&self, worker: &Worker) -> String {
        let is_it = |other: &&Worker| other.number == worker.number && other.pid == worker.pid;
        let before = self.before.and_then(|before| before.workers.iter().find(is_it));
        let serving = worker.serving.as_ref().map_or_else(String::new, |serving| {
            let Serving { method, route, seconds } = serving;
            format!("{method} {route} for {seconds:.1} s")
        });
        format!(
            "{:>6} {:>8} {:<9} {:>6.0} s {:>8} {:>9} {:>6} {:>7} {:>9.0}  {serving}",
            worker.number,
            worker.pid.map_or_else(String::new, |pid| pid.to_string()),
            worker.state,
            worker.uptime_seconds,
            worker.restarts,
            worker.resident_bytes.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20)),
            worker.connections,
            worker.in_flight,
            self.rate(worker.requests, before.map(|before| before.requests)),
        )
    }

    /// A line, and how much time went there.
    fn route(&self, Route { method, route, requests }: &Route) -> (f64, String) {
        let is_it = |other: &&Route| other.method == *method && other.route == *route;
        let before = self.before.and_then(|before| before.routes.iter().find(is_it));
        let before = before.map(|route| &route.requests);
        let of = |status| {
            let found = requests.by_status.iter().find(|(name, _)| name == status);
            found.map_or(0, |(_, count)| *count)
        };
        let line = format!(
            "{method:<7} {:<32} {:>9.0} {:>10} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8}",
            if route.is_empty() { "(no route)" } else { route },
            self.rate(requests.count, before.map(|requests| requests.count)),
            requests.count,
            of("4xx"),
            of("5xx"),
            of("incomplete"),
            time(quantile(requests, before, 0.5)),
            time(quantile(requests, before, 0.99)),
            time(Some(requests.duration.max)),
        );
        (requests.duration.sum - before.map_or(0.0, |requests| requests.duration.sum), line)
    }

    fn rate(&self, now: u64, before: Option<u64>) -> f64 {
        now.saturating_sub(before.unwrap_or(0)) as f64 / self.seconds
    }
}

/// Within which time so many of the requests were answered that have come since `before`.
fn quantile(now: &Requests, before: Option<&Requests>, share: f64) -> Option<f64> {
    let earlier = |bound: Option<f64>| {
        let buckets = before.map_or(&[][..], |before| &before.duration.buckets);
        buckets.iter().find(|bucket| bucket.0 == bound).map_or(0, |bucket| bucket.1)
    };
    let buckets = now.duration.buckets.iter();
    let new: Vec<_> =
        buckets.map(|&(bound, count)| (bound, count.saturating_sub(earlier(bound)))).collect();
    let all: u64 = new.iter().map(|bucket| bucket.1).sum();
    let rank = ((all as f64 * share).ceil() as u64).max(1);
    let mut below = 0;
    let (bound, _) = new.into_iter().find(|bucket| {
        below += bucket.1;
        below >= rank
    })?;
    // The bound of a bucket may be more than anything in it.
    Some(bound.map_or(now.duration.max, |bound| bound.min(now.duration.max)))
}

fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.2} ms", seconds * 1e3),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// A terminal that delivers each key at once. Dropping this restores the terminal.
struct Screen {
    was: Termios,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let was = tcgetattr(io::stdin())?;
        let mut raw = was.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        let screen = Self { was };
        // Another page, without a cursor.
        screen.write("\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    fn show(&self, lines: &[String]) -> io::Result<()> {
        let size = tcgetwinsize(io::stdout())?;
        let (width, height) = (usize::from(size.ws_col).max(1), usize::from(size.ws_row).max(1));
        let mut picture = "\x1b[H".to_owned();
        for (row, line) in lines.iter().take(height).enumerate() {
            picture.push_str(if row == 0 { "" } else { "\r\n" });
            // A route may hold anything.
            picture.extend(line.chars().filter(|character| !character.is_control()).take(width));
            picture.push_str("\x1b[K");
        }
        picture.push_str("\x1b[J");
        self.write(&picture)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        io::stdout().write_all(text.as_bytes())?;
        io::stdout().flush()
    }

    /// Waits for a key until the next picture is due.
    fn is_told_to_end(&self) -> io::Result<bool> {
        let stdin = io::stdin();
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&REFRESH))? == 0 {
            return Ok(false);
        }
        let mut keys = [0; 16];
        let count = rustix::io::read(&stdin, &mut keys)?;
        // ^C arrives as an ordinary key. No key arrives any more once the terminal is gone.
        Ok(count == 0 || keys[..count].iter().any(|key| matches!(key, b'q' | 0x03)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.write("\x1b[?25h\x1b[?1049l");
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.was);
    }
}
