//! The figures of a server of several processes: counts, health, and causes of death.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::id;
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall::metrics::{Counter, Gauge, PAGE_WORDS};
use squall::process::{ForkOptions, SlotPage};
use squall::{
    Application, Context, HTTPServer, IOLoop, Result, bind_sockets, get, health, metrics, post,
    route,
};

use super::{Gate, aborts, connection_to, hold, sender, serve, who};
use crate::case::{Case, SOON, announce};
use crate::exposition::Exposition;
use crate::http::Connection;

const HELLO: &str = r#"http_requests_total{method="GET",route="/",status="2xx"}"#;

/// It counts what is asked for.
pub(super) fn application() -> io::Result<Application> {
    let asked = Counter::new("asked_total", "How often somebody has asked.")?;
    let here = Gauge::new("workers_here", "One for each worker.")?;
    let raised = Gauge::new("raised", "What nobody ever takes away.")?;
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
        route("/abort/{why}", get(async |_: &mut Context, _: String| aborts().await)),
        route("/raise", get(async move || raised.inc())),
        route("/spin", get(spins)),
        route("/parts", get(parts)),
        route("/metrics", metrics::handler()),
        route("/readyz", health::readyz()),
    ]))
}

async fn parts(cx: &mut Context) -> Result {
    cx.set_header("Content-Length", 10)?;
    cx.write("first")?;
    cx.flush().await?;
    cx.write("other")
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
pub(super) fn await_ready(port: u16) {
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
            // It is idle: a response has arrived only after it was counted.
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
        asked[0].get("/parts").unwrap();
        let parts = r#"http_requests_total{method="GET",route="/parts",status="2xx"}"#;
        assert_eq!(scrape(&mut asked[1]).value(parts), f64::from(deaths + 1));
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

pub fn what_a_worker_was_killed_in_is_counted_as_lost(case: &Case) {
    const HELD: u64 = 3;
    let server = case.server(|| serve_counted(2));
    let port = server.port();
    let mut workers = [server.worker(0), server.worker(1)];
    await_ready(port);
    let (mut sent, mut lost) = (0, 0);
    for victim in [0, 1, 0] {
        let held: Vec<_> = (0..HELD)
            .map(|_| {
                let mut connection = connection_of(port, workers[victim], &mut sent);
                connection.send("GET", "/hold", "", b"").unwrap();
                server.expect("held");
                connection
            })
            .collect();
        let mut other = connection_of(port, workers[1 - victim], &mut sent);
        assert_eq!(scrape(&mut other).value("http_requests_in_flight"), (HELD + 1) as f64);
        kill(workers[victim], Signal::SIGKILL).unwrap();
        workers[victim] = server.worker(victim);
        lost += HELD;
        drop(held);
        await_ready(port);
        for worker in workers {
            assert_counted(&mut connection_of(port, worker, &mut sent), sent, lost);
        }
    }

    // The first is done, and would have been sent with the second.
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), SOON).unwrap();
    let [first, second] =
        ["/", "/abort/now"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    stream.write_all(format!("{first}{second}").as_bytes()).unwrap();
    server.expect("was killed by SIGABRT");
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    assert!(received.is_empty(), "nothing was sent");
    await_ready(port);
    assert_counted(&mut Connection::open(port).unwrap(), sent, lost + 2);
}

/// Asserts that so many requests were answered, and so many lost.
#[track_caller]
fn assert_counted(connection: &mut Connection, answered: u64, lost: u64) {
    let page = scrape(connection);
    let timed = r#"http_request_duration_seconds_count{method="GET",route="/"}"#;
    assert_eq!([page.value(HELLO), page.value(timed)], [answered as f64; 2]);
    assert_eq!(page.value("http_lost_requests_total"), lost as f64);
    assert_eq!(page.value("http_requests_in_flight"), 1.0, "this one");
}

pub fn what_a_worker_had_is_gone_with_it(case: &Case) {
    let server = case.server(|| serve_counted(2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    let [mut dies, mut stays] = workers.map(|worker| connection_to(port, worker));
    (0..3).for_each(|_| drop(dies.get("/raise").unwrap()));
    (0..2).for_each(|_| drop(stays.get("/raise").unwrap()));
    assert_eq!(scrape(&mut stays).value("raised"), 5.0);
    kill(workers[0], Signal::SIGKILL).unwrap();
    server.expect("was killed by SIGKILL");
    assert_eq!(scrape(&mut stays).value("raised"), 2.0);
    let replacement = server.worker(0);
    connection_to(port, replacement).get("/raise").unwrap();
    assert_eq!(scrape(&mut stays).value("raised"), 3.0);
}

/// The answered requests in the page of the calling process.
fn hello_line() -> String {
    let page = metrics::render();
    page.lines().find(|line| line.starts_with(HELLO)).unwrap_or_default().to_owned()
}

pub fn the_supervisor_tells_the_same_as_its_workers(case: &Case) {
    let server = case.server(|| {
        fn describe(_: &SlotPage) -> Option<String> {
            Some(format!("what {} counts as {}", id(), hello_line()))
        }
        let sockets = bind_sockets("127.0.0.1:0")?;
        println!("port {}", sockets.local_addrs()[0].port());
        let workers = ForkOptions::new().workers(2).page_words(PAGE_WORDS).describe(describe);
        announce(workers.fork_processes()?);
        HTTPServer::new(application()?).add_sockets(sockets)?;
        IOLoop::current().start()
    });
    let (port, worker) = (server.port(), server.worker(0));
    let mut sent = 0;
    connection_of(port, server.worker(1), &mut sent);
    connection_of(port, worker, &mut sent);
    kill(worker, Signal::SIGKILL).unwrap();
    let told = server.expect(&format!("worker 0 (pid {worker}) was killed by SIGKILL"));
    let expected = format!(" while serving what {} counts as {HELLO} {sent}", server.pid());
    assert!(told.starts_with(&expected), "{told}");
}

pub fn what_was_counted_is_told_when_the_last_worker_has_ended(case: &Case) {
    let server = case.server(|| {
        let tell = |_: &_| println!("in the end: {}", hello_line());
        let workers = ForkOptions::new().workers(2).on_worker_exit(tell);
        serve(&HTTPServer::new(application()?), workers)
    });
    let (port, mut sent) = (server.port(), 0);
    for worker in [server.worker(0), server.worker(1)] {
        connection_of(port, worker, &mut sent);
    }
    server.signal(Signal::SIGTERM);
    for _ in 0..2 {
        assert_eq!(server.expect("in the end: "), format!("{HELLO} {sent}"));
    }
    assert_eq!(server.ended().0.code(), Some(0));
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
