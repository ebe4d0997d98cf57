//! The graceful end of the servers of this process.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use squall_runtime::process::{begin_drain, decline_reloads, is_stopping, task_id};
use squall_runtime::signal::{SIGINT, SIGTERM, Signals};
use squall_runtime::{IOLoop, Listener, log, timeout};

use crate::connection::worker::Worker;
use crate::server::{Accepting, HTTPServer, accept, background};

/// Orders that come this close to each other are one: `timeout`, for one, signals a process and
/// then its whole group.
const ONE_ORDER: Duration = Duration::from_millis(100);

/// For how long those that are cut may take to be gone.
const LAST_TURNS: Duration = Duration::from_secs(1);

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// The servers that a signal ends; all of them, before the loop stops.
    static SERVERS: RefCell<Vec<(HTTPServer, Rc<Worker>)>> = const { RefCell::new(Vec::new()) };
}

/// Has SIGTERM and SIGINT end the servers of this process; the second of them at once.
pub(super) fn watch_signals() -> io::Result<()> {
    if WATCHING.get() {
        return Ok(());
    }
    // A worker is told by its supervisor. Ctrl-C reaches both, and is the supervisor's.
    let signals = match task_id() {
        Some(_) => Signals::new([SIGTERM])?,
        None => {
            decline_reloads()?;
            Signals::new([SIGTERM, SIGINT])?
        }
    };
    WATCHING.set(true);
    IOLoop::current().spawn_callback(watch(signals));
    Ok(())
}

/// Adds a server to those that a signal ends.
pub(super) fn add(handle: HTTPServer, worker: Rc<Worker>) {
    SERVERS.with_borrow_mut(|servers| servers.push((handle, worker)));
}

async fn watch(mut signals: Signals) {
    if signals.next().await.is_none() {
        return;
    }
    let ordered = Instant::now();
    // Elsewhere others go on to serve what this process has served.
    let is_last = begin_drain();
    let drain = IOLoop::current().spawn(async move {
        let servers = SERVERS.with_borrow(Clone::clone);
        let limit = servers.iter().map(|server| server.1.settings.shutdown_timeout).max();
        let end = |server| IOLoop::current().spawn(end(server, is_last));
        for end in servers.into_iter().map(end).collect::<Vec<_>>() {
            drop(end.await);
        }
        let left = limit.unwrap_or_default().saturating_sub(ordered.elapsed());
        if timeout(left, background::finished()).await.is_err() {
            background::name_unfinished();
        }
    });
    let at_once = async {
        // A supervisor that is told twice kills its workers. What comes twice to a worker went to
        // the whole group as well.
        while signals.next().await.is_some()
            && (task_id().is_some() || ordered.elapsed() < ONE_ORDER)
        {}
        log::warn(log::GENERAL, format_args!("a second signal: the requests in flight are cut"));
    };
    futures_lite::future::or(async { drop(drain.await) }, at_once).await;
    IOLoop::current().stop();
}

async fn end((handle, worker): (HTTPServer, Rc<Worker>), is_last: bool) {
    let ordered = Instant::now();
    let limit = worker.settings.shutdown_timeout;
    worker.begin_drain();
    if !is_last {
        handle.leave_to_others();
    }
    // The limit is one for connections. Whoever has none does not reach it.
    handle.accept_last(limit).await;
    let left = limit.saturating_sub(ordered.elapsed());
    let is_drained = timeout(left, handle.serve_last(&worker, limit)).await.is_ok();
    handle.stop_accepting(false, Duration::ZERO).await;
    if !is_drained {
        warn_of_cut(worker.connection_count());
        worker.abort();
        // They are told, and tell what they were.
        let _ = timeout(LAST_TURNS, worker.drained()).await;
    }
}

fn warn_of_cut(connections: usize) {
    match connections {
        0 => {}
        1 => log::warn(log::GENERAL, format_args!("1 connection is cut: it took too long")),
        _ => {
            let text = format_args!("{connections} connections are cut: they took too long");
            log::warn(log::GENERAL, text);
        }
    }
}

impl HTTPServer {
    /// Serves what there is to the end, and who waits for another worker that has died over the same.
    async fn serve_last(&self, worker: &Worker, limit: Duration) {
        loop {
            let drained = async {
                worker.drained().await;
                false
            };
            if !futures_lite::future::or(self.adopted(), drained).await {
                return;
            }
            if is_stopping() {
                self.accept_last(limit).await;
            } else {
                // It was given before this worker began to end, and is another's by now.
                self.leave_to_others();
            }
        }
    }

    /// Lets nobody begin to connect any more where this process listens now, accepts those who have,
    /// and closes it. Where others may come meanwhile, it takes a part of `limit` at most.
    async fn accept_last(&self, limit: Duration) {
        let begun = Instant::now();
        let listeners = |accepting: &Vec<Accepting>| {
            accepting.iter().map(|accepting| Rc::clone(&accepting.listener)).collect::<Vec<_>>()
        };
        let listeners = listeners(&self.shared.accepting.borrow());
        // A Unix socket that is shut down is ready all the time: it is not kept for long.
        let (unix, tcp): (Vec<_>, Vec<_>) =
            listeners.into_iter().partition(|listener| matches!(**listener, Listener::Unix(_)));
        for listeners in [unix, tcp] {
            let held_off = listeners.iter().map(|listener| &**listener);
            let held_off = accept::hold_off(held_off, limit / 4).await;
            let is_one = |accepting: &mut Accepting| {
                listeners.iter().any(|listener| Rc::ptr_eq(listener, &accepting.listener))
            };
            let ended: Vec<_> = self.shared.accepting.borrow_mut().extract_if(.., is_one).collect();
            drop(ended);
            let Some(service) = self.shared.service.get() else { return };
            let end = Instant::now() + accept::LAST_ACCEPTS.min(limit / 4);
            for (listener, is_held_off) in listeners.into_iter().zip(held_off) {
                let end = if is_held_off { begun.checked_add(limit) } else { Some(end) };
                accept::accept_last(service, &listener, end).await;
            }
        }
    }

    /// Waits until there is something to accept from. It is always true.
    fn adopted(&self) -> impl Future<Output = bool> {
        poll_fn(|task| {
            if !self.shared.accepting.borrow().is_empty() {
                return Poll::Ready(true);
            }
            self.shared.awaits_adoption.set(Some(task.waker().clone()));
            Poll::Pending
        })
    }

    /// Accepts no more here: others do, or will.
    fn leave_to_others(&self) {
        drop(self.shared.accepting.take());
    }
}
