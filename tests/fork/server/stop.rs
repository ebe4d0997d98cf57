//! Graceful shutdown: every accepted request is answered, and no process remains.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg, raise};
use nix::unistd::{Pid, getpgrp};
use squall::{Application, Context, HTTPServer, Result, get, post, route, sleep, spawn_background};
use squall_runtime::signal::{SIGINT, Signals};
use squall_runtime::yield_now;

use super::{Gate, application, connection_to, hold, sender, serve};
use crate::case::{Case, SOON, Server, has, signal_set, suspend};
use crate::http::{Connection, Response};

/// How many requests wait for their response when the order to stop comes.
const HELD: usize = 16;

/// How many clients send one request after the other meanwhile.
const BUSY: usize = 8;

/// Orders that come this close to each other are one.
const ONE_ORDER: Duration = Duration::from_millis(100);

/// Less than any wait here takes, for what is to be cut.
pub(super) const SHORT: Duration = Duration::from_millis(200);

pub fn workers_finish_at_sigterm(case: &Case) {
    finishes(case, 2, |server| server.signal(Signal::SIGTERM));
}

pub fn one_process_finishes_at_sigterm(case: &Case) {
    finishes(case, 1, |server| server.signal(Signal::SIGTERM));
}

pub fn workers_finish_at_sigint(case: &Case) {
    if is_interruptible() {
        finishes(case, 2, |server| server.signal(Signal::SIGINT));
    }
}

pub fn one_process_finishes_at_sigint(case: &Case) {
    if is_interruptible() {
        finishes(case, 1, |server| server.signal(Signal::SIGINT));
    }
}

pub fn workers_finish_at_ctrl_c(case: &Case) {
    if is_interruptible() {
        finishes(case, 2, |_| ctrl_c());
    }
}

pub fn one_process_finishes_at_ctrl_c(case: &Case) {
    if is_interruptible() {
        finishes(case, 1, |_| ctrl_c());
    }
}

/// Signals the whole process group, to which the server belongs, as a terminal does.
fn ctrl_c() {
    // And this process is another, which goes on.
    let _caught = Signals::new([SIGINT]).unwrap();
    killpg(getpgrp(), Signal::SIGINT).unwrap();
}

fn is_interruptible() -> bool {
    let ignored = has(signal_set("SigIgn"), Signal::SIGINT);
    if ignored {
        println!("these tests run in the background, where Ctrl-C is ignored");
    }
    !ignored
}

/// Stops a server that has accepted some busy and some idle connections. It answers them and ends
/// with status 0.
fn finishes(case: &Case, processes: usize, order: impl FnOnce(&Server)) {
    let patient = |app| HTTPServer::new(app).drain_idle(SOON);
    let server = case.server(|| serve(&patient(application()), processes));
    let port = server.port();
    let serving = serving(&server, processes);
    let to_each = || serving.iter().map(|&pid| connection_to(port, pid)).collect::<Vec<_>>();
    let (witnesses, idle) = (to_each(), to_each());
    let held: Vec<_> = (0..HELD).map(|_| held(&server, port)).collect();
    let busy: Vec<_> = (0..BUSY).map(|_| Busy::start(port)).collect();
    busy.iter().for_each(Busy::await_answers);

    order(&server);
    witnesses.into_iter().for_each(await_the_last);
    await_refusal(port);
    // They end by a response that says so, or this panics.
    busy.into_iter().for_each(|busy| busy.client.join().unwrap());
    for mut connection in idle {
        connection.send("POST", "/release", "", b"").unwrap();
        assert_last(&mut connection);
    }
    for mut connection in held {
        let sender = assert_last(&mut connection);
        assert!(serving.contains(&sender));
    }
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

/// The answering processes: the workers, or the only process. All of them listen.
#[track_caller]
pub(super) fn serving(server: &Server, processes: usize) -> Vec<Pid> {
    match processes {
        1 => vec![Pid::from_raw(server.number("this is the only process, "))],
        _ => (0..processes).map(|id| server.worker(id)).collect(),
    }
}

/// A connection with a request that waits in its handler.
#[track_caller]
pub(super) fn held(server: &Server, port: u16) -> Connection {
    let mut connection = Connection::open(port).unwrap();
    connection.send("GET", "/hold", "", b"").unwrap();
    server.expect("held");
    connection
}

/// Sends requests until one is answered as the last: its server has begun to stop.
#[track_caller]
fn await_the_last(mut connection: Connection) {
    while !is_last(&connection.get("/").expect("each request is answered")) {}
    assert_ended(&mut connection);
}

/// Connects until that is refused.
#[track_caller]
pub(super) fn await_refusal(port: u16) {
    let start = Instant::now();
    let connect = || Connection::open(port).map(drop).map_err(|error| error.kind());
    while connect() != Err(ErrorKind::ConnectionRefused) {
        assert!(start.elapsed() < SOON, "it listens");
    }
}

/// Asserts that the response arrives and announces the close. Returns the process that sent it.
#[track_caller]
pub(super) fn assert_last(connection: &mut Connection) -> Pid {
    let response = connection.response().expect("what was accepted is answered");
    assert!(is_last(&response), "{response:?}");
    assert_ended(connection);
    sender(&response).1
}

/// Whether its server says that it will answer no further request.
fn is_last(response: &Response) -> bool {
    response.header("Connection") == Some("close")
}

#[track_caller]
fn assert_ended(connection: &mut Connection) {
    let end = connection.response().map(drop).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::UnexpectedEof));
}

