//! The information that the operator of a server of several processes can read.

use std::fs;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use squall::metrics::PAGE_WORDS;
use squall::process::ForkOptions;
use squall::{HTTPServer, IOLoop, bind_sockets};

use super::counted::{application, await_ready};
use super::{connection_to, serve};
use crate::case::{Case, SOON, Server, announce};

/// Where the control socket is; in a folder that is removed.
struct Folder(PathBuf);

impl Folder {
    /// Equal in the case and in its server, which is its child.
    fn of(process: Pid) -> Self {
        Self(std::env::temp_dir().join(format!("squall-counted-{process}")))
    }

    /// In the server: it is the case's to remove.
    fn made() -> io::Result<ManuallyDrop<Self>> {
        let folder = ManuallyDrop::new(Self::of(getppid()));
        fs::create_dir_all(&folder.0)?;
        Ok(folder)
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
        let folder = Folder::made()?;
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
    assert_eq!(control.ask("/readyz").unwrap(), "not ready: shutting down\n");
    let answer = kept.get("/readyz").unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (503, "not ready: shutting down\n"));
    assert!(control.ask("/metrics").unwrap().contains("\nhttp_requests_in_flight 1\n"));
    // Nobody is left to release it but a signal.
    server.signal(Signal::SIGQUIT);
    let (status, lines) = server.ended();
    assert_eq!(status.code(), Some(0));
    let of_probe = |line: &str| line.contains("/readyz");
    assert!(!lines.iter().any(|line| of_probe(line)), "not ready is no failure: {lines:?}");
}

pub fn workers_that_were_forked_by_hand_answer_on_the_control_socket(case: &Case) {
    let server = case.server(|| {
        let server = HTTPServer::new(application()?);
        server.control(Folder::made()?.socket())?;
        let sockets = bind_sockets("127.0.0.1:0")?;
        println!("port {}", sockets.local_addrs()[0].port());
        announce(ForkOptions::new().workers(2).page_words(PAGE_WORDS).fork_processes()?);
        server.add_sockets(sockets)?;
        IOLoop::current().start()
    });
    let control = Folder::of(Pid::this());
    await_ready(server.port());
    control.await_states(&["ready", "ready"]);
}
