//! The graceful shutdown of the servers of this process, and the functions that run when it begins.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use squall_runtime::process::{
    announce_drain, decline_reloads, is_ignored, is_stopping, task_id, warn_if_interrupt_is_ignored,
};
use squall_runtime::signal::{SIGINT, SIGTERM, Signals};
use squall_runtime::{IOLoop, Listener, log, sleep, timeout};

use crate::application::StopHook;
use crate::connection::draining::DrainReason;
use crate::connection::server_state::ServerState;
use crate::server::accept::{self, Accepting, Newcomers};
use crate::server::{HTTPServer, background};
use crate::types::local_future::LocalBoxFuture;

/// Signals that arrive this close to each other count as one: `timeout`, for one, signals a process
/// and then its whole process group.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// How long handlers that are cut may take to end.
const LAST_TURNS: Duration = Duration::from_secs(1);

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// The servers that a signal ends. All of them end before the loop stops.
    static SERVERS: RefCell<Vec<(HTTPServer, Rc<ServerState>)>> = const { RefCell::new(Vec::new()) };
}

/// Makes SIGTERM and SIGINT end the servers of this process. A second signal ends them at once.
#[track_caller]
pub(super) fn watch_signals() -> io::Result<()> {
    if WATCHING.get() {
        return Ok(());
    }
    // The supervisor signals a worker. Ctrl-C reaches both; only the supervisor handles it.
    let signals = match task_id() {
        Some(_) => Signals::new([SIGTERM])?,
        None => {
            decline_reloads()?;
            // Like a supervisor: Ctrl-C is not meant for the background jobs of a script, nor for
            // the processes that they start.
            let interrupt = (!is_ignored(SIGINT)).then_some(SIGINT);
            warn_if_interrupt_is_ignored();
            Signals::new([SIGTERM].into_iter().chain(interrupt))?
        }
    };
    WATCHING.set(true);
    IOLoop::current().spawn_callback(watch(signals));
    Ok(())
}

/// Adds a server to those that a signal ends.
pub(super) fn add(handle: HTTPServer, server: Rc<ServerState>) {
    SERVERS.with_borrow_mut(|servers| servers.push((handle, server)));
}

async fn watch(mut signals: Signals) {
    if signals.next().await.is_none() {
        return;
    }
    let ordered = Instant::now();
    // If it is not the last, other workers take over its listeners.
    let is_last = announce_drain();
    let servers = SERVERS.with_borrow(Clone::clone);
    let drain = IOLoop::current().spawn(drain_servers(servers, is_last, ordered));
    let at_once = async {
        // A supervisor that is signalled twice kills its workers. A worker that receives two
        // signals got one of them with its whole process group.
        while signals.next().await.is_some()
            && (task_id().is_some() || ordered.elapsed() < ONE_SIGNAL)
        {}
        log::warn(
            log::GENERAL,
            format_args!("second signal received: aborting the requests in progress"),
        );
    };
    futures_lite::future::or(async { drop(drain.await) }, at_once).await;
    IOLoop::current().stop();
}

/// Drains `servers` and waits for background tasks. The limit counts from `ordered`.
async fn drain_servers(
    servers: Vec<(HTTPServer, Rc<ServerState>)>,
    is_last: bool,
    ordered: Instant,
) {
    let limit = |(_, server): &(HTTPServer, Rc<ServerState>)| match is_last {
        true => server.settings.end_limit(),
        false => server.settings.shutdown_timeout,
    };
    let limit = servers.iter().map(limit).max();
    let handles: Vec<_> = servers.iter().map(|(handle, _)| handle.clone()).collect();
    let drain = |server| IOLoop::current().spawn(drain_server(server, is_last));
    for task in servers.into_iter().map(drain).collect::<Vec<_>>() {
        drop(task.await);
    }
    let left = limit.unwrap_or_default().saturating_sub(ordered.elapsed());
    if timeout(left, background::finished()).await.is_err() {
        background::name_unfinished();
    }
    let left = limit.unwrap_or_default().saturating_sub(ordered.elapsed()).max(LAST_TURNS);
    let stop_all = async {
        for handle in handles {
            handle.stop_application().await;
        }
    };
    if timeout(left, stop_all).await.is_err() {
        log::warn(log::GENERAL, format_args!("shutdown_timeout reached: `on_stop` did not finish"));
    }
}