/// A client that is never idle for long.
struct Busy {
    client: JoinHandle<()>,
    answers: Receiver<()>,
}

impl Busy {
    fn start(port: u16) -> Self {
        let (sender, answers) = mpsc::channel();
        let client = thread::spawn(move || {
            let mut connection = Connection::open(port).unwrap();
            loop {
                let response = connection.get("/sleep/5").expect("each request is answered");
                assert_eq!(response.status(), 200);
                if is_last(&response) {
                    return assert_ended(&mut connection);
                }
                let _ = sender.send(());
            }
        });
        Self { client, answers }
    }

    #[track_caller]
    fn await_answers(&self) {
        for _ in 0..3 {
            self.answers.recv_timeout(SOON).expect("it is answered");
        }
    }
}

pub fn workers_answer_what_waits_to_be_accepted(case: &Case) {
    answers_what_waits(case, 2, "/");
}

pub fn one_process_answers_what_waits_to_be_accepted(case: &Case) {
    answers_what_waits(case, 1, "/");
}

pub fn what_waits_is_answered_however_long_that_takes(case: &Case) {
    answers_what_waits(case, 1, "/spin/300");
}

/// Some of those that wait ask for `target`.
fn answers_what_waits(case: &Case, processes: usize, target: &str) {
    let server = case.server(|| serve(&HTTPServer::new(application()), processes));
    let port = server.port();
    let serving = serving(&server, processes);
    serving.iter().copied().for_each(suspend);
    // More than a loop takes in one turn.
    let mut waiting: Vec<_> = (0..400).map(|_| Connection::open(port).unwrap()).collect();
    for (number, connection) in waiting.iter_mut().enumerate() {
        let target = if number % 100 == 0 { target } else { "/" };
        connection.send("GET", target, "", b"").unwrap();
    }
    server.signal(Signal::SIGTERM);
    // A supervisor does this by itself.
    server.signal(Signal::SIGCONT);
    for mut connection in waiting {
        let response = connection.response().expect("who has connected is answered");
        assert_eq!(response.status(), 200);
        assert_ended(&mut connection);
    }
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn who_waits_for_a_worker_that_dies_at_the_end_is_answered_by_another(case: &Case) {
    answers_who_waits_for_the_dead(case, |workers, _| {
        kill(workers[1], Signal::SIGKILL).unwrap();
    });
}

pub fn who_waits_for_workers_that_all_die_at_the_end_is_answered(case: &Case) {
    answers_who_waits_for_the_dead(case, |workers, _| {
        workers.iter().for_each(|&worker| kill(worker, Signal::SIGKILL).unwrap());
    });
}

/// As a service manager does that stops all processes of a service: they hear it in any order.
pub fn who_waits_is_answered_if_workers_are_told_first(case: &Case) {
    answers_who_waits_for_the_dead(case, |workers, witnesses| {
        for &worker in workers {
            kill(worker, Signal::SIGTERM).unwrap();
            kill(worker, Signal::SIGCONT).unwrap();
        }
        // They have begun to end, each by itself.
        witnesses.into_iter().for_each(await_the_last);
    });
}

/// Clients are queued when something happens to the workers, and the supervisor hears of it after
/// the order to stop.
fn answers_who_waits_for_the_dead(case: &Case, happen: impl FnOnce(&[Pid], Vec<Connection>)) {
    let quick = || HTTPServer::new(application()).drain_idle(SHORT);
    let server = case.server(|| serve(&quick(), 2));
    let port = server.port();
    let serving = serving(&server, 2);
    let witnesses = serving.iter().map(|&worker| connection_to(port, worker)).collect();
    serving.iter().copied().for_each(suspend);
    suspend(server.pid());
    let mut waiting: Vec<_> = (0..100).map(|_| Connection::open(port).unwrap()).collect();
    for connection in &mut waiting {
        connection.send("GET", "/", "", b"").unwrap();
    }
    happen(&serving, witnesses);
    // The order is the first signal that it looks at.
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for mut connection in waiting {
        let response = connection.response().expect("who has connected is answered");
        assert_eq!(response.status(), 200);
        assert_ended(&mut connection);
    }
    await_refusal(port);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn an_idle_connection_is_closed_after_a_while(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()).drain_idle(SHORT), 2));
    let port = server.port();
    let mut idle: Vec<_> =
        serving(&server, 2).into_iter().map(|pid| connection_to(port, pid)).collect();
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    idle.iter_mut().for_each(assert_ended);
    assert!(start.elapsed() >= SHORT);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn workers_cut_what_takes_too_long(case: &Case) {
    cuts(case, 2);
}

