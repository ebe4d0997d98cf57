use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use squall_runtime::process::{is_crowded, task_id};
use squall_runtime::{Listener, log, sleep, yield_now};

use crate::connection::stream::Stream;
use crate::server::{HTTPServer, Service};

/// How long to wait when the process has run out of descriptors or memory: trying again at
/// once would only spin.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// How long a worker with too many connections leaves one that waits to the others, time after
/// time. Who is let go by all is then taken.
const COURTESIES: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
];

/// How long who has begun to connect may take: a round trip to most places.
pub(super) const LAST_HANDSHAKES: Duration = Duration::from_millis(200);

/// For how long those who have connected are accepted at the end, where others come meanwhile:
/// clients that come back as fast as they are let go would keep the queue from ever being empty.
pub(super) const LAST_ACCEPTS: Duration = Duration::from_millis(500);

/// How many connections are accepted at the end before those that are open have a turn, where others
/// come meanwhile.
const AT_ONCE: usize = 64;

/// Accepts connections until the server is stopped; each is served by a task of its own.
///
/// It holds a handle of the server, so that one whose handles are all dropped goes on.
pub(super) async fn accept(_handle: HTTPServer, service: Rc<Service>, listener: Rc<Listener>) {
    let is_shared = listener.is_shared() && task_id().is_some();
    loop {
        if is_shared {
            leave_to_others(&listener).await;
        }
        let next = std::future::poll_fn(|task| {
            ready!(service.worker.poll_room(task));
            match poll_next(&listener, task) {
                // Another worker was quicker: whether the next one is ours has to be asked anew.
                Poll::Pending if is_shared => Poll::Ready(None),
                next => next.map(Some),
            }
        });
        let Some(next) = next.await else { continue };
        match next {
            Ok(stream) => service.open(stream),
            // Another worker has shut it down: all are ending.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                log::error(log::GENERAL, format_args!("cannot accept a connection: {error}"));
                sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until a connection is there, and if this worker has more than its share of them, leaves
/// it to the others for a moment: one that waits takes it at once.
async fn leave_to_others(listener: &Listener) {
    // What is wrong with the listener is told by who accepts.
    let _ = listener.readable().await;
    for courtesy in COURTESIES {
        if !is_crowded() {
            return;
        }
        sleep(courtesy).await;
    }
}

/// Stops listening: whoever has connected by now is served, whoever comes later is refused.
/// Where others may come meanwhile there is an `end`, until which it goes on at most.
///
/// Where nobody was [held off](Listener::hold_off), the system has no way to say both at once, and
/// a client in between is reset.
pub(super) async fn accept_last(service: &Rc<Service>, listener: &Listener, end: Option<Instant>) {
    // Nobody comes any more, and what waits is no more than the backlog; or else, those that are
    // open have their turn in between.
    let at_once = end.map_or(usize::MAX, |_| AT_ONCE);
    while accept_waiting(service, listener, at_once) && end.is_some_and(|end| Instant::now() < end)
    {
        yield_now().await;
    }
    listener.stop_listening();
}

/// Accepts so many at most. Returns whether there may be more.
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
