//! Clients that never stop, and what they see.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::http::Connection;

/// How many keep their connection for as long as the server does.
const KEPT: usize = 12;

/// How many open one for each request.
const ANEW: usize = 4;

/// Sends requests until it is ended.
pub(crate) struct Clients {
    threads: Vec<JoinHandle<()>>,
    seen: Arc<Seen>,
}

/// The results of all clients together.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answered: AtomicUsize,
    /// A connection that was kept had ended before a byte of the response came: the server has
    /// closed it while the request was on its way, which is not lost but sent again.
    pub(crate) retried: AtomicUsize,
    /// A request that was sent on a new connection, or was being answered, was cut off. These are
    /// sent again as well.
    pub(crate) cut: AtomicUsize,
    /// Nobody listened.
    pub(crate) refused: AtomicUsize,
    pub(crate) others: AtomicUsize,
    is_over: AtomicBool,
    /// A refused client has seen the end.
    is_ending: AtomicBool,
}

impl Clients {
    pub(crate) fn start(port: u16) -> Self {
        let seen = Arc::new(Seen::default());
        let client = |number| {
            let seen = Arc::clone(&seen);
            thread::spawn(move || seen.ask(port, number < KEPT))
        };
        Self { threads: (0..KEPT + ANEW).map(client).collect(), seen }
    }

    /// Waits for so many more answers.
    pub(crate) fn await_answers(&self, count: usize) {
        let until = self.seen.answered.load(Ordering::Relaxed) + count;
        while self.seen.answered.load(Ordering::Relaxed) < until {
            thread::yield_now();
        }
    }

    pub(crate) fn end(self) -> Arc<Seen> {
        self.seen.is_over.store(true, Ordering::Relaxed);
        self.join()
    }

    /// From now on the server may be gone, which ends the clients.
    pub(crate) fn expect_end(&self) {
        self.seen.is_ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn join(self) -> Arc<Seen> {
        self.threads.into_iter().for_each(|thread| thread.join().expect("a client goes on"));
        self.seen
    }
}

impl Seen {
    pub(crate) fn print(&self) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!(
            "  {} requests answered, {} sent again on a kept connection that had been closed, \
             {} cut off in flight, {} connections refused, {} other errors",
            count(&self.answered),
            count(&self.retried),
            count(&self.cut),
            count(&self.refused),
            count(&self.others),
        );
    }

    /// How many requests have failed, other than because their worker was killed.
    pub(crate) fn failed(&self) -> usize {
        self.refused.load(Ordering::Relaxed) + self.others.load(Ordering::Relaxed)
    }

    pub(crate) fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    fn ask(&self, port: u16, keeps: bool) {
        let mut kept: Option<Connection> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            let is_reused = kept.is_some();
            let connection = kept.take().map_or_else(|| Connection::open(port), Ok);
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(error) => {
                    let is_refused = error.kind() == ErrorKind::ConnectionRefused;
                    if is_refused && self.is_ending.load(Ordering::Relaxed) {
                        return;
                    }
                    count_one(self.of_connect(&error));
                    continue;
                }
            };
            match connection.get("/") {
                Ok(response) if response.status() == 200 => {
                    count_one(&self.answered);
                    let is_last = response.header("Connection") == Some("close");
                    kept = (keeps && !is_last).then_some(connection);
                }
                Ok(response) => {
                    println!("  {response:?}");
                    count_one(&self.others);
                }
                Err(error) => count_one(self.of_request(&error, is_reused)),
            }
        }
    }

    fn of_connect(&self, error: &io::Error) -> &AtomicUsize {
        match error.kind() {
            ErrorKind::ConnectionRefused => &self.refused,
            // It was in a queue.
            ErrorKind::ConnectionReset => &self.cut,
            _ => self.other(error),
        }
    }

    fn of_request(&self, error: &io::Error, is_reused: bool) -> &AtomicUsize {
        let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        match (closed.contains(&error.kind()), is_reused) {
            (true, true) => &self.retried,
            (true, false) => &self.cut,
            (false, _) => self.other(error),
        }
    }

    fn other(&self, error: &io::Error) -> &AtomicUsize {
        println!("  a client: {error}");
        &self.others
    }
}

fn count_one(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}
