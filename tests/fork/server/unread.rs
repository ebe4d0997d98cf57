//! Servers with a full standard error: a pipe without a reader, or a stopped terminal.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::id;
use std::thread;

use nix::sys::signal::Signal;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use squall::process::ForkOptions;
use squall::{Application, Context, HTTPServer, IOLoop, Result, StartOptions, get, route};

use super::{connection_to, serve, who};
use crate::case::{Case, Server};
use crate::http::Connection;

/// Everything that a handler may do so that something is written to standard error.
fn failing() -> Application {
    Application::new([
        route("/", get(who)),
        route("/panic", get(async || -> String { panic!("no luck") })),
        route(
            "/pool",
            get(async || -> String {
                IOLoop::current().run_in_executor(|| panic!("no luck in the pool")).await.unwrap()
            }),
        ),
        route(
            "/thread",
            get(async || thread::spawn(|| panic!("no luck beside")).join().is_ok().to_string()),
        ),
        route(
            "/task",
            get(async || {
                IOLoop::current().spawn(async { panic!("no luck") }).await.is_ok().to_string()
            }),
        ),
        route(
            "/error",
            get(async |_: &mut Context| -> Result { Err(squall::HTTPError::BAD_GATEWAY)? }),
        ),
        route(
            "/abort",
            get(async || -> String {
                let _second = PanicsWhenDropped;
                panic!("the first of two")
            }),
        ),
    ])
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the second of two");
    }
}

/// A named pipe that this process has open for reading and writing, so that it has no end.
struct Pipe {
    path: PathBuf,
    file: File,
}

impl Pipe {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("squall-unread-{}", id()));
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(&path);
        Self { path, file: file.unwrap() }
    }

    fn fill(&mut self) {
        while self.file.write(&[b'.'; 64]).is_ok() {}
    }

    /// Everything that is in it now.
    fn take(&mut self) -> String {
        let mut bytes = Vec::new();
        let error = self.file.read_to_end(&mut bytes).expect_err("it has no end");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Starts a server with the file at `path` as its standard error.
fn server_with_stderr(case: &Case, path: &Path, processes: impl Into<StartOptions>) -> Server {
    let path = path.display();
    let command = format!("RUST_BACKTRACE=1 exec \"$0\" \"$@\" 2>'{path}'");
    case.server_under("sh", &["-c", &command], || serve(&HTTPServer::new(failing()), processes))
}

/// Starts a server with a full pipe as its standard error.
fn server_with_full_pipe(case: &Case, processes: impl Into<StartOptions>) -> (Server, Pipe) {
    let mut pipe = (!case.is_server()).then(Pipe::new);
    pipe.iter_mut().for_each(Pipe::fill);
    let path = pipe.as_ref().map_or(Path::new(""), |pipe| &pipe.path);
    let server = server_with_stderr(case, path, processes);
    (server, pipe.unwrap())
}

#[track_caller]
fn fails_without_waiting(connection: &mut Connection) {
    for _ in 0..3 {
        for (path, status) in
            [("/panic", 500), ("/pool", 500), ("/thread", 200), ("/task", 200), ("/error", 502)]
        {
            assert_eq!(connection.get(path).unwrap().status(), status, "{path}");
        }
    }
}

pub fn a_panic_does_not_stop_one_process_whose_log_is_not_read(case: &Case) {
    let (server, mut pipe) = server_with_full_pipe(case, 1);
    let port = server.port();
    let mut connection = Connection::open(port).unwrap();
    fails_without_waiting(&mut connection);

    pipe.take();
    connection.get("/panic").unwrap();
    let log = pipe.take();
    let first = log.lines().next().unwrap();
    assert!(first.starts_with('(') && first.contains(" messages dropped: "), "{first}");
    assert!(first.contains(") thread 'main' panicked at tests/fork/server/unread.rs:"), "{first}");
    assert!(log.contains("\nno luck\nstack backtrace:\n"), "{log}");
    assert!(log.ends_with('\n'), "{log}");
    server.signal(Signal::SIGTERM);
    assert!(server.ended().0.success());
}

pub fn a_panic_does_not_stop_workers_whose_log_is_not_read(case: &Case) {
    let (server, _pipe) = server_with_full_pipe(case, 2);
    let (port, workers) = (server.port(), [server.worker(0), server.worker(1)]);
    for worker in workers {
        fails_without_waiting(&mut connection_to(port, worker));
    }
    server.signal(Signal::SIGTERM);
    assert!(server.ended().0.success());
}

pub fn a_panic_that_aborts_a_worker_whose_log_is_not_read_replaces_it(case: &Case) {
    // Nothing but the end of the worker makes the supervisor replace it.
    let workers = ForkOptions::new().workers(2).stall_timeout(None);
    let (server, _pipe) = server_with_full_pipe(case, workers);
    let (port, worker) = (server.port(), server.worker(1));
    connection_to(port, worker).get("/abort").expect_err("the worker is gone");
    connection_to(port, server.worker(1));
}

pub fn a_panic_does_not_stop_workers_whose_terminal_is_stopped(case: &Case) {
    let (mut terminal, path) = (None, PathBuf::new());
    let path = if case.is_server() {
        path
    } else {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        // Otherwise `^S` has an effect on none.
        let open = File::options().read(true).write(true).open(&path).unwrap();
        let mut controller = File::from(controller);
        controller.write_all(b"\x13").unwrap();
        terminal = Some((controller, open));
        path.into()
    };
    let server = server_with_stderr(case, &path, 2);
    let (port, workers) = (server.port(), [server.worker(0), server.worker(1)]);
    for worker in workers {
        fails_without_waiting(&mut connection_to(port, worker));
    }
    server.signal(Signal::SIGTERM);
    assert!(server.ended().0.success());
    drop(terminal);
}