pub fn one_process_cuts_what_takes_too_long(case: &Case) {
    cuts(case, 1);
}

fn cuts(case: &Case, processes: usize) {
    let hasty = |app| HTTPServer::new(app).shutdown_timeout(SHORT);
    let server = case.server(|| serve(&hasty(application()), processes));
    let port = server.port();
    serving(&server, processes);
    let mut held = held(&server, port);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    let refused = held.response().unwrap();
    assert_eq!((refused.status(), refused.header("connection")), (503, Some("close")));
    assert!(start.elapsed() >= SHORT);
    assert_ended(&mut held);
    server.expect("WARN squall::general: shutdown_timeout reached: aborting 1 connection");
    server
        .expect("WARN squall::general: GET /hold aborted: the server shut down before it finished");
    server.expect("ERROR squall::access: 503 GET /hold ");
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn middleware_sees_the_response_to_what_is_cut(case: &Case) {
    let server = case.server(|| {
        let app = application().around(async |cx, next| {
            if let Err(error) = next.run(cx).await {
                cx.send_error(&error);
            }
            cx.set_header("X-Marked", "1")
        });
        serve(&HTTPServer::new(app).shutdown_timeout(SHORT), 1)
    });
    let port = server.port();
    serving(&server, 1);
    let mut held = held(&server, port);
    server.signal(Signal::SIGTERM);
    let cut = held.response().unwrap();
    assert_eq!((cut.status(), cut.header("connection")), (503, Some("close")));
    assert_eq!(cut.header("x-marked"), Some("1"));
    assert_ended(&mut held);
    server
        .expect("WARN squall::general: GET /hold aborted: the server shut down before it finished");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_request_whose_body_is_cut_has_one_line_about_it(case: &Case) {
    const BODIES: [&str; 2] = ["/collected", "/streamed"];
    let server = case.server(|| {
        async fn length(cx: &mut Context) -> Result<String> {
            Ok(cx.body().await?.len().to_string())
        }
        let app = Application::new([
            route(BODIES[0], post(length)),
            route(BODIES[1], post(length)).stream_request_body(),
        ]);
        let app = app.around(async |cx, next| next.run(cx).await);
        serve(&HTTPServer::new(app).shutdown_timeout(SHORT), 1)
    });
    let port = server.port();
    let bodies = BODIES.map(|path| {
        let mut body = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), SOON).unwrap();
        body.set_read_timeout(Some(SOON)).unwrap();
        let expect = "Expect: 100-continue\r\nContent-Length: 9";
        write!(body, "POST {path} HTTP/1.1\r\nHost: a\r\n{expect}\r\n\r\n").unwrap();
        // The server begins to read the body.
        let mut interim = [0; 25];
        body.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        body.write_all(b"beg").unwrap();
        body
    });
    server.signal(Signal::SIGTERM);
    for mut body in bodies {
        let mut response = String::new();
        body.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    }
    let lines = RefCell::new(Vec::new());
    let _ = server.expect_line(|line| {
        lines.borrow_mut().push(line.to_owned());
        false
    });
    let lines = lines.into_inner();
    for path in BODIES {
        let has = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!(has(&format!("POST {path} aborted: the server shut down")), 1, "{lines:?}");
        assert_eq!(has(&format!("503 POST {path} ")), 1, "{lines:?}");
        assert_eq!(has(path), 2, "{lines:?}");
    }
    assert!(server.ended().0.success());
}

