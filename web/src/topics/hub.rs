//! Who subscribes to what, on this thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use squall_runtime::log;

use super::counts;
use super::delivery::{Delivery, Gap};
use super::name::Pattern;
use crate::error::Result;
use crate::types::text::Text;
use host::Host;
use transport::{Alone, Inbox, Transport};

mod host;
pub(super) mod transport;

thread_local! {
    static HUB: Rc<Hub> = Rc::new(Hub::default());
}

/// A subscription, as the hub sees it.
pub(super) trait Subscriber {
    /// Waits until a message of `bytes` may be delivered. Only asked if the subscriber
    /// [`may_wait`](Self::may_wait).
    fn poll_room(&self, task: &TaskContext<'_>, bytes: usize) -> Poll<()>;

    fn may_wait(&self) -> bool;

    /// Takes a message.
    fn deliver(&self, delivery: &Rc<Delivery>);

    /// Takes note of lost messages.
    fn gap(&self, gap: Gap);
}

/// The subscriptions of this thread, and the way to others.
#[derive(Default)]
pub(super) struct Hub {
    table: RefCell<Table>,
    transport: OnceCell<Rc<dyn Transport>>,
    next_id: Cell<u64>,
}

#[derive(Default)]
struct Table {
    exact: HashMap<Text, Group>,
    prefixes: HashMap<Text, Group>,
    /// How many different prefixes there are of each length.
    lengths: BTreeMap<usize, usize>,
    subscriptions: usize,
}

/// The subscribers of one pattern. Shared, so that it can change while a message is delivered.
type Group = Rc<Subscribers>;

#[derive(Clone)]
struct Subscribers {
    pattern: Pattern,
    by_id: BTreeMap<u64, Rc<dyn Subscriber>>,
    /// How many of them may make a publisher wait.
    waiting: usize,
}

/// A subscription in the hub. It ends when this is dropped.
pub(super) struct Registration {
    hub: Rc<Hub>,
    pattern: Pattern,
    id: u64,
}

impl Hub {
    /// The hub of this thread.
    pub(super) fn current() -> Rc<Self> {
        HUB.with(Rc::clone)
    }

    /// Uses `transport`, unless there is one already.
    pub(super) fn set_transport(self: &Rc<Self>, transport: impl Transport + 'static) -> bool {
        let transport = Rc::new(transport);
        let is_first = self.transport.set(Rc::clone(&transport) as _).is_ok();
        if is_first {
            transport.attach(Inbox::new(self));
        }
        is_first
    }

    fn transport(self: &Rc<Self>) -> &Rc<dyn Transport> {
        if self.transport.get().is_none() {
            match Host::join() {
                Ok(Some(host)) => self.set_transport(host),
                Ok(None) => self.set_transport(Alone),
                Err(error) => {
                    let text = "topics do not reach the other workers";
                    log::error(log::GENERAL, format_args!("{text}: {error}"));
                    self.set_transport(Alone)
                }
            };
        }
        self.transport.get().unwrap_or_else(|| unreachable!("it was set just now"))
    }

    pub(super) fn subscribe(
        self: &Rc<Self>,
        pattern: Pattern,
        subscriber: Rc<dyn Subscriber>,
    ) -> Registration {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let is_first = self.table.borrow_mut().add(&pattern, id, subscriber);
        self.table.borrow().count();
        if is_first {
            self.transport().subscribe(&pattern);
        }
        Registration { hub: Rc::clone(self), pattern, id }
    }

    /// Publishes to the subscribers of this thread and to the transport, or to none of them.
    pub(super) fn poll_publish(
        self: &Rc<Self>,
        task: &mut TaskContext<'_>,
        delivery: &Rc<Delivery>,
    ) -> Poll<Result> {
        let groups = self.table.borrow().matching(delivery.topic());
        ready!(poll_room(&groups, task, delivery));
        ready!(self.transport().poll_publish(task, delivery.topic(), delivery.message()))?;
        counts::published();
        deliver(&groups, delivery);
        Poll::Ready(Ok(()))
    }

    /// Delivers a message from elsewhere.
    pub(super) fn poll_deliver(&self, task: &TaskContext<'_>, delivery: &Rc<Delivery>) -> Poll<()> {
        let groups = self.table.borrow().matching(delivery.topic());
        ready!(poll_room(&groups, task, delivery));
        deliver(&groups, delivery);
        Poll::Ready(())
    }

