//! The supervisor under load: it replaces workers, changes their number, and lets others accept
//! where one cannot.

use std::io::{self, ErrorKind};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, geteuid};
use squall::process::{ForkOptions, task_id};
use squall::{Application, HTTPServer, IOLoop, get, route};
use squall_runtime::signal::Signals;

use super::{application, connection_to, sender, serve, who};
use crate::case::{Case, SOON, Server, suspend};
use crate::http::Connection;

/// How many connections are kept, each with one request after the other.
const KEPT: usize = 6;

/// How many clients open a connection for each request.
const ANEW: usize = 2;

pub fn a_reload_fails_no_request(case: &Case) {
    let server = case.server(|| serve(&patient(application()), 2));
    let port = server.port();
    let mut workers = [server.worker(0), server.worker(1)];
    let load = Load::start(port);
    for _ in 0..5 {
        load.await_answers();
        server.signal(Signal::SIGHUP);
        let new = [server.worker(0), server.worker(1)];
        assert!(workers.iter().all(|old| !new.contains(old)));
        await_end(&workers);
        workers = new;
    }
    load.await_answers();
    load.finish();
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn fewer_and_more_workers_fail_no_request(case: &Case) {
    let server = case.server(|| serve(&patient(application()), 2));
    let port = server.port();
    let mut workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]); // It listens by now.
    let load = Load::start(port);
    for _ in 0..10 {
        load.await_answers();
        server.signal(Signal::SIGTTOU);
        await_end(&workers[1..]);
        // Clients that the kernel queues at a listener without a worker are answered as well.
        for _ in 0..32 {
            let answer = Connection::open(port).unwrap().get("/").unwrap();
            assert_eq!(sender(&answer), (Some(0), workers[0]));
        }
        server.signal(Signal::SIGTTIN);
        workers[1] = server.worker(1);
        connection_to(port, workers[1]);
    }
    load.finish();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn one_worker_stays(case: &Case) {
    let options = || ForkOptions::new().workers(2).max_workers(2);
    let server = case.server(|| serve(&patient(application()), options()));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    server.signal(Signal::SIGTTIN);
    server.expect("SIGTTIN: there are 2 workers, which is the limit");
    server.signal(Signal::SIGTTOU);
    await_end(&workers[1..]);
    server.signal(Signal::SIGTTOU);
    server.expect("SIGTTOU: one worker must stay");
    assert_eq!(sender(&Connection::open(port).unwrap().get("/").unwrap()).1, workers[0]);
}

pub fn what_waits_for_a_dead_worker_is_answered_by_another(case: &Case) {
    // The one that replaces worker 1 takes its time.
    let server = case.server(|| {
        let build = || {
            let is_first = !std::path::Path::new(&marker()).exists();
            if task_id() == Some(1) && !is_first {
                loop {
                    thread::park();
                }
            }
            application()
        };
        serve(&HTTPServer::with(build), 2)
    });
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]);
    std::fs::write(marker_of(&server), "").unwrap();
    kill(workers[1], Signal::SIGKILL).unwrap();
    let start = Instant::now();
    for _ in 0..32 {
        let answer = Connection::open(port).unwrap().get("/").unwrap();
        assert_eq!(sender(&answer), (Some(0), workers[0]));
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    std::fs::remove_file(marker_of(&server)).unwrap();
}

/// A file that the server's processes find by their supervisor's number.
fn marker() -> String {
    marker_path(std::os::unix::process::parent_id())
}

fn marker_of(server: &Server) -> String {
    marker_path(server.pid().as_raw().unsigned_abs())
}

fn marker_path(supervisor: u32) -> String {
    std::env::temp_dir().join(format!("squall-marker-{supervisor}")).display().to_string()
}