/// Ends one server as SIGTERM does. For tests, whose loop goes on.
pub(crate) async fn end_gracefully(handle: HTTPServer, server: Rc<ServerState>) {
    drain_servers(vec![(handle, server)], true, Instant::now()).await;
}

async fn drain_server((handle, server): (HTTPServer, Rc<ServerState>), is_last: bool) {
    let delay = server.settings.drain_delay;
    if is_last && !delay.is_zero() {
        sleep(delay).await;
    }
    let reason = if is_last { DrainReason::Shutdown } else { DrainReason::Restart };
    let ordered = Instant::now();
    let limit = server.settings.shutdown_timeout;
    server.start_draining(reason);
    handle.call_drain_hooks(reason);
    if !is_last {
        handle.leave_to_others();
    }
    // The limit is meant for connections. Closing the listeners takes at most a quarter of it, so a
    // server without connections does not reach it.
    handle.close_last(limit / 4).await;
    let left = limit.saturating_sub(ordered.elapsed());
    let is_drained = timeout(left, handle.serve_last(&server, limit / 4)).await.is_ok();
    handle.stop_accepting(false, Duration::ZERO).await;
    if !is_drained {
        warn_of_abort(server.connection_count());
        server.abort();
        // Handlers are woken, and log what they were doing.
        let _ = timeout(LAST_TURNS, server.drained()).await;
    }
}

fn warn_of_abort(connections: usize) {
    let text = match connections {
        0 => return,
        1 => "1 connection".to_owned(),
        _ => format!("{connections} connections"),
    };
    log::warn(log::GENERAL, format_args!("shutdown_timeout reached: aborting {text}"));
}

impl HTTPServer {
    /// Runs the functions of `Application::on_stop`, one after the other.
    async fn stop_application(&self) {
        let Some(service) = self.shared.service.get() else { return };
        for StopHook { location, begin } in service.application.take_stop_hooks() {
            // A task of its own, whose panic is logged and does not keep the next one from running.
            drop(IOLoop::current().spawn_from(location, async { begin().await }).await);
        }
    }

    /// Serves the remaining connections, and the clients that are queued at a worker that died
    /// while it was draining.
    async fn serve_last(&self, server: &ServerState, limit: Duration) {
        loop {
            let drained = async {
                server.drained().await;
                false
            };
            if !futures_lite::future::or(self.adopted(), drained).await {
                return;
            }
            if is_stopping() {
                self.close_last(limit).await;
            } else {
                // This worker adopted the listener before it began to drain. Another serves it now.
                self.leave_to_others();
            }
        }
    }

    /// Keeps new clients away from the listeners of this process, accepts those who are connecting,
    /// and closes the listeners, each within `limit`.
    async fn close_last(&self, limit: Duration) {
        // A Unix socket that is shut down is always ready, so it is not kept open while TCP clients
        // complete their handshakes.
        for is_unix in [true, false] {
            if self.hold_off(is_unix) {
                sleep(limit.min(accept::LAST_HANDSHAKES)).await;
            }
            let is_ending = |accepting: &mut Accepting| accepting.newcomers != Newcomers::Welcome;
            let ending: Vec<_> =
                self.shared.accepting.borrow_mut().extract_if(.., is_ending).collect();
            let service = self.shared.service.get().cloned();
            if let Some(service) = service {
                accept::drain_accept_queues(&service, ending, limit).await;
            }
        }
    }

