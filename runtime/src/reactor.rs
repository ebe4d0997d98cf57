//! Tells tasks that their descriptors are ready.
//!
//! A descriptor is believed to be ready until an operation on it would block. That is known to its
//! owner. Only then is it registered, and its task waits; an event is noted here until the owner
//! takes it, and tries again. Two [systems](System) produce events: `linux` is the fast one,
//! `portable` works wherever `polling` does, and the tests run on both.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::Waker;
use std::time::Duration;

use crate::executor::Waiter;
use crate::slab::Slab;
use source::{Interest, Source};

pub(crate) use source::{Direction, Ready, Trigger};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod source;

#[cfg(target_os = "linux")]
use linux::open;
#[cfg(not(target_os = "linux"))]
use portable::open;

/// What the operating system is asked, and what it answers.
trait System {
    /// Begins to watch `fd`, and tells at once if it is ready.
    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()>;

    /// Makes an edge-triggered descriptor also tell when it can be written to.
    fn add_write(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()>;

    /// Changes what a level-triggered descriptor tells. One that is asked for nothing must tell
    /// nothing, not even of an error: nobody would clear it.
    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()>;

    /// Ends what `add` began. If `closing`, the descriptor will be closed right after this.
    fn remove(&self, fd: BorrowedFd<'_>, source: Removed, closing: bool);

    /// Sleeps until something happens or `timeout` is over, and tells what has happened: nothing,
    /// if a signal ended it early. Who is told may use the system, except for another wait.
    /// Returns how often it told.
    fn wait(&self, timeout: Option<Duration>, tell: &mut dyn FnMut(Event)) -> io::Result<usize>;

    /// Whether it knows edges, and with them tells of a peer that has finished.
    fn has_edges(&self) -> bool;
}

/// A source that is not in the reactor any more.
#[derive(Clone, Copy, Debug)]
struct Removed {
    key: Key,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "all are level-triggered elsewhere")
    )]
    trigger: Trigger,
    watched: Interest,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    key: Key,
    ready: Ready,
}

/// Names a source: its generation and its index. Never one of the two values at the end, which
/// stand for the bell and for `polling`'s own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(usize);

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

impl Key {
    /// No source.
    pub(crate) const NONE: Self = Self(0);
    /// What other threads write to when the loop sleeps.
    const BELL: Self = Self(usize::MAX - 1);

    fn new(generation: NonZeroU32, index: u32) -> Self {
        Self((generation.get() as usize) << INDEX_BITS | index as usize)
    }

    fn index(self) -> u32 {
        (self.0 & INDEX_MASK) as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> INDEX_BITS) as u32
    }
}

/// The reactor of this thread.
struct Reactor {
    sources: RefCell<Slab<Source>>,
    /// The generation of the source added last.
    generation: Cell<u32>,
    system: OnceCell<Box<dyn System>>,
    /// The other end of the bell, until the loop asks for it.
    bell: Cell<Option<OwnedFd>>,
    open: Cell<Open>,
}

type Open = fn() -> io::Result<(Box<dyn System>, OwnedFd)>;

thread_local! {
    static REACTOR: Reactor = const {
        Reactor {
            sources: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            system: OnceCell::new(),
            bell: Cell::new(None),
            open: Cell::new(open),
        }
    };
}

/// Makes the reactor of this thread, if there is none; it opens no descriptor yet.
pub(crate) fn settle() {
    REACTOR.with(|_| ());
}

/// Opens the descriptors of the reactor, if it has none. The first time it is called it returns
/// what other threads have to write to, to end a [`wait`].
pub(crate) fn prepare() -> io::Result<Option<OwnedFd>> {
    REACTOR.with(|reactor| {
        reactor.system()?;
        Ok(reactor.bell.take())
    })
}

/// Makes this thread use the portable system; before anything else.
#[cfg(test)]
pub(crate) fn use_portable() {
    REACTOR.with(|reactor| {
        assert!(reactor.system.get().is_none(), "the reactor is in use already");
        reactor.open.set(portable::open);
    });
}

/// Whether this thread's reactor has descriptors.
#[cfg(test)]
pub(crate) fn is_open() -> bool {
    REACTOR.with(|reactor| reactor.system.get().is_some())
}

/// Sleeps until a descriptor is ready or `timeout` is over, and wakes those who waited. Returns
/// the number of events.
pub(crate) fn wait(timeout: Option<Duration>) -> io::Result<usize> {
    REACTOR.with(|reactor| reactor.system()?.wait(timeout, &mut |event| reactor.dispatch(event)))
}

/// Registers a descriptor.
pub(crate) fn register(fd: BorrowedFd<'_>, trigger: Trigger) -> io::Result<Key> {
    REACTOR.with(|reactor| reactor.register(fd, trigger))
}

/// Takes what events have told of a source since this was last done.
#[inline]
pub(crate) fn take_events(key: Key) -> Ready {
    REACTOR.with(|reactor| match reactor.sources.borrow_mut().at_mut(key.index()) {
        Some(source) => source.take_told(),
        None => Ready::NOTHING,
    })
}

/// Has the next event wake `waker`.
pub(crate) fn wait_for(
    fd: BorrowedFd<'_>,
    key: Key,
    direction: Direction,
    waker: &Waker,
) -> io::Result<()> {
    REACTOR.with(|reactor| {
        let watched = reactor.remember(key, direction, waker);
        if watched { Ok(()) } else { reactor.rearm(fd, key, direction) }
    })
}

/// Wakes `waker` at the next event that concerns reading, whatever events have told already.
pub(crate) fn listen(key: Key, waker: &Waker) {
    REACTOR.with(|reactor| reactor.remember(key, Direction::Read, waker));
}

