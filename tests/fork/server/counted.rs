//! What servers of several processes say of themselves: counts, health, and what died of what.

use std::fs;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use squall::metrics::{Counter, Gauge};
use squall::{Application, HTTPServer, get, health, metrics, post, route};

use super::{Gate, aborts, connection_to, hold, sender, serve, who};
use crate::case::{Case, SOON, Server};
use crate::exposition::Exposition;
use crate::http::Connection;

const HELLO: &str = r#"http_requests_total{method="GET",route="/",status="2xx"}"#;

/// It counts what is asked for.
fn application() -> io::Result<Application> {
    let asked = Counter::new("asked_total", "How often somebody has asked.")?;
    let here = Gauge::new("workers_here", "One for each worker.")?;
    let gate = Gate::default();
    let (held, opened) = (gate.clone(), gate);
    let ask = async move || {
        asked.inc();
        here.set(1.0);
        who().await
    };
    let release = async move || {
        opened.open();
        who().await
    };
    Ok(Application::new([
        route("/", get(ask)),
        route("/hold", get(async move || hold(&held).await)),
        route("/release", post(release)),
        route("/abort/{why}", get(async |_: &mut squall::Context, _: String| aborts().await)),
        route("/spin", get(spins)),
        route("/metrics", metrics::handler()),
        route("/readyz", health::readyz()),
    ]))
}

async fn spins() {
    println!("it spins");
    loop {
        std::hint::spin_loop();
    }
}

fn serve_counted(workers: usize) -> io::Result<()> {
    serve(&HTTPServer::new(application()?), workers)
}

fn scrape(connection: &mut Connection) -> Exposition {
    Exposition::parse(&connection.get("/metrics").unwrap().text())
}

/// Waits until all workers are ready.
#[track_caller]
fn await_ready(port: u16) {
    let start = Instant::now();
    loop {
        let answer = Connection::open(port).and_then(|mut one| one.get("/readyz"));
        if answer.is_ok_and(|answer| answer.text() == "ready: 2 of 2 workers\n") {
            return;
        }
        assert!(start.elapsed() < SOON, "not ready");
    }
}

pub fn all_workers_tell_the_sum_of_what_clients_have_asked_for(case: &Case) {
    const CLIENTS: u64 = 8;
    const EACH: u64 = 100;
    let server = case.server(|| serve_counted(2));
    let port = server.port();
    let mut workers = [server.worker(0), server.worker(1)];
    await_ready(port);
    let (mut sent, mut deaths) = (0, 0);
    for victim in [None, Some(0), Some(1), Some(0)] {
        if let Some(victim) = victim {
            // It is idle: who has an answer has been counted.
            kill(workers[victim], Signal::SIGKILL).unwrap();
            workers[victim] = server.worker(victim);
            deaths += 1;
            await_ready(port);
        }
        let client = move || {
            let mut connection = Connection::open(port).unwrap();
            (0..EACH).for_each(|_| drop(connection.get("/").unwrap()));
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(client)).collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        sent += CLIENTS * EACH;

        let mut asked = [
            connection_of(port, workers[0], &mut sent),
            connection_of(port, workers[1], &mut sent),
        ];
        for connection in &mut asked {
            let page = scrape(connection);
            assert_eq!(page.value(HELLO), sent as f64, "after {deaths} deaths");
            assert_eq!(page.value("asked_total"), sent as f64);
            assert_eq!(page.value("workers_here"), 2.0);
            let timed = r#"http_request_duration_seconds_count{method="GET",route="/"}"#;
            assert_eq!(page.value(timed), sent as f64);
            assert_eq!(page.value("http_requests_in_flight"), 1.0);
            assert_eq!(page.sum("squall_worker_restarts_total"), f64::from(deaths));
            assert_eq!(page.value(r#"squall_workers{state="ready"}"#), 2.0);
        }
    }
}

/// A connection to a certain worker, and how many requests finding it took.
#[track_caller]
fn connection_of(port: u16, worker: Pid, sent: &mut u64) -> Connection {
    let start = Instant::now();
    loop {
        let mut connection = Connection::open(port).unwrap();
        *sent += 1;
        if sender(&connection.get("/").unwrap()).1 == worker {
            return connection;
        }
        assert!(start.elapsed() < SOON, "no connection reaches the worker {worker}");
    }
}

pub fn the_log_says_what_a_worker_was_serving_when_it_died(case: &Case) {
    let server = case.server(|| serve_counted(2));
    let port = server.port();
    let worker = server.worker(0);
    server.worker(1);
    let mut held = connection_to(port, worker);
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    let mut aborting = connection_to(port, worker);
    aborting.get("/abort/now").unwrap_err();
    let line = server.expect(&format!("worker 0 (pid {worker}) was killed by SIGABRT"));
    let rest = line.strip_prefix(" while serving GET /abort/{why} for ");
    let (seconds, rest) = rest.and_then(|rest| rest.split_once(" s ")).expect(&line);
    assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds < SOON.as_secs_f64()), "{line}");
    assert!(rest.starts_with("(1 other request in flight)"), "{line}");
}