    /// Makes the kernel keep new clients away. Returns whether handshakes may be in progress.
    fn hold_off(&self, unix: bool) -> bool {
        let mut any = false;
        for accepting in self.shared.accepting.borrow_mut().iter_mut() {
            let is_unix = matches!(*accepting.listener, Listener::Unix(_));
            if is_unix == unix {
                let is_ignoring = accepting.listener.hold_off();
                any |= is_ignoring;
                accepting.newcomers = match is_ignoring || accepting.listener.refuse_newcomers() {
                    true => Newcomers::HeldOff,
                    false => Newcomers::Unstoppable,
                };
            }
        }
        any
    }

    /// Waits until there is a listener to accept from. Returns `true`.
    fn adopted(&self) -> impl Future<Output = bool> {
        poll_fn(|task| {
            if !self.shared.accepting.borrow().is_empty() {
                return Poll::Ready(true);
            }
            self.shared.awaits_adoption.set(Some(task.waker().clone()));
            Poll::Pending
        })
    }

    /// Leaves the listeners to other workers.
    fn leave_to_others(&self) {
        drop(self.shared.accepting.take());
    }
}

/// A function of the user, and the line that added it.
pub(super) struct Hook {
    call: Box<dyn FnOnce(DrainReason) -> LocalBoxFuture<'static, ()>>,
    place: &'static Location<'static>,
}

impl HTTPServer {
    /// Calls `hook` when the graceful shutdown of the server begins, in each process that serves.
    ///
    /// The hook receives the [reason](DrainReason). Use it for work that belongs to no single
    /// request: tell the subscribers of a room to reconnect later, or give up a lease. A handler or
    /// an upgraded connection awaits [`Context::draining`](crate::Context::draining) or
    /// [`Upgraded::draining`](crate::Upgraded::draining) instead.
    ///
    /// The hook is called after the [`drain_delay`](Self::drain_delay), and runs while the last
    /// requests are finished. The shutdown waits for it. At the
    /// [`shutdown_timeout`](Self::shutdown_timeout) it is cancelled, and the log names the line
    /// that called `on_drain`. Several hooks run at the same time. A hook that is added in a
    /// worker, after [`start`](Self::start), runs only in that worker. During a shutdown it runs at
    /// once.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// use squall::{Application, HTTPServer, IOLoop};
    ///
    /// /// The messages for the subscribers.
    /// type Room = Rc<RefCell<Vec<String>>>;
    ///
    /// fn main() -> std::io::Result<()> {
    ///     let room = Room::default();
    ///     let server = HTTPServer::new(Application::new([])); // Its handlers share the room.
    ///     server.on_drain(async move |reason| {
    ///         room.borrow_mut().push(format!("come back later: {reason:?}"));
    ///     });
    ///     server.bind(8000)?.start(0)?;
    ///     IOLoop::current().start()
    /// }
    /// ```
    #[track_caller]
    pub fn on_drain(&self, hook: impl AsyncFnOnce(DrainReason) + 'static) -> &Self {
        let call = |reason| -> LocalBoxFuture<'static, ()> { Box::pin(hook_call(hook, reason)) };
        let hook = Hook { call: Box::new(call), place: Location::caller() };
        match self.shared.service.get().and_then(|service| service.server.drain_reason()) {
            Some(reason) => hook.call(reason),
            None => self.shared.on_drain.borrow_mut().push(hook),
        }
        self
    }

    pub(super) fn call_drain_hooks(&self, reason: DrainReason) {
        let hooks = self.shared.on_drain.take();
        hooks.into_iter().for_each(|hook| hook.call(reason));
    }
}

/// Owns the hook while it runs. The future of an async closure may borrow from the closure.
async fn hook_call(hook: impl AsyncFnOnce(DrainReason) + 'static, reason: DrainReason) {
    hook(reason).await;
}

impl Hook {
    /// Runs the hook in a task of its own, which may panic.
    fn call(self, reason: DrainReason) {
        background::spawn_from(self.place, async move { (self.call)(reason).await });
    }
}