pub fn a_suspended_worker_s_clients_are_served_by_another(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]);
    suspend(workers[1]);
    for _ in 0..32 {
        let answer = Connection::open(port).unwrap().get("/").unwrap();
        assert_eq!(sender(&answer).1, workers[0]);
    }
    kill(workers[1], Signal::SIGCONT).unwrap();
    connection_to(port, workers[1]);
}

pub fn a_handler_that_hangs_is_named_and_its_worker_replaced(case: &Case) {
    let server = case.server(|| {
        let app = Application::new([
            route("/", get(who)),
            route(
                "/hang",
                get(async || -> &str {
                    eprintln!("it hangs");
                    loop {
                        std::hint::spin_loop()
                    }
                }),
            ),
        ]);
        // So long that the others are asked meanwhile, on a machine that may be busy.
        let options = ForkOptions::new().workers(2).stall_timeout(Duration::from_secs(4));
        serve(&HTTPServer::new(app), options)
    });
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    let mut hanging = connection_to(port, workers[1]);
    hanging.send("GET", "/hang", "", b"").unwrap();
    // Before that it may still accept connections, which are lost with it.
    server.expect("it hangs");
    let start = Instant::now();
    let (mut slowest, mut count) = (Duration::ZERO, 0);
    while start.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        let answer = Connection::open(port).unwrap().get("/").unwrap();
        assert_eq!(sender(&answer).1, workers[0]);
        slowest = slowest.max(start.elapsed());
        count += 1;
    }
    println!("{count} were answered, the slowest after {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let pid = workers[1];
    let line = server.expect(&format!("worker 1 (pid {pid}) has not turned for "));
    // Or for longer, where the supervisor has to wait for its turn as well.
    let (seconds, line) = line.split_once(" s, replacing it").expect(&line);
    assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 4), "{seconds}");
    assert!(line.contains("it serves GET /hang for "), "{line}");
    assert!(line.contains("in the task spawned at tests/fork/server.rs:"), "{line}");
    server.expect(&format!("worker 1 (pid {pid}) was killed by SIGABRT while serving GET /hang"));
    connection_to(port, server.worker(1));
}

pub fn a_handler_that_hangs_is_named_after_rights_were_given_up(case: &Case) {
    if !geteuid().is_root() {
        return println!("only root has rights to give up");
    }
    let server = case.server(|| {
        let hang = async || -> &str {
            loop {
                std::hint::spin_loop();
            }
        };
        let app = Application::new([route("/", get(who)), route("/hang", get(hang))]);
        let options = ForkOptions::new().workers(1).stall_timeout(Duration::from_secs(1));
        serve(&HTTPServer::new(app), options.user("65534").group("65534"))
    });
    let port = server.port();
    let mut hanging = connection_to(port, server.worker(0));
    hanging.send("GET", "/hang", "", b"").unwrap();
    let line = server.expect("has not turned for 1 s, replacing it; it serves GET /hang for ");
    assert!(line.contains("in the task spawned at tests/fork/server.rs:"), "{line}");
}

pub fn a_worker_that_hangs_to_the_last_is_killed(case: &Case) {
    let server = case.server(|| {
        let hang = async || -> &str {
            SigSet::from(Signal::SIGABRT).thread_block().unwrap();
            loop {
                std::hint::spin_loop();
            }
        };
        let app = Application::new([route("/", get(who)), route("/hang", get(hang))]);
        let second = Duration::from_secs(1);
        let options = ForkOptions::new().workers(1).stall_timeout(second);
        serve(&HTTPServer::new(app), options.stop_timeout(Duration::from_millis(200)))
    });
    let port = server.port();
    let mut hanging = connection_to(port, server.worker(0));
    hanging.send("GET", "/hang", "", b"").unwrap();
    server.expect("has not turned for 1 s");
    server.expect("not aborted within 200ms: killing worker 0");
    server.expect("was killed by SIGKILL while serving GET /hang");
    connection_to(port, server.worker(0));
}

