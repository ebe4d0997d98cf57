//! The code that runs in each process, and the conditions that prevent a server from starting.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use futures_lite::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use squall::process::{cpu_count, task_id};
use squall::{Application, HTTPServer, IOLoop, get, post, route};
use squall_runtime::signal::{SIGHUP, Signals};

use super::{application, connection_to, sender, serve};
use crate::case::{Case, Server};
use crate::http::Connection;

/// The process ids of this many workers.
#[track_caller]
fn workers(server: &Server, count: usize) -> Vec<Pid> {
    let mut workers: Vec<_> = (0..count).map(|id| server.worker(id)).collect();
    // Nobody is replaced before all have been started.
    kill(workers[0], Signal::SIGKILL).unwrap();
    workers[0] = server.worker(0);
    let children: HashSet<_> = server.children().into_iter().collect();
    assert_eq!(children, workers.iter().copied().collect());
    workers
}

pub fn as_many_workers_as_cores(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 0));
    workers(&server, cpu_count());
}

pub fn a_core_that_may_not_be_used_gets_no_worker(case: &Case) {
    let server = case.server(|| {
        let usable = sched_getaffinity(None)?;
        let mut first = CpuSet::new();
        first.set((0..CpuSet::MAX_CPU).find(|&core| usable.is_set(core)).unwrap());
        sched_setaffinity(None, &first)?;
        serve(&HTTPServer::new(application()), 0)
    });
    let [worker] = workers(&server, 1)[..] else { unreachable!() };
    assert_ne!(worker, server.pid());
}

pub fn as_many_workers_as_asked_for(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 3));
    let (port, workers) = (server.port(), workers(&server, 3));
    for (id, worker) in workers.into_iter().enumerate() {
        let answer = connection_to(port, worker).get("/").unwrap();
        assert_eq!(sender(&answer), (Some(id), worker));
    }
}

pub fn one_process_does_not_fork(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 1));
    let pid = server.number("this is the only process, ");
    assert_eq!(Pid::from_raw(pid), server.pid());
    assert_eq!(server.children(), []);
    let answer = Connection::open(server.port()).unwrap().get("/").unwrap();
    assert_eq!(sender(&answer), (None, server.pid()));
}

pub fn one_process_outlives_what_is_meant_for_a_supervisor(case: &Case) {
    let serve = || {
        let handled = async || {
            let mut orders = Signals::new([SIGHUP]).unwrap();
            IOLoop::current().spawn_callback(async move {
                while orders.next().await.is_some() {
                    println!("the program reloads");
                }
            });
        };
        let app = Application::new([route("/", get(super::who)), route("/handle", post(handled))]);
        serve(&HTTPServer::new(app), 1)
    };
    // Where there is no terminal.
    let server = case.server_under("setsid", &[], serve);
    let port = server.port();
    server.expect("this is the only process, ");
    let mut connection = Connection::open(port).unwrap();
    let number = "there are no workers to have more or fewer of";
    for (signal, answer) in [
        (Signal::SIGHUP, "nothing is replaced"),
        (Signal::SIGUSR2, "nothing is replaced"),
        (Signal::SIGTTIN, number),
        (Signal::SIGTTOU, number),
    ] {
        connection.get("/").unwrap();
        server.signal(signal);
        server.expect(&format!("{signal}: {answer}, this process serves without a supervisor"));
    }
    connection.send("POST", "/handle", "", b"").unwrap();
    assert_eq!(connection.response().unwrap().status(), 200);
    server.signal(Signal::SIGHUP);
    server.expect("the program reloads");
    assert_eq!(sender(&connection.get("/").unwrap()), (None, server.pid()));
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn an_application_listens_by_itself(case: &Case) {
    let server = case.server(|| {
        let server = application().listen("127.0.0.1:0")?;
        println!("port {}", server.local_addrs()[0].port());
        IOLoop::current().start()
    });
    let mut connection = Connection::open(server.port()).unwrap();
    assert_eq!(sender(&connection.get("/").unwrap()), (None, server.pid()));
    assert_eq!(server.children(), []);
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn what_precedes_start_runs_once_and_what_follows_in_each_worker(case: &Case) {
    let server = case.server(|| {
        println!("before");
        let before = std::process::id();
        let server = HTTPServer::new(application());
        server.bind("127.0.0.1:0")?.start(2)?;
        println!("after: {} of {before}, {:?}", std::process::id(), task_id());
        IOLoop::current().start()?;
        println!("end of {}", std::process::id());
        Ok(())
    });
    server.expect("before");
    let expect = |id: usize| {
        let of = format!(" of {}, Some({id})", server.pid());
        let line = server.expect_line(|line| line.starts_with("after: ") && line.ends_with(&of));
        let line = line.unwrap();
        Pid::from_raw(line["after: ".len()..line.len() - of.len()].parse().unwrap())
    };
    let (first, second) = (expect(0), expect(1));
    kill(second, Signal::SIGKILL).unwrap();
    let third = expect(1);
    assert_eq!(HashSet::from([server.pid(), first, second, third]).len(), 4);
    server.expect(&format!("worker 1 (pid {second}) was killed by SIGKILL, restarting"));
    server.signal(Signal::SIGTERM);
    server.expect(&format!("end of {first}"));
    server.expect(&format!("end of {third}"));
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn each_worker_builds_its_application(case: &Case) {
    let server = case.server(|| {
        let built = |pid: u32| {
            println!("built in {pid}");
            let count = Cell::new(0);
            let next = async move || {
                count.set(count.get() + 1);
                format!("{} of {pid}", count.get())
            };
            Application::new([route("/", get(super::who)), route("/count", get(next))])
        };
        serve(&HTTPServer::with(move || built(std::process::id())), 2)
    });
    let port = server.port();
    for id in [0, 1] {
        let worker = server.worker(id);
        server.expect(&format!("built in {worker}"));
        let mut connection = connection_to(port, worker);
        for count in 1..=3 {
            let answer = connection.get("/count").unwrap();
            assert_eq!(answer.text(), format!("{count} of {worker}"));
        }
    }
    server.signal(Signal::SIGTERM);
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()), "it was built twice");
}

/// The server has ended with an error that says this.
#[track_caller]
fn refused(server: Server, reason: &str) {
    server.expect(&format!("error: {reason}"));
    server.port();
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(1), Vec::new()));
}

