//! Whole servers, as their clients see them.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hint;
use std::io;
use std::process::{abort, id};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use squall::process::task_id;
use squall::{Application, Context, HTTPServer, IOLoop, StartOptions, get, post, route, sleep};

use crate::case::{SOON, announce};
use crate::http::{Connection, Response};

pub mod balance;
pub mod built;
pub mod controlled;
pub mod counted;
pub mod drain;
pub mod dropped;
pub mod last;
pub mod load;
pub mod start;
pub mod stop;
pub mod supervised;
pub mod suspended;
pub mod topics;

pub mod unread;
pub mod upgraded;
pub mod websockets;

/// Serves in so many processes, at a port of the system's choice.
fn serve(server: &HTTPServer, processes: impl Into<StartOptions>) -> io::Result<()> {
    // These are stopped and hurried on purpose, on a machine that may be busy.
    let server = server.clone().slow_callback(None);
    server.bind("127.0.0.1:0")?;
    println!("port {}", server.local_addrs()[0].port());
    server.start(processes)?;
    match task_id() {
        Some(worker) => announce(worker),
        None => println!("this is the only process, {}", id()),
    }
    IOLoop::current().start()
}

/// The application of most of these servers.
fn application() -> Application {
    let gate = Gate::default();
    let (held, opened) = (gate.clone(), gate);
    let release = async move || {
        opened.open();
        who().await
    };
    Application::new([
        route("/", get(who)),
        route("/sleep/{milliseconds}", get(sleeper)),
        route("/spin/{milliseconds}", get(spinner)),
        route("/hold", get(async move || hold(&held).await)),
        route("/release", post(release)),
        route("/panic", get(panics)),
        route("/abort", get(aborts)),
    ])
}

async fn who() -> String {
    let worker = task_id().map_or_else(|| "none".to_owned(), |worker| worker.to_string());
    format!("{worker} {}", id())
}

async fn sleeper(_cx: &mut Context, milliseconds: u64) -> String {
    sleep(Duration::from_millis(milliseconds)).await;
    who().await
}

/// Blocks the loop, and with it all its other clients, for this long.
async fn spinner(_cx: &mut Context, milliseconds: u64) -> String {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    while Instant::now() < end {
        hint::spin_loop();
    }
    who().await
}

/// Answers once the gate is open.
async fn hold(gate: &Gate) -> String {
    println!("held");
    gate.passed().await;
    who().await
}

async fn panics() {
    panic!("as it was asked to");
}

async fn aborts() {
    abort();
}

/// Holds requests until another one lets them go.
#[derive(Clone, Default)]
struct Gate {
    is_open: Rc<Cell<bool>>,
    held: Rc<RefCell<Vec<Waker>>>,
}

impl Gate {
    fn open(&self) {
        self.is_open.set(true);
        self.held.take().into_iter().for_each(Waker::wake);
    }

    fn passed(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            if self.is_open.get() {
                return Poll::Ready(());
            }
            self.held.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// The number and the process id of the worker that sent this.
#[track_caller]
fn sender(response: &Response) -> (Option<usize>, Pid) {
    assert_eq!(response.status(), 200, "{response:?}");
    let text = response.text();
    let (worker, pid) = text.split_once(' ').unwrap();
    (worker.parse().ok(), Pid::from_raw(pid.parse().unwrap()))
}

/// A connection to a certain worker, which one finds by trying. It may still be about to listen, or
/// to be given back what another has listened to in its place.
#[track_caller]
fn connection_to(port: u16, worker: Pid) -> Connection {
    let start = Instant::now();
    loop {
        let mut connection = Connection::open(port).unwrap();
        if sender(&connection.get("/").unwrap()).1 == worker {
            return connection;
        }
        assert!(start.elapsed() < SOON, "no connection reaches the worker {worker}");
    }
}
