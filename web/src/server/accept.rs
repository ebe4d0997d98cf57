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
const LAST_HANDSHAKES: Duration = Duration::from_millis(200);

/// For how long those who have connected are accepted at the end, where more may come: clients that
/// come back as fast as they are let go would keep the queue from ever being empty.
pub(super) const LAST_ACCEPTS: Duration = Duration::from_millis(500);

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

/// Lets nobody begin to connect any more, and gives those who have begun the time to be accepted,
/// by the tasks that do; but no more than `limit`. Returns of each listener whether nobody comes to it
/// any more.
pub(super) async fn hold_off(
    listeners: impl Iterator<Item = &Listener>,
    limit: Duration,
) -> Vec<bool> {
    let mut any_handshake = false;
    let hold_off = |listener: &Listener| {
        let is_held_off = listener.hold_off();
        any_handshake |= is_held_off;
        is_held_off || listener.refuse_newcomers()
    };
    let held_off = listeners.map(hold_off).collect();
    if any_handshake {
        sleep(LAST_HANDSHAKES.min(limit)).await;
    }
    held_off
}

/// Stops listening: whoever has connected by now is served, whoever comes later is refused.
/// Accepts until `end` at most, if there is one, and once if that has passed.
///
/// Where [`hold_off`] could do nothing, the system has no way to say both at once, and a client in
/// between is reset.
pub(super) async fn accept_last(service: &Rc<Service>, listener: &Listener, end: Option<Instant>) {
    loop {
        match try_next(listener) {
            Ok(Some(stream)) => service.open(stream),
            Ok(None) => break,
            // Another worker has shut it down.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => {
                log::error(log::GENERAL, format_args!("cannot accept a connection: {error}"));
                sleep(PAUSE).await;
            }
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        // Those that were accepted are to be served meanwhile.
        yield_now().await;
    }
    listener.stop_listening();
}

fn try_next(listener: &Listener) -> io::Result<Option<Stream>> {
    Ok(match listener {
        Listener::Tcp(listener) => listener.try_accept()?.map(|new| Stream::Tcp(new.0)),
        Listener::Unix(listener) => listener.try_accept()?.map(|new| Stream::Unix(new.0)),
    })
}

fn poll_next(listener: &Listener, task: &mut TaskContext<'_>) -> Poll<io::Result<Stream>> {
    match listener {
        Listener::Tcp(listener) => listener.poll_accept(task).map_ok(|new| Stream::Tcp(new.0)),
        Listener::Unix(listener) => listener.poll_accept(task).map_ok(|new| Stream::Unix(new.0)),
    }
}
