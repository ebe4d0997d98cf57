//! A new program takes the place of a server, or fails to.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, exit, id};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use squall_runtime::process::{ForkOptions, SlotPage, WorkerExit};
use squall_runtime::{BindAddress, bind_sockets};

use crate::case::{Case, Client, SOON, Server, announce, await_end, greet};

/// Whether this process was started by the server that it is to replace.
fn is_new() -> bool {
    env::var_os("SQUALL_SOCKETS").is_some()
}

fn two() -> ForkOptions {
    ForkOptions::new().workers(2)
}

/// Workers that greet each client, and a supervisor that announces its process.
fn greeters(address: impl Into<BindAddress>, options: ForkOptions) -> io::Result<()> {
    let sockets = bind_sockets(address)?;
    if let Some(address) = sockets.local_addrs().first() {
        println!("port {}", address.port());
    }
    println!("supervisor {}", id());
    let worker = options.fork_processes()?;
    announce(worker);
    greet(worker, sockets)
}

/// The supervisor that begins next.
#[track_caller]
fn supervisor(server: &Server) -> Pid {
    Pid::from_raw(server.number("supervisor "))
}

#[track_caller]
fn workers(server: &Server) -> [Pid; 2] {
    [server.worker(0), server.worker(1)]
}

/// All of so many connections are served by one of these.
#[track_caller]
fn are_served_by(port: u16, workers: [Pid; 2]) {
    for _ in 0..32 {
        let (_, pid) = Client::local(port).greeting().unwrap();
        assert!(workers.contains(&pid), "{pid} has answered, not one of {workers:?}");
    }
}

#[track_caller]
fn ends(server: Server, supervisor: Pid) {
    kill(supervisor, Signal::SIGTERM).unwrap();
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(0));
    let logged: Vec<_> = others.iter().filter(|line| line.contains("squall::")).collect();
    assert!(logged.is_empty(), "{logged:?}");
}

