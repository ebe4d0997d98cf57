//! What the connections of one server share in the process that serves them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use squall_runtime::process::{Scoreboard, want_replacement};
use squall_runtime::{IOLoop, log};

use super::body::memory::BodyMemory;
use super::draining::{Drain, DrainReason, Draining};
use super::settings::Settings;
use super::stream::Relay;
use super::{Buffers, Connection, Flags};
use crate::http1::date::{DateCache, DateLine};
use crate::scoreboard::recorder::Recorder;
use crate::types::pool::Pool;
use crate::types::state_map::StateMap;

/// The state that all connections of one server share in this process.
pub(crate) struct ServerState {
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    /// The state of the application.
    pub(crate) state: Rc<StateMap>,
    io_loop: IOLoop,
    pub(super) buffers: Pool<Buffers>,
    pub(super) body_memory: BodyMemory,
    date: Date,
    connections: RefCell<Connections>,
    drain: Rc<Drain>,
    /// How many more requests this process serves before it asks for a replacement. It keeps
    /// counting after that.
    requests_left: Cell<u64>,
    /// The remaining connections have been cut.
    aborting: Cell<bool>,
}

impl ServerState {
    pub(crate) fn new(settings: Settings, recorder: Recorder, state: Rc<StateMap>) -> Self {
        let requests_left = Cell::new(share_of(settings.max_requests_per_worker));
        Self {
            settings,
            requests_left,
            recorder,
            state,
            io_loop: IOLoop::current(),
            buffers: Pool::new(),
            body_memory: BodyMemory::default(),
            date: Date { cache: DateCache::new(), stale_from: Cell::new(0) },
            connections: RefCell::default(),
            drain: Rc::default(),
            aborting: Cell::new(false),
        }
    }

    /// Adds a connection to the list, and returns its index.
    pub(super) fn add(&self, connection: &Rc<Connection>) -> u32 {
        self.recorder.accepted();
        self.connections.borrow_mut().insert(Rc::downgrade(connection))
    }

    /// Removes the connection with this index, if there is one.
    pub(super) fn remove(&self, connection: u32) {
        let Some(waiting) = self.connections.borrow_mut().remove(connection) else { return };
        self.recorder.closed();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Keeps what a PROXY protocol header says, for as long as the connection lasts.
    pub(super) fn keep_relay(&self, connection: u32, relay: Relay) {
        self.connections.borrow_mut().relays.insert(connection, relay);
    }

    pub(super) fn relay(&self, connection: u32) -> Option<Relay> {
        self.connections.borrow().relays.get(&connection).copied()
    }

    /// Counts a request that has ended.
    pub(crate) fn count_request(&self) {
        let left = self.requests_left.get().wrapping_sub(1);
        self.requests_left.set(left);
        if left == 0 {
            want_replacement();
        }
    }

    /// The time of the loop, which is the beginning of its current turn.
    pub(crate) fn now(&self) -> Instant {
        self.io_loop.time()
    }

    /// The line of the `Date` header.
    pub(crate) fn date_line(&self) -> &Cell<DateLine> {
        self.date.line()
    }

    /// Whether more connections hold buffers than the pool keeps.
    pub(crate) fn is_short_of_buffers(&self) -> bool {
        self.buffers.is_short()
    }
}

/// The most requests of this worker: up to an eighth fewer than `most`, so that not all workers are
/// replaced at the same time.
fn share_of(most: Option<u64>) -> u64 {
    let Some(most) = most else { return u64::MAX };
    let worker = Scoreboard::own_page().map_or(0, |page| page.generation() % 8);
    most.saturating_sub(most / 64 * worker).max(1)
}

/// The limit for connections.
impl ServerState {
    /// Waits until one more connection may be accepted.
    pub(crate) fn poll_room(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let count = self.connections.borrow().count;
        if self.settings.max_connections.is_none_or(|most| count < most) {
            return Poll::Ready(());
        }
        self.wait_for_fewer(task);
        Poll::Pending
    }

    /// Wakes the task when a connection ends. A task that is polled again before that is queued
    /// only once.
    fn wait_for_fewer(&self, task: &mut TaskContext<'_>) {
        let waiting = &mut self.connections.borrow_mut().waiting;
        if !waiting.iter().any(|waker| waker.will_wake(task.waker())) {
            waiting.push(task.waker().clone());
        }
    }
}

/// The graceful shutdown.
impl ServerState {
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.reason().is_some()
    }