pub fn a_worker_that_hangs_while_all_end_is_named_with_what_it_serves(case: &Case) {
    let server = case.server(|| {
        let hang = async || -> &str {
            eprintln!("it hangs");
            loop {
                std::hint::spin_loop();
            }
        };
        let app = Application::new([route("/", get(who)), route("/hang", get(hang))]);
        let options = ForkOptions::new().workers(1).stop_timeout(Duration::from_millis(200));
        serve(&HTTPServer::new(app), options)
    });
    let port = server.port();
    let pid = server.worker(0);
    let mut hanging = connection_to(port, pid);
    hanging.send("GET", "/hang", "", b"").unwrap();
    server.expect("it hangs");
    server.signal(Signal::SIGTERM);
    server.expect(&format!("not stopped within 200ms: killing worker 0 (pid {pid})"));
    let line = format!("worker 0 (pid {pid}) was killed by SIGKILL while serving GET /hang for ");
    server.expect(&line);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_ends_by_itself_is_told_of(case: &Case) {
    let server = case.server(|| {
        let app = Application::new([
            route("/", get(who)),
            route("/exit", get(async || -> &str { exit(0) })),
        ]);
        serve(&HTTPServer::new(app), ForkOptions::new().workers(2))
    });
    let port = server.port();
    let workers = [0, 1].map(|id| server.worker(id));
    let mut connection = connection_to(port, workers[0]);
    connection.send("GET", "/exit", "", b"").unwrap();
    let line = format!("worker 0 (pid {}) exited normally while serving GET /exit", workers[0]);
    let rest = server.expect(&line);
    assert!(rest.ends_with("; it is not replaced, 1 worker is left"), "{rest}");
    kill(workers[1], Signal::SIGTERM).unwrap();
    let line = format!("worker 1 (pid {}) exited normally; it is not replaced", workers[1]);
    assert_eq!(server.expect(&line), ", no worker is left");
    server.expect("all workers have ended by themselves: the server ends, with status 0");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_hangs_is_replaced_even_if_it_says_that_all_is_well(case: &Case) {
    let server = case.server(|| {
        let hang = async || -> &str {
            // As a program may that writes a report of its crash.
            let (sender, awaited) = mpsc::channel();
            thread::spawn(move || {
                IOLoop::current().run_sync(async {
                    let mut aborts = Signals::new([Signal::SIGABRT as i32]).unwrap();
                    sender.send(()).unwrap();
                    aborts.next().await;
                    exit(0);
                })
            });
            awaited.recv().unwrap();
            loop {
                std::hint::spin_loop();
            }
        };
        let app = Application::new([route("/", get(who)), route("/hang", get(hang))]);
        let options = ForkOptions::new().workers(1).stall_timeout(Duration::from_secs(1));
        serve(&HTTPServer::new(app), options)
    });
    let port = server.port();
    let mut hanging = connection_to(port, server.worker(0));
    hanging.send("GET", "/hang", "", b"").unwrap();
    server.expect("has not turned for 1 s");
    server.expect("exited normally while serving GET /hang");
    connection_to(port, server.worker(0));
}

pub fn a_worker_that_may_hang_has_its_clients_served_by_another(case: &Case) {
    let hang = async || -> &str {
        eprintln!("it hangs");
        loop {
            std::hint::spin_loop();
        }
    };
    let server = case.server(|| {
        let app = Application::new([route("/", get(who)), route("/hang", get(hang))]);
        serve(&HTTPServer::new(app), ForkOptions::new().workers(2).stall_timeout(None))
    });
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    let mut hanging = connection_to(port, workers[1]);
    hanging.send("GET", "/hang", "", b"").unwrap();
    server.expect("it hangs");
    for _ in 0..32 {
        let answer = Connection::open(port).unwrap().get("/").unwrap();
        assert_eq!(sender(&answer).1, workers[0]);
    }
    // Nobody is left to be waited for.
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_has_served_enough_is_replaced(case: &Case) {
    let server =
        case.server(|| serve(&patient(application()).max_requests_per_worker(200), one_of_one()));
    let port = server.port();
    let mut worker = server.worker(0);
    let load = Load::start(port);
    for _ in 0..3 {
        let next = server.worker(0);
        await_end(&[worker]);
        worker = next;
    }
    load.finish();
}

fn one_of_one() -> ForkOptions {
    ForkOptions::new().workers(1)
}

pub fn a_worker_that_leaves_by_itself_leaves_nobody_behind(case: &Case) {
    let server = case.server(|| serve(&patient(application()), 2));
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]);
    let load = Load::start(port);
    load.await_answers();
    kill(workers[1], Signal::SIGTERM).unwrap();
    await_end(&workers[1..]);
    load.await_answers();
    load.finish();
    for _ in 0..32 {
        let answer = Connection::open(port).unwrap().get("/").unwrap();
        assert_eq!(sender(&answer).1, workers[0]);
    }
}

pub fn failing_replacements_leave_the_workers_that_are_there(case: &Case) {
    let server = case.server(|| {
        let build = || {
            if std::path::Path::new(&marker()).exists() {
                exit(9);
            }
            application()
        };
        serve(&HTTPServer::with(build), 2)
    });
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    connection_to(port, workers[1]);
    std::fs::write(marker_of(&server), "").unwrap();
    server.signal(Signal::SIGHUP);
    server.expect("exited with status 9; the workers that are there are kept");
    for worker in workers {
        connection_to(port, worker);
    }
    std::fs::remove_file(marker_of(&server)).unwrap();
    server.signal(Signal::SIGHUP);
    server.worker(0);
    server.worker(1);
}

/// A client that is slow to send, on a machine that may be busy, is waited for: no request fails.
pub(super) fn patient(app: Application) -> HTTPServer {
    HTTPServer::new(app).drain_idle(SOON)
}

/// Waits until these processes are gone, and have been waited for.
#[track_caller]
fn await_end(processes: &[Pid]) {
    let start = Instant::now();
    while processes.iter().any(|&pid| kill(pid, None).is_ok()) {
        assert!(start.elapsed() < SOON, "somebody does not end");
        thread::yield_now();
    }
}

/// Clients that never stop. Each request must be answered.
pub(super) struct Load {
    clients: Vec<JoinHandle<io::Result<()>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By client.
    answered: [AtomicUsize; KEPT + ANEW],
    is_over: AtomicBool,
}

impl Load {
    pub(super) fn start(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |number| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || ask(port, number, &shared))
        };
        Self { clients: (0..KEPT + ANEW).map(client).collect(), shared }
    }

    #[track_caller]
    pub(super) fn await_answers(&self) {
        let start = Instant::now();
        for answered in &self.shared.answered {
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 20 {
                assert!(start.elapsed() < SOON, "no answers");
                assert!(self.clients.iter().all(|client| !client.is_finished()), "one has failed");
                thread::yield_now();
            }
        }
    }

    #[track_caller]
    pub(super) fn finish(self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap().expect("each request is answered");
        }
    }
}

/// Sends requests, on a connection that is kept for as long as the server keeps it, or on one for
/// each. A kept connection that ends without a byte where the next response would begin has been
/// closed while the request was on its way, which every client must expect (RFC 9112 §9.6).
fn ask(port: u16, number: usize, shared: &Shared) -> io::Result<()> {
    let mut kept: Option<Connection> = None;
    while !shared.is_over.load(Ordering::Relaxed) {
        let is_reused = kept.is_some();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(port)?,
        };
        match connection.get("/") {
            Ok(response) => {
                assert_eq!(response.status(), 200);
                let is_last = response.header("Connection") == Some("close");
                if number < KEPT && !is_last {
                    kept = Some(connection);
                }
                shared.answered[number].fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if is_reused && is_closed(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_closed(error: &io::Error) -> bool {
    let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    closed.contains(&error.kind())
}