    /// Notes that messages to `topic` from elsewhere are lost.
    pub(super) fn lost(&self, topic: &str, gap: Gap) {
        let groups = self.table.borrow().matching(topic);
        subscribers(&groups).for_each(|subscriber| subscriber.gap(gap));
    }

    /// Notes that messages from elsewhere are lost, to any topic.
    pub(super) fn lost_any(&self, gap: Gap) {
        let groups: Vec<_> = self.table.borrow().groups().cloned().collect();
        subscribers(&groups).for_each(|subscriber| subscriber.gap(gap));
    }

    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        !self.table.borrow().matching(topic).is_empty()
    }

    /// All patterns with subscribers.
    pub(super) fn patterns(&self) -> Vec<Pattern> {
        self.table.borrow().groups().map(|group| group.pattern.clone()).collect()
    }
}

fn subscribers(groups: &[Group]) -> impl Iterator<Item = &Rc<dyn Subscriber>> {
    groups.iter().flat_map(|group| group.by_id.values())
}

fn deliver(groups: &[Group], delivery: &Rc<Delivery>) {
    counts::delivered(groups.iter().map(|group| group.by_id.len()).sum());
    subscribers(groups).for_each(|subscriber| subscriber.deliver(delivery));
}

/// Waits until every subscriber that may wait has room.
fn poll_room(groups: &[Group], task: &TaskContext<'_>, delivery: &Delivery) -> Poll<()> {
    let bytes = delivery.message().len();
    for subscribers in groups.iter().filter(|group| group.waiting > 0) {
        for subscriber in subscribers.by_id.values().filter(|one| one.may_wait()) {
            ready!(subscriber.poll_room(task, bytes));
        }
    }
    Poll::Ready(())
}

impl Table {
    /// Returns whether this is the first subscriber of its pattern.
    fn add(&mut self, pattern: &Pattern, id: u64, subscriber: Rc<dyn Subscriber>) -> bool {
        let (map, key) = match pattern.prefix() {
            Some(prefix) => (&mut self.prefixes, Text::copied(prefix)),
            None => (&mut self.exact, pattern.text().clone()),
        };
        let group = map.entry(key).or_insert_with(|| {
            let pattern = pattern.clone();
            Rc::new(Subscribers { pattern, by_id: BTreeMap::new(), waiting: 0 })
        });
        let group = Rc::make_mut(group);
        let is_first = group.by_id.is_empty();
        group.waiting += usize::from(subscriber.may_wait());
        group.by_id.insert(id, subscriber);
        self.subscriptions += 1;
        if is_first && let Some(prefix) = pattern.prefix() {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        is_first
    }

    /// Returns what was removed, and whether it was the last subscriber of its pattern.
    fn remove(&mut self, pattern: &Pattern, id: u64) -> (Option<Rc<dyn Subscriber>>, bool) {
        let (map, key) = match pattern.prefix() {
            Some(prefix) => (&mut self.prefixes, prefix),
            None => (&mut self.exact, pattern.as_str()),
        };
        let Some(group) = map.get_mut(key) else { return (None, false) };
        let group = Rc::make_mut(group);
        let removed = group.by_id.remove(&id);
        self.subscriptions -= usize::from(removed.is_some());
        group.waiting -= removed.iter().filter(|one| one.may_wait()).count();
        let is_last = group.by_id.is_empty();
        if is_last {
            map.remove(key);
            if let Some(prefix) = pattern.prefix()
                && let Some(count) = self.lengths.get_mut(&prefix.len())
            {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
        (removed, is_last)
    }

    /// The subscribers of `topic`: those of its name, and those of its prefixes.
    fn matching(&self, topic: &str) -> Vec<Group> {
        let prefixes = self.lengths.keys().filter_map(|&length| {
            let prefix = topic.get(..length)?;
            self.prefixes.get(prefix)
        });
        self.exact.get(topic).into_iter().chain(prefixes).cloned().collect()
    }

    /// Tells the metrics.
    fn count(&self) {
        counts::subscriptions(self.exact.len() + self.prefixes.len(), self.subscriptions);
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.exact.values().chain(self.prefixes.values())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let (removed, is_last) = self.hub.table.borrow_mut().remove(&self.pattern, self.id);
        self.hub.table.borrow().count();
        // It may own values of the user.
        drop(removed);
        if is_last && let Some(transport) = self.hub.transport.get() {
            transport.unsubscribe(&self.pattern);
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Registration {
    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}