    /// The reason for the graceful shutdown, if it has begun.
    pub(crate) fn drain_reason(&self) -> Option<DrainReason> {
        self.drain.reason()
    }

    /// Returns a future that waits until the graceful shutdown begins.
    pub(crate) fn draining(&self) -> Draining {
        self.drain.wait()
    }

    /// Makes each response the last of its connection, and closes idle connections soon.
    pub(crate) fn start_draining(&self, reason: DrainReason) {
        self.drain.begin(reason);
        self.each_connection(|connection| connection.hurry(self.settings.drain_idle));
    }

    /// Waits until no connection is left.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> {
        std::future::poll_fn(|task: &mut TaskContext<'_>| {
            if self.connection_count() == 0 {
                return Poll::Ready(());
            }
            self.wait_for_fewer(task);
            Poll::Pending
        })
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.borrow().count
    }

    /// Whether the remaining connections have been cut.
    pub(crate) fn is_aborting(&self) -> bool {
        self.aborting.get()
    }

    /// Cuts the remaining connections. A handler that waits is woken and ends its connection by
    /// itself, with a response if possible.
    pub(crate) fn abort(&self) {
        self.aborting.set(true);
        self.each_connection(|connection| {
            if connection.wake_waiting_handler() || connection.cut_wait_for_body() {
                return;
            }
            if connection.has(Flags::HANDED_OVER) {
                let client = connection.client().address();
                let text = format_args!("cutting the upgraded connection of {client:?}");
                log::warn(log::GENERAL, text);
            }
            connection.stream.reset();
        });
    }

    fn each_connection(&self, act: impl Fn(&Connection)) {
        let connections: Vec<_> =
            self.connections.borrow().list.iter().filter_map(Weak::upgrade).collect();
        connections.iter().for_each(|connection| act(connection));
    }
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The open connections. The index of each is its key.
#[derive(Default)]
struct Connections {
    list: Vec<Weak<Connection>>,
    free: Vec<u32>,
    count: usize,
    /// Beside the list, because most servers have none.
    relays: HashMap<u32, Relay>,
    /// The tasks that wait for a connection to end.
    waiting: Vec<Waker>,
}

impl Connections {
    fn insert(&mut self, connection: Weak<Connection>) -> u32 {
        self.count += 1;
        if let Some(key) = self.free.pop() {
            self.list[key as usize] = connection;
            return key;
        }
        self.list.push(connection);
        // A process has fewer than 2³² descriptors.
        (self.list.len() - 1) as u32
    }

    /// Removes a connection, and returns the tasks that waited for one to end. `None` if there is
    /// no such connection.
    fn remove(&mut self, key: u32) -> Option<Vec<Waker>> {
        let place = self.list.get_mut(key as usize)?;
        *place = Weak::new();
        self.relays.remove(&key);
        self.free.push(key);
        self.count -= 1;
        Some(std::mem::take(&mut self.waiting))
    }
}

/// The date as text, read from the system clock once a second.
struct Date {
    cache: DateCache,
    /// When the current second ends, in the loop's nanoseconds ([`IOLoop::nanos`]).
    stale_from: Cell<u64>,
}

impl Date {
    fn line(&self) -> &Cell<DateLine> {
        let now = IOLoop::nanos();
        if now >= self.stale_from.get() {
            self.refresh(now);
        }
        self.cache.line()
    }

    #[cold]
    fn refresh(&self, now: u64) {
        let date = SystemTime::now();
        self.cache.set(date);
        let part = date.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        self.stale_from.set(now + u64::from(1_000_000_000 - part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_waits_for_room_is_queued_once() {
        let settings = Settings { max_connections: Some(0), ..Settings::default() };
        let server = ServerState::new(settings, Recorder::new(0), Rc::default());
        let asking = std::future::poll_fn(|task| {
            for _ in 0..3 {
                assert!(server.poll_room(task).is_pending());
            }
            Poll::Ready(())
        });
        IOLoop::current().run_sync(asking).unwrap();
        assert_eq!(server.connections.borrow().waiting.len(), 1);
    }
}