pub fn workers_without_connections_cut_none(case: &Case) {
    cuts_none(case, 2);
}

pub fn one_process_without_connections_cuts_none(case: &Case) {
    cuts_none(case, 1);
}

/// Even with a short limit, a worker without connections has not exceeded it.
fn cuts_none(case: &Case, processes: usize) {
    let hurried = |app| HTTPServer::new(app).shutdown_timeout(Duration::ZERO);
    let server = case.server(|| serve(&hurried(application()), processes));
    server.port();
    serving(&server, processes);
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn what_runs_beside_requests_is_waited_for_if_asked_for(case: &Case) {
    let server = case.server(|| {
        let begin = async || {
            spawn_background(async {
                sleep(SHORT).await;
                println!("the background task is done");
            });
        };
        serve(&HTTPServer::new(Application::new([route("/begin", post(begin))])), 2)
    });
    let mut connection = Connection::open(server.port()).unwrap();
    serving(&server, 2);
    connection.send("POST", "/begin", "Connection: close\r\n", b"").unwrap();
    assert_eq!(connection.response().unwrap().status(), 200);
    server.signal(Signal::SIGTERM);
    server.expect("the background task is done");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn what_never_ends_is_named_by_its_line(case: &Case) {
    let server = case.server(|| {
        let begin = async || spawn_background(std::future::pending());
        let app = Application::new([route("/begin", post(begin))]);
        serve(&HTTPServer::new(app).shutdown_timeout(SHORT), 1)
    });
    let mut connection = Connection::open(server.port()).unwrap();
    serving(&server, 1);
    connection.send("POST", "/begin", "Connection: close\r\n", b"").unwrap();
    assert_eq!(connection.response().unwrap().status(), 200);
    server.signal(Signal::SIGTERM);
    let place = server.expect("WARN squall::general: the background task of ");
    assert!(
        place.starts_with(file!()) && place.ends_with("is cancelled: it exceeded shutdown_timeout")
    );
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_long_response_hears_of_the_end(case: &Case) {
    let server = case.server(|| {
        let stream = async |cx: &mut Context| {
            let end = cx.draining();
            cx.write("begun, ")?;
            cx.flush().await?;
            println!("held");
            let reason = end.await;
            assert!(cx.is_draining());
            cx.write(format!("ended with {}", reason.close_code()))
        };
        serve(&HTTPServer::new(Application::new([route("/", get(stream))])), 2)
    });
    let mut connection =
        TcpStream::connect_timeout(&([127, 0, 0, 1], server.port()).into(), SOON).unwrap();
    serving(&server, 2);
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    server.expect("held");
    server.signal(Signal::SIGTERM);
    let mut all = String::new();
    connection.set_read_timeout(Some(SOON)).unwrap();
    connection.read_to_string(&mut all).unwrap();
    assert!(all.ends_with("\r\nended with 1001\r\n0\r\n\r\n"), "{all}");
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_second_order_cuts_what_one_process_serves(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 1));
    let port = server.port();
    serving(&server, 1);
    let mut held = held(&server, port);
    let start = Instant::now();
    loop {
        server.signal(Signal::SIGTERM);
        if server.has_ended_within(Duration::from_millis(20)) {
            break;
        }
        assert!(start.elapsed() < SOON);
    }
    held.response().expect_err("nobody has released it");
    server
        .expect("WARN squall::general: second signal received: aborting the requests in progress");
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

/// `timeout`, for one, signals a process and then its whole group.
pub fn an_order_that_comes_twice_at_once_is_one(case: &Case) {
    // On a machine that is busy the second one may come too late, which shows nothing.
    assert!((0..100).any(|_| comes_twice_at_once(case)), "it never comes at once");
}

/// Returns whether it did.
fn comes_twice_at_once(case: &Case) -> bool {
    let server = case.server(|| {
        let twice = async || {
            let start = Instant::now();
            for _ in 0..2 {
                raise(Signal::SIGTERM).unwrap();
                // The first one has been seen when the second one comes.
                for _ in 0..10 {
                    yield_now().await;
                }
            }
            start.elapsed().as_millis().to_string()
        };
        let gate = Gate::default();
        let (held, opened) = (gate.clone(), gate);
        let app = Application::new([
            route("/hold", get(async move || hold(&held).await)),
            route("/release", post(async move || opened.open())),
            route("/stop", post(twice)),
        ]);
        serve(&HTTPServer::new(app).drain_idle(SOON), 1)
    });
    let port = server.port();
    serving(&server, 1);
    let mut held = held(&server, port);
    let [mut stop, mut release] = [(); 2].map(|()| Connection::open(port).unwrap());
    stop.send("POST", "/stop", "", b"").unwrap();
    let took = stop.response().map(|response| response.text().parse::<u128>().unwrap());
    // The end by the second one may well come before the answer.
    if took.map_or(true, |took| took >= ONE_ORDER.as_millis()) {
        return false;
    }
    release.send("POST", "/release", "", b"").unwrap();
    assert_eq!(release.response().unwrap().status(), 200);
    assert_last(&mut held);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
    true
}

pub fn each_server_of_a_process_has_a_limit_of_its_own(case: &Case) {
    let server = case.server(|| {
        let patient = HTTPServer::new(application()).drain_idle(SOON);
        patient.listen("127.0.0.1:0")?;
        println!("patient at {}", patient.local_addrs()[0].port());
        serve(&HTTPServer::new(application()).shutdown_timeout(SHORT), 1)
    });
    let (port, patient) = (server.port(), server.number("patient at ").try_into().unwrap());
    serving(&server, 1);
    let (mut cut, mut answered) = (held(&server, port), held(&server, patient));
    let mut release = Connection::open(patient).unwrap();
    release.get("/").unwrap();
    server.signal(Signal::SIGTERM);
    assert_eq!(cut.response().unwrap().status(), 503);
    server.expect("shutdown_timeout reached: aborting 1 connection");
    server.expect("GET /hold aborted: the server shut down before it finished");
    server.expect("503 GET /hold ");
    release.send("POST", "/release", "", b"").unwrap();
    assert_last(&mut release);
    assert_last(&mut answered);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn one_process_that_ignores_ctrl_c_says_so(case: &Case) {
    says_that_it_ignores_ctrl_c(case, 1);
}

pub fn workers_that_ignore_ctrl_c_say_so_once(case: &Case) {
    says_that_it_ignores_ctrl_c(case, 2);
}

fn says_that_it_ignores_ctrl_c(case: &Case, processes: usize) {
    // As a script starts a command with `&`.
    let start = ["-c", "trap '' INT; exec \"$0\" \"$@\""];
    let server =
        case.server_under("sh", &start, || serve(&HTTPServer::new(application()), processes));
    let port = server.port();
    server.expect("WARN squall::general: SIGINT was ignored when the program began");
    let serving = serving(&server, processes);
    server.signal(Signal::SIGINT);
    connection_to(port, serving[0]);
    server.signal(Signal::SIGTERM);
    let ended = server.expect_line(|line| line.contains("SIGINT was ignored"));
    assert!(ended.is_err(), "it says so once: {ended:?}");
    assert!(server.ended().0.success());
}