/// Keeps the system from telling, again and again, that a level-triggered source can be read. Whoever
/// waits to read it changes that; whoever waits now is still woken when the connection breaks.
pub(crate) fn ignore_unread(key: Key) {
    REACTOR.with(|reactor| {
        let (from, to) = {
            let mut sources = reactor.sources.borrow_mut();
            let Some(source) = sources.at_mut(key.index()) else { return };
            let from = source.watched;
            source.watched = from.without(Interest::READ).with(Interest::HANGUP);
            (from, source.watched)
        };
        reactor.disarm(key, from, to);
    });
}

/// Removes a source. If not `closing`, the descriptor may live on, and events of it must end.
pub(crate) fn remove(fd: BorrowedFd<'_>, key: Key, closing: bool) {
    if key != Key::NONE {
        // At the end of the thread the reactor may be gone first, and its registrations with it.
        let _gone = REACTOR.try_with(|reactor| reactor.remove(fd, key, closing));
    }
}

/// Whether the end of a stream is told by an event, even if there are bytes left to be read.
pub(crate) fn tells_finish() -> bool {
    REACTOR.with(|reactor| reactor.system.get().is_some_and(|system| system.has_edges()))
}

impl Reactor {
    #[inline]
    fn system(&self) -> io::Result<&dyn System> {
        match self.system.get() {
            Some(system) => Ok(&**system),
            None => self.open_system(),
        }
    }

    #[cold]
    fn open_system(&self) -> io::Result<&dyn System> {
        let (system, bell) = (self.open.get())()?;
        self.bell.set(Some(bell));
        Ok(&**self.system.get_or_init(|| system))
    }

    fn register(&self, fd: BorrowedFd<'_>, trigger: Trigger) -> io::Result<Key> {
        let system = self.system()?;
        let trigger = if system.has_edges() { trigger } else { Trigger::Level };
        let watched = Interest::READ;
        let generation = self.next_generation();
        let source = Source {
            generation,
            told: Ready::NOTHING,
            trigger,
            watched,
            reader: None,
            writer: None,
        };
        let index = self.sources.borrow_mut().insert(source);
        let key = Key::new(generation, index);
        if let Err(error) = system.add(fd, key, trigger, watched) {
            self.sources.borrow_mut().remove(index);
            return Err(error);
        }
        Ok(key)
    }

    /// Counts on, but skips zero and the last value, which the special keys have.
    fn next_generation(&self) -> NonZeroU32 {
        let next = self.generation.get().wrapping_add(1) & INDEX_MASK as u32;
        let next = if next == INDEX_MASK as u32 { 1 } else { next };
        let generation = NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN);
        self.generation.set(generation.get());
        generation
    }

    /// Has the system tell when a descriptor is ready.
    #[cold]
    fn rearm(&self, fd: BorrowedFd<'_>, key: Key, direction: Direction) -> io::Result<()> {
        let (trigger, from, to) = {
            let mut sources = self.sources.borrow_mut();
            let Some(source) = sources.at_mut(key.index()) else { return Ok(()) };
            let from = source.watched;
            source.watched = from.with(direction.interest());
            (source.trigger, from, source.watched)
        };
        let system = self.system()?;
        match trigger {
            Trigger::Edge => system.add_write(fd, key),
            Trigger::Level => system.watch(key, from, to),
        }
    }

    /// Makes `waker` the one that is woken, and says whether the system tells of what it waits for.
    fn remember(&self, key: Key, direction: Direction, waker: &Waker) -> bool {
        // Waiters are made, dropped and woken while nothing is borrowed: all of that may run
        // anybody's code.
        let waiter = Waiter::new(waker);
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.at_mut(key.index()) else { return true };
        let old = source.waiting(direction).replace(waiter);
        let watched = source.watched.contains(direction.interest());
        drop(sources);
        drop(old);
        watched
    }

    fn remove(&self, fd: BorrowedFd<'_>, key: Key, closing: bool) {
        let source = self.sources.borrow_mut().remove(key.index());
        if let (Some(source), Some(system)) = (source, self.system.get()) {
            let removed = Removed { key, trigger: source.trigger, watched: source.watched };
            system.remove(fd, removed, closing);
        }
    }

    fn dispatch(&self, event: Event) {
        let (reader, writer) = {
            let mut sources = self.sources.borrow_mut();
            let Some(source) = sources.at_mut(event.key.index()) else { return };
            if source.generation.get() != event.key.generation() {
                // The source that this event is for was removed earlier in this turn.
                return;
            }
            source.told |= event.ready;
            let reads = event.ready.contains(Ready::READ);
            let writes = event.ready.contains(Ready::WRITE);
            let reader = if reads { source.reader.take() } else { None };
            let writer = if writes { source.writer.take() } else { None };
            if source.trigger == Trigger::Level {
                // What nobody waited for, and what is told only once.
                let mut keep = source.watched;
                if reads && reader.is_none() {
                    keep = keep.without(Interest::READ);
                }
                if writes && writer.is_none() {
                    keep = keep.without(Interest::WRITE);
                }
                if event.ready.contains(Ready::FINISHED) || event.ready.contains(Ready::FAILED) {
                    keep = keep.without(Interest::HANGUP);
                }
                let from = std::mem::replace(&mut source.watched, keep);
                drop(sources);
                self.disarm(event.key, from, keep);
            }
            (reader, writer)
        };
        reader.into_iter().for_each(Waiter::wake);
        writer.into_iter().for_each(Waiter::wake);
    }

    /// Stops a level-triggered descriptor from telling again and again what nobody waits for.
    fn disarm(&self, key: Key, from: Interest, to: Interest) {
        if from != to
            && let Some(system) = self.system.get()
        {
            // The only errors possible are that the descriptor is not registered: as wanted.
            drop(system.watch(key, from, to));
        }
    }
}

#[cfg(test)]
mod tests;
