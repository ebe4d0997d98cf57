//! The graceful end of the servers of this process.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use squall_runtime::process::{begin_drain, decline_reloads, is_ignored, is_stopping, task_id};
use squall_runtime::signal::{SIGINT, SIGTERM, Signals};
use squall_runtime::{IOLoop, Listener, log, sleep, timeout};

use crate::connection::draining::DrainReason;
use crate::connection::worker::Worker;
use crate::server::{Accepting, HTTPServer, Service, accept, background};

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
#[track_caller]
pub(super) fn watch_signals() -> io::Result<()> {
    if WATCHING.get() {
        return Ok(());
    }
    // A worker is told by its supervisor. Ctrl-C reaches both, and is the supervisor's.
    let signals = match task_id() {
        Some(_) => Signals::new([SIGTERM])?,
        None => {
            decline_reloads()?;
            // As under a supervisor: a ^C is not meant for the background jobs of a script, nor
            // for what they start.
            let interrupt = (!is_ignored(SIGINT)).then_some(SIGINT);
            if interrupt.is_none() {
                let text = "SIGINT was ignored when the program began (it is a background job): ^C does \
                            not stop this server, SIGTERM does";
                log::warn(log::GENERAL, format_args!("{text}"));
            }
            Signals::new([SIGTERM].into_iter().chain(interrupt))?
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
    let servers = SERVERS.with_borrow(Clone::clone);
    let drain = IOLoop::current().spawn(end_all(servers, is_last, ordered));
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

/// Ends `servers`, and waits for background tasks, as was ordered at that time.
async fn end_all(servers: Vec<(HTTPServer, Rc<Worker>)>, is_last: bool, ordered: Instant) {
    let limit = |(_, worker): &(HTTPServer, Rc<Worker>)| match is_last {
        true => worker.settings.end_limit(),
        false => worker.settings.shutdown_timeout,
    };
    let limit = servers.iter().map(limit).max();
    let end = |server| IOLoop::current().spawn(end(server, is_last));
    for end in servers.into_iter().map(end).collect::<Vec<_>>() {
        drop(end.await);
    }
    let left = limit.unwrap_or_default().saturating_sub(ordered.elapsed());
    if timeout(left, background::finished()).await.is_err() {
        background::name_unfinished();
    }
}

/// Ends one server, as SIGTERM ends all of a process. For tests, whose loop goes on.
pub(crate) async fn end_gracefully(handle: HTTPServer, worker: Rc<Worker>) {
    end_all(vec![(handle, worker)], true, Instant::now()).await;
}

async fn end((handle, worker): (HTTPServer, Rc<Worker>), is_last: bool) {
    let delay = worker.settings.drain_delay;
    if is_last && !delay.is_zero() {
        sleep(delay).await;
    }
    let reason = if is_last { DrainReason::Shutdown } else { DrainReason::Restart };
    let ordered = Instant::now();
    let limit = worker.settings.shutdown_timeout;
    worker.begin_drain(reason);
    handle.call_drain_hooks(reason);
    if !is_last {
        handle.leave_to_others();
    }
    // The limit is one for connections. So that whoever has none does not reach it, this takes a
    // part of it at most, and is done in any case.
    handle.close_last(limit / 4).await;
    let left = limit.saturating_sub(ordered.elapsed());
    let is_drained = timeout(left, handle.serve_last(&worker, limit / 4)).await.is_ok();
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
                self.close_last(limit).await;
            } else {
                // It was given before this worker began to end, and is another's by now.
                self.leave_to_others();
            }
        }
    }

    /// Lets nobody begin to connect any more where this process listens now, accepts those who have,
    /// and closes it, each in no more than `limit`.
    async fn close_last(&self, limit: Duration) {
        // A Unix socket that is shut down is ready all the time: it is not kept until the others
        // have shaken hands.
        for is_unix in [true, false] {
            if self.hold_off(is_unix) {
                sleep(limit.min(accept::LAST_HANDSHAKES)).await;
            }
            let is_asked = |accepting: &mut Accepting| accepting.is_held_off.is_some();
            let ended: Vec<_> =
                self.shared.accepting.borrow_mut().extract_if(.., is_asked).collect();
            let service = self.shared.service.get().cloned();
            if let Some(service) = service {
                accept_last(&service, ended, limit).await;
            }
        }
    }

    /// Returns whether there may be some who have begun.
    fn hold_off(&self, unix: bool) -> bool {
        let mut any = false;
        for accepting in self.shared.accepting.borrow_mut().iter_mut() {
            let is_unix = matches!(*accepting.listener, Listener::Unix(_));
            if is_unix == unix {
                let begin = accepting.listener.hold_off();
                any |= begin;
                accepting.is_held_off = Some(begin || accepting.listener.refuse_newcomers());
            }
        }
        any
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

/// Accepts who waits, where more may come in no more than `limit`, and closes what they wait at.
pub(super) async fn accept_last(service: &Rc<Service>, ended: Vec<Accepting>, limit: Duration) {
    let end = Instant::now() + limit.min(accept::LAST_ACCEPTS);
    for Accepting { listener, task, is_held_off, .. } in ended {
        drop(task);
        // Where others come meanwhile, there may be no end to them.
        let end = (!is_held_off.unwrap_or_default()).then_some(end);
        accept::accept_last(service, &listener, end).await;
    }
}
