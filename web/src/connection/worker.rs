use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use squall_runtime::{IOLoop, Moment};

use crate::connection::Connection;
use crate::connection::buffers::Buffers;
use crate::connection::relay::Relay;
use crate::http1::date::{DateCache, DateLine};
use crate::pool::Pool;
use crate::settings::Settings;

/// What the connections of a server share in the process that serves them.
pub(crate) struct Worker {
    pub(crate) settings: Settings,
    io_loop: IOLoop,
    buffers: Pool<Buffers>,
    date: RefCell<Date>,
    connections: RefCell<Connections>,
    draining: Cell<bool>,
}

impl Worker {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            io_loop: IOLoop::current(),
            buffers: Pool::new(),
            date: RefCell::new(Date { cache: DateCache::new(), fresh_until: None }),
            connections: RefCell::default(),
            draining: Cell::new(false),
        }
    }

    /// Lists a connection, and returns its place in the list.
    pub(super) fn remember(&self, connection: &Rc<Connection>) -> usize {
        self.connections.borrow_mut().insert(Rc::downgrade(connection))
    }

    pub(super) fn forget(&self, connection: usize) {
        let waiting = self.connections.borrow_mut().remove(connection);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Keeps what a proxy has said about a connection, until it is forgotten.
    pub(super) fn keep_relay(&self, connection: usize, relay: Relay) {
        self.connections.borrow_mut().relays.insert(connection, relay);
    }

    pub(super) fn relay(&self, connection: usize) -> Option<Relay> {
        self.connections.borrow().relays.get(&connection).copied()
    }

    /// The time of the loop: that of the turn it is in.
    pub(crate) fn now(&self) -> Instant {
        self.io_loop.time()
    }

    /// The `Date` header.
    pub(crate) fn date_line(&self) -> DateLine {
        self.date.borrow_mut().at()
    }

    pub(crate) fn lease_buffers(&self) -> Box<Buffers> {
        self.buffers.take(Buffers::new)
    }

    pub(crate) fn release_buffers(&self, mut buffers: Box<Buffers>) {
        buffers.reset();
        self.buffers.give(buffers);
    }

    /// Whether more connections hold buffers than the pool keeps.
    pub(crate) fn is_short_of_buffers(&self) -> bool {
        self.buffers.is_short()
    }
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

    fn wait_for_fewer(&self, task: &mut TaskContext<'_>) {
        let waker = task.waker().clone();
        self.connections.borrow_mut().waiting.push(waker);
    }
}

/// The graceful end.
impl Worker {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Makes each response the last of its connection, and lets idle ones go soon.
    pub(crate) fn begin_drain(&self) {
        self.draining.set(true);
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

    /// Cuts the connections that are left.
    pub(crate) fn abort(&self) {
        self.each_connection(|connection| connection.stream.reset());
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
    free: Vec<usize>,
    count: usize,
    /// Beside the list, for most servers have none.
    relays: HashMap<usize, Relay>,
    /// Who waits for there to be fewer.
    waiting: Vec<Waker>,
}

impl Connections {
    fn insert(&mut self, connection: Weak<Connection>) -> usize {
        self.count += 1;
        if let Some(key) = self.free.pop() {
            self.list[key] = connection;
            return key;
        }
        self.list.push(connection);
        self.list.len() - 1
    }

    /// Removes one, and returns who waited for it.
    fn remove(&mut self, key: usize) -> Vec<Waker> {
        let Some(place) = self.list.get_mut(key) else { return Vec::new() };
        *place = Weak::new();
        self.relays.remove(&key);
        self.free.push(key);
        self.count -= 1;
        std::mem::take(&mut self.waiting)
    }
}

/// The date as text, asked of the system once a second.
struct Date {
    cache: DateCache,
    /// The time of the loop at which the second ends.
    fresh_until: Option<(DateLine, Moment)>,
}

impl Date {
    fn at(&mut self) -> DateLine {
        if let Some((text, until)) = self.fresh_until
            && !until.has_come()
        {
            return text;
        }
        self.refresh()
    }

    #[cold]
    fn refresh(&mut self) -> DateLine {
        let date = SystemTime::now();
        let text = *self.cache.at(date);
        let part = date.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let rest = Duration::from_secs(1) - Duration::from_nanos(part.into());
        self.fresh_until = Some((text, Moment::after(rest)));
        text
    }
}
