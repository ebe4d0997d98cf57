use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use squall_runtime::process::{Scoreboard, want_replacement};
use squall_runtime::{IOLoop, log};

use crate::connection::Connection;
use crate::connection::buffers::Buffers;
use crate::connection::collecting::SpareMemory;
use crate::connection::draining::{Drain, DrainReason};
use crate::connection::relay::Relay;
use crate::connection::settings::Settings;
use crate::http1::date::{DateCache, DateLine};
use crate::scoreboard::recorder::Recorder;
use crate::types::pool::Pool;

/// What the connections of a server share in the process that serves them.
pub(crate) struct Worker {
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    io_loop: IOLoop,
    buffers: Pool<Buffers>,
    pub(super) spare: SpareMemory,
    date: Date,
    connections: RefCell<Connections>,
    pub(super) drain: Drain,
    /// How many more requests there may be before the process is to be replaced. It goes on
    /// counting after that.
    requests_left: Cell<u64>,
    /// What is left is cut.
    aborting: Cell<bool>,
}

impl Worker {
    pub(crate) fn new(settings: Settings, recorder: Recorder) -> Self {
        let requests_left = Cell::new(share_of(settings.max_requests_per_worker));
        Self {
            settings,
            requests_left,
            recorder,
            io_loop: IOLoop::current(),
            buffers: Pool::new(),
            spare: SpareMemory::default(),
            date: Date { cache: DateCache::new(), stale_from: Cell::new(0) },
            connections: RefCell::default(),
            drain: Drain::default(),
            aborting: Cell::new(false),
        }
    }

    /// Lists a connection, and returns its place in the list.
    pub(super) fn remember(&self, connection: &Rc<Connection>) -> u32 {
        self.recorder.accepted();
        self.connections.borrow_mut().insert(Rc::downgrade(connection))
    }

    pub(super) fn forget(&self, connection: u32) {
        let Some(waiting) = self.connections.borrow_mut().remove(connection) else { return };
        self.recorder.closed();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Keeps what a proxy has said about a connection, until it is forgotten.
    pub(super) fn keep_relay(&self, connection: u32, relay: Relay) {
        self.connections.borrow_mut().relays.insert(connection, relay);
    }

    pub(super) fn relay(&self, connection: u32) -> Option<Relay> {
        self.connections.borrow().relays.get(&connection).copied()
    }

    /// A request is over.
    #[inline]
    pub(crate) fn count_request(&self) {
        let left = self.requests_left.get().wrapping_sub(1);
        self.requests_left.set(left);
        if left == 0 {
            want_replacement();
        }
    }

    /// The time of the loop: that of the turn it is in.
    pub(crate) fn now(&self) -> Instant {
        self.io_loop.time()
    }

    /// The `Date` header.
    #[inline]
    pub(crate) fn date_line(&self) -> &Cell<DateLine> {
        self.date.line()
    }

    pub(crate) fn lease_buffers(&self) -> Box<Buffers> {
        self.buffers.take(Buffers::new)
    }

    #[inline(always)]
    pub(crate) fn release_buffers(&self, mut buffers: Box<Buffers>) {
        buffers.reset();
        self.buffers.give(buffers);
    }

    /// Whether more connections hold buffers than the pool keeps.
    pub(crate) fn is_short_of_buffers(&self) -> bool {
        self.buffers.is_short()
    }
}

/// So many requests, or fewer by up to an eighth, so that not all workers are replaced at the same
/// time.
fn share_of(most: Option<u64>) -> u64 {
    let Some(most) = most else { return u64::MAX };
    let worker = Scoreboard::own_page().map_or(0, |page| page.generation() % 8);
    most.saturating_sub(most / 64 * worker).max(1)
}

/// How many connections there may be.
impl Worker {
    /// Waits until there may be one more.
    pub(crate) fn poll_room(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let count = self.connections.borrow().count;
        if self.settings.max_connections.is_none_or(|most| count < most) {
            return Poll::Ready(());
        }
        self.wait_for_fewer(task);
        Poll::Pending
    }

    /// Whoever is polled again meanwhile, by another event, waits once all the same.
    fn wait_for_fewer(&self, task: &mut TaskContext<'_>) {
        let waiting = &mut self.connections.borrow_mut().waiting;
        if !waiting.iter().any(|waker| waker.will_wake(task.waker())) {
            waiting.push(task.waker().clone());
        }
    }
}

/// The graceful end.
impl Worker {
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.begun().is_some()
    }

    /// Why the graceful end has begun, if it has.
    pub(crate) fn drains(&self) -> Option<DrainReason> {
        self.drain.begun()
    }

    /// Makes each response the last of its connection, and lets idle ones go soon.
    pub(crate) fn begin_drain(&self, reason: DrainReason) {
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

    /// Whether what was left has been cut.
    pub(crate) fn is_aborting(&self) -> bool {
        self.aborting.get()
    }

    /// Cuts the connections that are left; those whose handler waits see to that themselves, and say
    /// so if they can.
    pub(crate) fn abort(&self) {
        self.aborting.set(true);
        self.each_connection(|connection| {
            if connection.wake_waiting_handler() || connection.cut_wait_for_body() {
                return;
            }
            if connection.is_handed_over() {
                let client = connection.client().address();
                let text = format_args!("the upgraded connection of {client:?} is cut");
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

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The connections that are open, each at the place that is its key.
#[derive(Default)]
struct Connections {
    list: Vec<Weak<Connection>>,
    free: Vec<u32>,
    count: usize,
    /// Beside the list, for most servers have none.
    relays: HashMap<u32, Relay>,
    /// Who waits for there to be fewer.
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
        // A process has not so many descriptors.
        (self.list.len() - 1) as u32
    }

    /// Removes one, and returns who waited for it. `None`: there is none.
    fn remove(&mut self, key: u32) -> Option<Vec<Waker>> {
        let place = self.list.get_mut(key as usize)?;
        *place = Weak::new();
        self.relays.remove(&key);
        self.free.push(key);
        self.count -= 1;
        Some(std::mem::take(&mut self.waiting))
    }
}

/// The date as text, asked of the system once a second.
struct Date {
    cache: DateCache,
    /// The time of the loop at which the second ends, as [`IOLoop::nanos`] counts.
    stale_from: Cell<u64>,
}

impl Date {
    #[inline]
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
    fn who_asks_again_for_room_waits_once() {
        let settings = Settings { max_connections: Some(0), ..Settings::default() };
        let worker = Worker::new(settings, Recorder::new(0));
        let asking = std::future::poll_fn(|task| {
            for _ in 0..3 {
                assert!(worker.poll_room(task).is_pending());
            }
            Poll::Ready(())
        });
        IOLoop::current().run_sync(asking).unwrap();
        assert_eq!(worker.connections.borrow().waiting.len(), 1);
    }
}