pub fn the_log_names_a_request_whose_worker_was_killed_from_outside(case: &Case) {
    let server = case.server(|| serve_counted(2));
    let port = server.port();
    let worker = server.worker(0);
    server.worker(1);
    let mut spinning = connection_to(port, worker);
    spinning.send("GET", "/spin", "", b"").unwrap();
    server.expect("it spins");
    kill(worker, Signal::SIGKILL).unwrap();
    let line = server.expect(&format!("worker 0 (pid {worker}) was killed by SIGKILL"));
    assert!(line.starts_with(" while serving GET /spin for "), "{line}");

    let idle = server.worker(0);
    connection_to(port, idle);
    kill(idle, Signal::SIGKILL).unwrap();
    let line = server.expect(&format!("worker 0 (pid {idle}) was killed by SIGKILL"));
    assert!(!line.contains("serving"), "{line}");

    let waiting = server.worker(0);
    let (mut held, mut other) = (connection_to(port, waiting), connection_to(port, waiting));
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    other.get("/").expect("it waits by now");
    kill(waiting, Signal::SIGKILL).unwrap();
    let line = server.expect(&format!("worker 0 (pid {waiting}) was killed by SIGKILL"));
    assert!(line.starts_with(" while serving 1 request, whose handler waited"), "{line}");
}

/// Where the control socket is; in a folder that is removed.
struct Folder(PathBuf);

impl Folder {
    /// The same in the case and in its server, whose parent it is.
    fn of(process: Pid) -> Self {
        Self(std::env::temp_dir().join(format!("squall-counted-{process}")))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Asks on the control socket, once more if a worker has taken the question with it.
    fn ask(&self, path: &str) -> io::Result<String> {
        self.ask_once(path).or_else(|_| self.ask_once(path))
    }

    fn ask_once(&self, path: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?.1;
        Ok(body.to_owned())
    }

    #[track_caller]
    fn states(&self) -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&self.ask("/").unwrap()).unwrap();
        let workers = json["workers"].as_array().unwrap().iter();
        workers.map(|worker| worker["state"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn await_states(&self, states: &[&str]) {
        let start = Instant::now();
        while self.states() != states {
            assert!(start.elapsed() < SOON, "{:?}, not {states:?}", self.states());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn controlled(case: &Case) -> (Server, Folder) {
    let server = case.server(|| {
        // It is the case's to remove.
        let folder = ManuallyDrop::new(Folder::of(getppid()));
        fs::create_dir_all(&folder.0)?;
        // A kept connection is asked when the end has begun, on a machine that may be busy.
        let server = HTTPServer::new(application()?).drain_idle(SOON);
        server.control(folder.socket())?;
        serve(&server, 2)
    });
    (server, Folder::of(Pid::this()))
}

pub fn the_control_socket_is_answered_whoever_died_and_while_the_server_drains(case: &Case) {
    let (server, control) = controlled(case);
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    await_ready(port);
    control.await_states(&["ready", "ready"]);
    kill(workers[1], Signal::SIGKILL).unwrap();
    server.worker(1);
    await_ready(port);
    control.await_states(&["ready", "ready"]);
    let json: serde_json::Value = serde_json::from_str(&control.ask("/").unwrap()).unwrap();
    assert_eq!(json["workers"][1]["restarts"], 1);
    assert_eq!(json["workers"][0]["pid"], workers[0].as_raw());

    let mut kept = connection_to(port, workers[0]);
    let mut held = connection_to(port, workers[0]);
    held.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    server.signal(Signal::SIGTERM);
    control.await_states(&["draining", "empty"]);
    assert_eq!(control.ask("/readyz").unwrap(), "not ready: ending\n");
    let answer = kept.get("/readyz").unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (503, "not ready: ending\n"));
    assert!(control.ask("/metrics").unwrap().contains("\nhttp_requests_in_flight 1\n"));
    // Nobody is left to release it but a signal.
    server.signal(Signal::SIGQUIT);
    let (status, lines) = server.ended();
    assert_eq!(status.code(), Some(0));
    let of_probe = |line: &str| line.contains("/readyz");
    assert!(!lines.iter().any(|line| of_probe(line)), "not ready is no failure: {lines:?}");
}