pub fn a_thread_is_refused_by_its_name(case: &Case) {
    let server = case.server(|| {
        let (_end, ended) = mpsc::channel::<()>();
        let (runs, running) = mpsc::channel();
        let thread = thread::Builder::new().name("metrics".to_owned());
        thread.spawn(move || {
            runs.send(()).unwrap();
            ended.recv()
        })?;
        // It has its name by then.
        running.recv().unwrap();
        serve(&HTTPServer::new(application()), 2)
    });
    refused(server, "cannot fork: there are other threads (`metrics`)");
}

pub fn a_loop_is_refused_by_its_line(case: &Case) {
    let made = line!() + 2;
    let server = case.server(|| {
        IOLoop::current().add_callback(|| ());
        serve(&HTTPServer::new(application()), 2)
    });
    refused(server, &format!("cannot fork: an IOLoop was made at {}:{made}:", file!()));
}

pub fn a_port_that_is_served_is_refused_by_its_number(case: &Case) {
    let server = case.server(|| {
        let server = HTTPServer::new(application());
        server.bind("127.0.0.1:0")?;
        let port = server.local_addrs()[0].port();
        println!("port {port}");
        server.start(2)?;
        if task_id() == Some(1) {
            for address in [format!("127.0.0.1:{port}"), port.to_string()] {
                let error = HTTPServer::new(application()).bind(address).unwrap_err();
                println!("{:?}: {error}", error.kind());
            }
        }
        IOLoop::current().start()
    });
    let port = server.port();
    server.expect(&format!("AddrInUse: cannot listen on 127.0.0.1:{port}: Address already in use"));
    server.expect(&format!("AddrInUse: cannot listen on 0.0.0.0:{port}: Address already in use"));
    Connection::open(port).unwrap().get("/").expect("the first one serves on");
}

pub fn a_panic_costs_the_worker_nothing_but_the_request(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let (port, worker) = (server.port(), server.worker(1));
    server.worker(0);
    let mut connection = connection_to(port, worker);
    for _ in 0..3 {
        assert_eq!(connection.get("/panic").unwrap().status(), 500);
        server.expect("ERROR squall::application: GET /panic: ");
        assert_eq!(sender(&connection.get("/").unwrap()).1, worker);
    }
}

pub fn a_worker_that_aborts_is_replaced(case: &Case) {
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let (port, worker) = (server.port(), server.worker(1));
    let other = server.worker(0);
    let mut bystander = connection_to(port, other);
    connection_to(port, worker).get("/abort").expect_err("the worker is gone");
    server
        .expect(&format!("worker 1 (pid {worker}) was killed by SIGABRT while serving GET /abort"));
    let replacement = server.worker(1);
    assert_eq!(sender(&connection_to(port, replacement).get("/").unwrap()).0, Some(1));
    assert_eq!(sender(&bystander.get("/").unwrap()), (Some(0), other));
}