pub fn the_new_program_takes_over(case: &Case) {
    let server = case.server(|| greeters("127.0.0.1:0", two()));
    let (port, mut old) = (server.port(), supervisor(&server));
    assert_eq!(old, server.pid());
    let mut serving = workers(&server);
    for _ in 0..3 {
        Client::of_worker(port, 1);
        are_served_by(port, serving);
        kill(old, Signal::SIGUSR2).unwrap();
        let new = supervisor(&server);
        assert_eq!(server.port(), port, "it has the same socket");
        serving = workers(&server);
        await_end(old);
        are_served_by(port, serving);
        old = new;
    }
    // A worker of the last one is replaced.
    kill(serving[1], Signal::SIGKILL).unwrap();
    server.expect("was killed by SIGKILL, restarting");
    server.worker(1);
    Client::of_worker(port, 1);
    kill(old, Signal::SIGTERM).unwrap();
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_unix_socket_stays_where_it_is(case: &Case) {
    let path = PathBuf::from(format!("/tmp/squall-upgrade-{}.sock", nix::unistd::getpgrp()));
    let server = case.server(|| greeters(path.clone(), two()));
    let old = supervisor(&server);
    let greeting = || {
        let mut line = String::new();
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        BufReader::new(stream).read_line(&mut line).unwrap();
        Pid::from_raw(line.trim().split_once(' ').unwrap().1.parse().unwrap())
    };
    let first = workers(&server);
    assert!(first.contains(&greeting()));
    kill(old, Signal::SIGUSR2).unwrap();
    let (new, second) = (supervisor(&server), workers(&server));
    await_end(old);
    assert!(second.contains(&greeting()));
    ends(server, new);
    fs::remove_file(&path).unwrap();
}

pub fn a_new_program_that_fails_changes_nothing(case: &Case) {
    let server = case.server(|| {
        if is_new() {
            println!("failing in {}", id());
            exit(3);
        }
        greeters("127.0.0.1:0", two())
    });
    let (port, old, serving) = (server.port(), supervisor(&server), workers(&server));
    Client::of_worker(port, 1);
    for _ in 0..2 {
        // There may be another as soon as one has failed.
        server.signal(Signal::SIGUSR2);
        let failing = server.number("failing in ");
        let text = format!("process {failing} exited with status 3 before it was ready");
        server.expect(&text);
        are_served_by(port, serving);
    }
    ends(server, old);
}

pub fn a_new_program_whose_workers_fail_changes_nothing(case: &Case) {
    let server = case.server(|| {
        let options = two().max_failed_starts(3, SOON);
        if is_new() {
            bind_sockets("127.0.0.1:0")?;
            options.fork_processes()?;
            exit(4);
        }
        greeters("127.0.0.1:0", options)
    });
    let (port, old, serving) = (server.port(), supervisor(&server), workers(&server));
    Client::of_worker(port, 1);
    server.signal(Signal::SIGUSR2);
    server.expect("too many workers have failed to start, giving up");
    server.expect("exited with status 1 before it was ready: no upgrade");
    are_served_by(port, serving);
    kill(old, Signal::SIGTERM).unwrap();
    assert_eq!(server.ended().0.code(), Some(0));
}

#[expect(clippy::disallowed_methods, reason = "the child of a hook has no loop to block")]
pub fn a_new_program_whose_workers_end_at_once_changes_nothing(case: &Case) {
    let server = case.server(|| {
        if is_new() {
            bind_sockets("127.0.0.1:0")?;
            // The new supervisor waits for this, so that its end does not hide what it says before.
            let linger = |_: &WorkerExit| thread::sleep(Duration::from_millis(200));
            two().on_worker_exit(linger).fork_processes()?;
            exit(0);
        }
        greeters("127.0.0.1:0", two())
    });
    let (port, old, serving) = (server.port(), supervisor(&server), workers(&server));
    Client::of_worker(port, 1);
    server.signal(Signal::SIGUSR2);
    server.expect("exited normally before it was ready: no upgrade");
    are_served_by(port, serving);
    kill(old, Signal::SIGTERM).unwrap();
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_new_program_that_takes_too_long_is_given_up(case: &Case) {
    let server = case.server(|| {
        if is_new() {
            loop {
                thread::park();
            }
        }
        greeters("127.0.0.1:0", two().upgrade_timeout(Duration::from_millis(300)))
    });
    let (port, old, serving) = (server.port(), supervisor(&server), workers(&server));
    server.signal(Signal::SIGUSR2);
    // It may have been too slow to say anything itself.
    let line =
        server.expect_line(|line| line.contains(" has failed: it was not ready within 300ms"));
    let line = line.unwrap();
    let hanging = line.split_once("process ").unwrap().1.split(' ').next().unwrap();
    await_end(Pid::from_raw(hanging.parse().unwrap()));
    are_served_by(port, serving);
    ends(server, old);
}

pub fn a_second_upgrade_at_once_is_refused(case: &Case) {
    let server = case.server(|| {
        if is_new() {
            println!("hanging in {}", id());
            loop {
                thread::park();
            }
        }
        greeters("127.0.0.1:0", two())
    });
    supervisor(&server);
    workers(&server);
    server.signal(Signal::SIGUSR2);
    let hanging = Pid::from_raw(server.number("hanging in "));
    server.signal(Signal::SIGUSR2);
    server.expect("no upgrade, one is under way");
    // The server ends when the program that it started ends.
    server.signal(Signal::SIGTERM);
    server.expect("has failed: the server ends");
    await_end(hanging);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn other_addresses_are_bound_and_closed(case: &Case) {
    let server = case.server(|| {
        let (first, second) = (bind_sockets("127.0.0.1:0")?, bind_sockets("127.0.0.2:0")?);
        let third = if is_new() { Some(bind_sockets("127.0.0.3:0")?) } else { None };
        println!("port {}", first.local_addrs()[0].port());
        println!("port {}", second.local_addrs()[0].port());
        println!("port {}", third.as_ref().map_or(0, |third| third.local_addrs()[0].port()));
        println!("supervisor {}", id());
        if is_new() {
            drop(first);
            let worker = two().fork_processes()?;
            announce(worker);
            drop(second);
            return greet(worker, third.unwrap());
        }
        let worker = two().fork_processes()?;
        announce(worker);
        drop(first);
        greet(worker, second)
    });
    let old = supervisor(&server);
    let [first, second, none] = [(); 3].map(|()| server.port());
    assert_eq!(none, 0);
    workers(&server);
    server.signal(Signal::SIGUSR2);
    let (new, serving) = (supervisor(&server), workers(&server));
    assert_eq!([server.port(), server.port()], [first, second]);
    let third = server.port();
    await_end(old);
    let mut client = Client::connect(([127, 0, 0, 3], third)).unwrap();
    assert!(serving.contains(&client.greeting().unwrap().1));
    TcpListener::bind(("127.0.0.1", first)).expect("nobody has it any more");
    ends(server, new);
}

pub fn what_the_new_program_does_not_bind_is_closed(case: &Case) {
    let server = case.server(|| {
        let sockets = bind_sockets("127.0.0.1:0")?;
        let other = if is_new() { None } else { Some(bind_sockets("127.0.0.2:0")?) };
        println!("port {}", sockets.local_addrs()[0].port());
        if let Some(other) = &other {
            println!("port {}", other.local_addrs()[0].port());
        }
        println!("supervisor {}", id());
        let worker = two().fork_processes()?;
        announce(worker);
        drop(other);
        greet(worker, sockets)
    });
    let old = supervisor(&server);
    let (port, other) = (server.port(), server.port());
    workers(&server);
    server.signal(Signal::SIGUSR2);
    server.expect(&format!("closing 127.0.0.2:{other}, which was handed over and is not bound"));
    let (new, serving) = (supervisor(&server), workers(&server));
    assert_eq!(server.port(), port);
    await_end(old);
    are_served_by(port, serving);
    TcpListener::bind(("127.0.0.2", other)).expect("nobody has it any more");
    ends(server, new);
}

pub fn the_pid_file_is_that_of_who_serves(case: &Case) {
    let directory = env::temp_dir().join(format!("squall-upgrade-{}", nix::unistd::getpgrp()));
    let path = directory.join("pid");
    let failing = directory.join("failing");
    let server = case.server(|| {
        fs::create_dir_all(&directory)?;
        let mut options = two().pid_file(&path).max_failed_starts(0, SOON);
        if is_new() && failing.exists() {
            let _sockets = bind_sockets("127.0.0.1:0")?;
            options.fork_processes()?;
            exit(4);
        }
        if geteuid().is_root() {
            // That user may then neither create nor remove a file there.
            options = options.user("65534").group("65534");
        }
        greeters("127.0.0.1:0", options)
    });
    let mut old = supervisor(&server);
    workers(&server);
    let content = || fs::read_to_string(&path).unwrap();
    let is_of = |supervisor| {
        assert_eq!(content(), format!("{supervisor}\n"));
        let second = case.server(|| unreachable!("this is not the server"));
        second.expect(&format!("the server runs already, as process {supervisor}"));
        assert_eq!(second.ended().0.code(), Some(1));
    };
    is_of(old);
    for _ in 0..2 {
        kill(old, Signal::SIGUSR2).unwrap();
        let new = supervisor(&server);
        workers(&server);
        await_end(old);
        is_of(new);
        old = new;
        fs::write(&failing, "").unwrap();
        kill(old, Signal::SIGUSR2).unwrap();
        server.expect("exited with status 1 before it was ready: no upgrade");
        is_of(old);
        fs::remove_file(&failing).unwrap();
    }
    kill(old, Signal::SIGTERM).unwrap();
    assert_eq!(server.ended().0.code(), Some(0));
    assert!(!Path::new(&path).exists() || content().is_empty());
    fs::remove_dir_all(&directory).unwrap();
}

/// Starts a thread in the supervisor, as a library might that it calls.
fn start_thread(_: &SlotPage) -> Option<String> {
    let stray = thread::Builder::new().name("stray".to_owned());
    let (runs, running) = mpsc::channel();
    let run = move || {
        runs.send(()).unwrap();
        thread::park();
    };
    stray.spawn(run).unwrap();
    // It has its name by then.
    running.recv().unwrap();
    None
}

pub fn a_thread_in_the_supervisor_is_shed(case: &Case) {
    let server = case.server(|| greeters("127.0.0.1:0", two().describe(start_thread)));
    let (port, old) = (server.port(), supervisor(&server));
    let before = workers(&server);
    Client::of_worker(port, 1);
    kill(before[0], Signal::SIGKILL).unwrap();
    server.expect("executing the supervisor anew: there are other threads (`stray`)");
    assert_eq!(supervisor(&server), old, "it is the same process");
    assert_eq!(server.port(), port);
    let after = workers(&server);
    await_end(before[1]);
    are_served_by(port, after);
    let names = fs::read_dir(format!("/proc/{old}/task")).unwrap();
    assert_eq!(names.count(), 1);
    // An order that comes now is heard: nothing has stayed blocked, or unblocked.
    kill(old, Signal::SIGTERM).unwrap();
    let (status, _) = server.ended();
    assert_eq!(status.code(), Some(0));
}

pub fn the_first_process_of_a_container_executes_what_was_tried(case: &Case) {
    let serve = || greeters("127.0.0.1:0", two());
    let isolate = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let probe = Command::new("unshare").args(isolate).arg("true").output();
    if !probe.is_ok_and(|probe| probe.status.success()) && !case.is_server() {
        return println!("no process here may have a process number 1 of its own");
    }
    let server = case.server_under("unshare", &isolate, serve);
    let port = server.port();
    assert_eq!(supervisor(&server), Pid::from_raw(1));
    let first = inner(&server);
    workers(&server);
    Client::of_worker(port, 1);
    for _ in 0..2 {
        kill(first, Signal::SIGUSR2).unwrap();
        assert_ne!(supervisor(&server), Pid::from_raw(1), "the trial");
        workers(&server);
        assert_eq!(supervisor(&server), Pid::from_raw(1), "the same process");
        let serving = workers(&server);
        // These numbers are valid inside the container. In the end only these workers serve.
        // Others, which end without a message to a new client, may take one more.
        let start = Instant::now();
        let mut in_a_row = 0;
        while in_a_row < 32 {
            in_a_row = match Client::local(port).greeting() {
                Ok((_, pid)) if serving.contains(&pid) => in_a_row + 1,
                _ => 0,
            };
            assert!(start.elapsed() < SOON, "others serve still");
        }
        assert_eq!([server.port(), server.port()], [port; 2]);
    }
    ends(server, first);
}

/// The process that another one has started and waits for, as this namespace numbers it.
fn inner(server: &Server) -> Pid {
    let [inner] = server.children()[..] else { panic!("there is one") };
    inner
}
