//! Accepting connections, and emptying the accept queue before a listener is closed.

use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use squall_runtime::process::{is_crowded, task_id};
use squall_runtime::{Listener, Task, log, sleep, yield_now};

use crate::connection::stream::Stream;
use crate::server::{HTTPServer, Service};

/// How long to wait when the process has run out of descriptors or memory. Trying again at once
/// would only spin.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// How long a worker with too many connections leaves a client to other workers, wait by wait. Then
/// it accepts the client itself.
const COURTESIES: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
];

/// How long a handshake in progress may take at shutdown: a round trip to most places.
pub(super) const LAST_HANDSHAKES: Duration = Duration::from_millis(200);

/// How long the accept queue is emptied at shutdown if new clients still arrive. Clients that
/// reconnect at once would otherwise keep the queue from ever being empty.
pub(super) const LAST_ACCEPTS: Duration = Duration::from_millis(500);

/// How many connections are accepted at shutdown before the open ones have a turn, if new clients
/// still arrive.
const AT_ONCE: usize = 64;

/// A listener, and the task that accepts its connections.
pub(super) struct Accepting {
    pub(super) listener: Rc<Listener>,
    pub(super) task: Task<()>,
    /// The slot of the worker that it was adopted from.
    pub(super) slot: Option<usize>,
    pub(super) newcomers: Newcomers,
}

/// Whether new clients can still connect to a listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Newcomers {
    /// The listener serves.
    Welcome,
    /// The kernel keeps new clients away. Its accept queue only gets shorter.
    HeldOff,
    /// The listener ends, but the kernel cannot keep new clients away.
    Unstoppable,
}

/// Accepts connections until the server is stopped. Serves each in a task of its own.
///
/// Holds a handle of the server, so a server whose handles are all dropped continues.
pub(super) async fn accept(_handle: HTTPServer, service: Rc<Service>, listener: Rc<Listener>) {
    let is_shared = listener.is_shared() && task_id().is_some();
    loop {
        if is_shared {
            leave_to_others(&listener).await;
        }
        let next = std::future::poll_fn(|task| {
            ready!(service.server.poll_room(task));
            match poll_next(&listener, task) {
                // Another worker was faster. Decide anew whether to leave the next client to
                // others.
                Poll::Pending if is_shared => Poll::Ready(None),
                next => next.map(Some),
            }
        });
        let Some(next) = next.await else { continue };
        match next {
            Ok(stream) => service.open(stream),
            // Another worker has shut the listener down. All workers end.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                log::error(log::GENERAL, format_args!("cannot accept a connection: {error}"));
                sleep(PAUSE).await;
            }
        }
    }
}

/// Waits for a connection. If this worker has more than its share, leaves it to the others for a
/// moment. An idle worker accepts it at once.
async fn leave_to_others(listener: &Listener) {
    // `accept` reports an error of the listener.
    let _ = listener.readable().await;
    for courtesy in COURTESIES {
        if !is_crowded() {
            return;
        }
        sleep(courtesy).await;
    }
}

/// Accepts the clients that have connected, within `limit`, and closes the listeners.
pub(super) async fn drain_accept_queues(
    service: &Rc<Service>,
    ending: Vec<Accepting>,
    limit: Duration,
) {
    let end = Instant::now() + limit.min(LAST_ACCEPTS);
    for Accepting { listener, task, newcomers, .. } in ending {
        drop(task);
        // While new clients arrive, the queue may never be empty.
        let end = (newcomers != Newcomers::HeldOff).then_some(end);
        drain_accept_queue(service, &listener, end).await;
    }
}

/// Accepts the clients that have connected, and closes the listener. Later clients are refused.
///
/// `end` is the latest time to accept, if new clients may still arrive. Unless they were
/// [held off](Listener::hold_off), a client that connects between the last accept and the close is
/// reset, because the kernel cannot do both at once.
async fn drain_accept_queue(service: &Rc<Service>, listener: &Listener, end: Option<Instant>) {
    // If no clients arrive, the queue is at most as long as the backlog. Otherwise, open
    // connections have their turn in between.
    let at_once = end.map_or(usize::MAX, |_| AT_ONCE);
    while accept_waiting(service, listener, at_once) && end.is_some_and(|end| Instant::now() < end)
    {
        yield_now().await;
    }
    listener.stop_listening();
}

/// Accepts at most `most` connections. Returns whether there may be more.
fn accept_waiting(service: &Rc<Service>, listener: &Listener, most: usize) -> bool {
    for _ in 0..most {
        match try_next(listener) {
            Ok(Some(stream)) => service.open(stream),
            Ok(None) | Err(_) => return false,
        }
    }
    true
}

fn try_next(listener: &Listener) -> io::Result<Option<Stream>> {
    match listener {
        Listener::Tcp(listener) => Ok(listener.try_accept()?.map(|new| Stream::Tcp(new.0))),
        Listener::Unix(listener) => Ok(listener.try_accept()?.map(|new| Stream::Unix(new.0))),
    }
}

fn poll_next(listener: &Listener, task: &mut TaskContext<'_>) -> Poll<io::Result<Stream>> {
    match listener {
        Listener::Tcp(listener) => listener.poll_accept(task).map_ok(|new| Stream::Tcp(new.0)),
        Listener::Unix(listener) => listener.poll_accept(task).map_ok(|new| Stream::Unix(new.0)),
    }
}
