//! The visible parts of a server: titles, processors, privileges, the pid file, notifications.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};

use std::path::PathBuf;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, geteuid};
use rustix::thread::sched_getaffinity;
use squall_runtime::bind_sockets;
use squall_runtime::process::ForkOptions;

use crate::case::{Case, Client, SOON, announce, greet};

/// The user id of `nobody` on every system.
const NOBODY: u32 = 65534;

fn greeters(options: ForkOptions) -> io::Result<()> {
    let sockets = bind_sockets("127.0.0.1:0")?;
    println!("port {}", sockets.local_addrs()[0].port());
    let id = options.fork_processes()?;
    announce(id);
    greet(id, sockets)
}

fn two() -> ForkOptions {
    ForkOptions::new().workers(2)
}

/// The output of `ps`, whole and short.
fn names(process: Pid) -> (String, String) {
    let read = |file| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
    (read("cmdline"), read("comm").trim_end().to_owned())
}

pub fn each_process_is_called_what_it_is(case: &Case) {
    let server = case.server(|| {
        let before: Vec<_> = std::env::args().collect();
        println!("arguments {before:?}");
        let id = two().fork_processes()?;
        let path = std::env::var("PATH");
        assert!(std::env::args().eq(before) && path == std::env::var("PATH"));
        announce(id);
        thread::park();
        Ok(())
    });
    server.expect("arguments ");
    let workers = [server.worker(0), server.worker(1)];
    // The name of this program. What `top` shows has 15 bytes, and keeps the role.
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    let title = |role: &str| {
        let room = 15 - ":".len() - role.len();
        (format!("{program}: {role}\0"), format!("{}:{role}", &program[..room]))
    };
    assert_eq!(names(workers[0]), title("worker 0"));
    assert_eq!(names(workers[1]), title("worker 1"));
    assert_eq!(names(server.pid()), title("supervisor"));
    // The environment, which is not part of the command line, has not moved.
    let environment = fs::read(format!("/proc/{}/environ", workers[0])).unwrap();
    assert!(environment.windows(5).any(|part| part == b"PATH="));
}

pub fn the_name_is_a_setting(case: &Case) {
    let server = case.server(|| {
        announce(two().title("shop").fork_processes()?);
        thread::park();
        Ok(())
    });
    let worker = server.worker(1);
    assert_eq!(names(worker), ("shop: worker 1\0".to_owned(), "shop: worker 1".to_owned()));
}

pub fn the_name_can_be_left_alone(case: &Case) {
    let server = case.server(|| {
        announce(two().title(None).fork_processes()?);
        thread::park();
        Ok(())
    });
    let worker = server.worker(0);
    assert!(names(worker).0.ends_with("--server\0"));
    assert_eq!(names(worker), names(server.pid()));
}

pub fn a_pinned_worker_has_one_processor(case: &Case) {
    let set = sched_getaffinity(None).unwrap();
    let usable: Vec<_> = (0..1024).filter(|&processor| set.is_set(processor)).collect();
    let count = usable.len();
    let server = case.server(|| {
        let id = ForkOptions::new().workers(count + 1).pin_cpus(true).fork_processes()?;
        let set = sched_getaffinity(None)?;
        assert_eq!(set.count(), 1);
        assert!(set.is_set(usable[id % count]));
        Ok(())
    });
    let (status, others) = server.ended_by_itself(count + 1);
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn rights_are_given_up_before_the_fork(case: &Case) {
    if !geteuid().is_root() {
        return println!("only root has rights to give up");
    }
    let server = case.server(|| {
        let options = two().max_workers(3).user(NOBODY.to_string()).group(NOBODY.to_string());
        greeters(options)
    });
    let port = server.port();
    let workers = [server.worker(0), server.worker(1)];
    let ids = |process: Pid| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let lines = status.lines().filter(|line| {
            ["Uid:", "Gid:", "CapPrm:"].contains(&&line[..line.find(':').unwrap_or(0) + 1])
        });
        lines.map(|line| line.replace('\t', " ")).collect::<Vec<_>>()
    };
    let four = [NOBODY.to_string(), NOBODY.to_string(), NOBODY.to_string(), NOBODY.to_string()];
    let four = four.join(" ");
    let expected =
        [format!("Uid: {four}"), format!("Gid: {four}"), "CapPrm: 0000000000000000".to_owned()];
    for process in [server.pid(), workers[0], workers[1]] {
        assert_eq!(ids(process), expected);
    }
    // All of a dead worker's sockets are there for the next.
    Client::of_worker(port, 1);
    kill(workers[1], Signal::SIGKILL).unwrap();
    server.worker(1);
    Client::of_worker(port, 1);
    // And there may be as many as were thought of before.
    server.signal(Signal::SIGTTIN);
    server.worker(2);
    Client::of_worker(port, 2);
    // And they end with their supervisor, which the system forgets at a change of user.
    server.signal(Signal::SIGKILL);
    assert!(server.has_ended_within(SOON), "an orphan is left");
}

pub fn rights_that_cannot_be_given_up_keep_the_server_from_starting(case: &Case) {
    let server = case.server(|| greeters(two().user("nobody-of-this-name")));
    server.expect("error: there is no user `nobody-of-this-name`");
    server.port();
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(1), Vec::new()));
}

/// A directory of a case, which the process of its server finds as well.
fn directory(name: &str) -> PathBuf {
    let group = nix::unistd::getpgrp();
    std::env::temp_dir().join(format!("squall-{name}-{group}"))
}

pub fn the_pid_file_is_there_while_the_server_is(case: &Case) {
    let directory = directory("pid-file");
    let path = directory.join("server.pid");
    let server = case.server(|| greeters(two().pid_file(&path)));
    // The first one has failed: its directory is not there.
    server.expect(&format!("error: cannot write {}", path.display()));
    server.ended();

    fs::create_dir(&directory).unwrap();
    let server = case.server(|| unreachable!("this is not the server"));
    let worker = server.worker(0);
    server.worker(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.pid()));
    let second = case.server(|| unreachable!("this is not the server"));
    let text = format!("the server runs already, as process {}", server.pid());
    second.expect(&text);
    assert_eq!(second.ended().0.code(), Some(1));
    // A worker that ends does not take it along.
    kill(worker, Signal::SIGKILL).unwrap();
    server.worker(0);
    assert!(path.exists());
    server.signal(Signal::SIGTERM);
    server.ended();
    assert!(!path.exists());

    // The file of a killed server is replaced.
    let server = case.server(|| unreachable!("this is not the server"));
    server.worker(0);
    server.worker(1);
    server.signal(Signal::SIGKILL);
    server.ended();
    assert!(path.exists());
    let server = case.server(|| unreachable!("this is not the server"));
    server.worker(0);
    server.worker(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.pid()));
    server.signal(Signal::SIGTERM);
    server.ended();
    fs::remove_dir(&directory).unwrap();
}

pub fn a_pid_file_out_of_reach_is_emptied(case: &Case) {
    if !geteuid().is_root() {
        return println!("only root has rights to give up");
    }
    let directory = directory("pid-reach");
    let path = directory.join("server.pid");
    let options = || two().pid_file(&path).user(NOBODY.to_string()).group(NOBODY.to_string());
    if !directory.exists() {
        fs::create_dir(&directory).unwrap();
        chown(&directory, Some(Uid::from_raw(0).as_raw()), None).unwrap();
    }
    let server = case.server(|| greeters(options()));
    server.worker(0);
    server.worker(1);
    assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY, "who may rewrite it");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().0.code(), Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    fs::remove_dir_all(&directory).unwrap();
}
