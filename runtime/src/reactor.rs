//! Tells tasks that their descriptors are ready.
//!
//! A descriptor is believed to be ready until an operation on it would block. That is known to its
//! owner. Only then is it registered, and its task waits; an event is noted here until the owner
//! takes it, and tries again. Two [systems](System) produce events: `linux` is the fast one,
//! `portable` works wherever `polling` does, and the tests run on both.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use crate::executor::Waiter;
use crate::slab::Slab;
use source::{Interest, Source};

pub(crate) use source::{Direction, Ready, Trigger};

#[cfg(test)]
mod either;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod source;

#[cfg(test)]
use either::{Either as Chosen, open};
#[cfg(target_os = "linux")]
use linux as native;
#[cfg(not(test))]
use native::{Native as Chosen, open};
#[cfg(not(target_os = "linux"))]
use portable as native;

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

    /// Sleeps until something happens or `timeout` is over, which is at most a day, and tells what has happened: nothing,
    /// if a signal ended it early. Who is told may use the system, except for another wait.
    /// Returns how often it told.
    fn wait(&self, timeout: Duration, hears: impl Hears) -> io::Result<usize>;

    /// Whether it knows edges, and with them tells of a peer that has finished.
    fn has_edges(&self) -> bool;
}

/// Who is told of events. Not a closure, which cannot ask to be inlined.
trait Hears {
    fn hear(&self, event: Event);
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

/// The reactor of this thread: the descriptors that are registered.
struct Reactor {
    sources: RefCell<Slab<Source>>,
    /// The generation of the source added last.
    generation: Cell<u32>,
}

/// What this thread asks for events.
struct Opened {
    system: OnceCell<Rc<Chosen>>,
    /// The other end of the bell, until the loop asks for it.
    bell: Cell<Option<OwnedFd>>,
    open: Cell<Open>,
}

type Open = fn() -> io::Result<(Chosen, OwnedFd)>;

thread_local! {
    // Never destroyed, which each access would have to ask for; `shut_down` empties it.
    static REACTOR: ManuallyDrop<Reactor> = const {
        ManuallyDrop::new(Reactor {
            sources: RefCell::new(Slab::new()),
            generation: Cell::new(0),
        })
    };
    static OPENED: Opened = const {
        Opened { system: OnceCell::new(), bell: Cell::new(None), open: Cell::new(open) }
    };
}

/// Makes the reactor of this thread, if there is none; it opens no descriptor yet.
pub(crate) fn settle() {
    OPENED.with(|_| ());
}

/// Forgets all sources, as the thread ends.
pub(crate) fn shut_down() {
    drop(REACTOR.with(|reactor| reactor.sources.replace(Slab::new())));
}

/// Opens the descriptors of the reactor, if it has none. The first time it is called it returns
/// what other threads have to write to, to end a [`wait`](Asked::wait).
pub(crate) fn prepare() -> io::Result<(Asked, Option<OwnedFd>)> {
    OPENED.with(|opened| {
        let asked = Asked(Rc::clone(opened.system()?));
        Ok((asked, opened.bell.take()))
    })
}

/// What a loop asks for events while it runs, without looking for it each time.
pub(crate) struct Asked(Rc<Chosen>);

impl Asked {
    /// Sleeps until a descriptor is ready or `timeout` is over, and wakes those who waited. Returns
    /// the number of events.
    #[inline(always)]
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<usize> {
        self.0.wait(timeout, Dispatch(&self.0))
    }
}

/// Makes this thread use the portable system; before anything else.
#[cfg(test)]
pub(crate) fn use_portable() {
    OPENED.with(|opened| {
        assert!(opened.system.get().is_none(), "the reactor is in use already");
        opened.open.set(|| portable::open().map(|(system, bell)| (Chosen::Portable(system), bell)));
    });
}

/// Whether this thread's reactor has descriptors.
#[cfg(test)]
pub(crate) fn is_open() -> bool {
    OPENED.with(|opened| opened.system.get().is_some())
}

/// Registers a descriptor.
pub(crate) fn register(fd: BorrowedFd<'_>, trigger: Trigger) -> io::Result<Key> {
    OPENED.with(|opened| REACTOR.with(|reactor| reactor.register(opened, fd, trigger)))
}

/// Takes what events have told of a source since this was last done.
#[inline(always)]
pub(crate) fn take_events(key: Key) -> Ready {
    REACTOR.with(|reactor| match reactor.sources.borrow_mut().at_mut(key.index()) {
        Some(source) => source.take_told(),
        None => Ready::NOTHING,
    })
}

/// As [`take_events`]; and if it is not what is asked for, the next event wakes `waker`. Then this
/// says as well whether the system tells of it: else that is to be [asked for](rearm).
#[inline(always)]
pub(crate) fn take_or_wait(key: Key, direction: Direction, waker: &Waker) -> (Ready, bool) {
    let told = take_events(key);
    if told.contains(direction.ready()) {
        return (told, true);
    }
    let is_watched = match direction {
        Direction::Read => wait_to_read(key, waker),
        Direction::Write => REACTOR.with(|reactor| reactor.remember(key, direction, waker)),
    };
    (told, is_watched)
}

/// What nearly every task does before it gives the loop back. The two steps of
/// [`remember`](Reactor::remember) are one if the waker is nobody's but ours.
#[inline(never)]
fn wait_to_read(key: Key, waker: &Waker) -> bool {
    REACTOR.with(|reactor| {
        let mut sources = reactor.sources.borrow_mut();
        if let Some(waiter) = Waiter::of_running(waker)
            && let Some(source) = sources.at_mut(key.index())
            && source.reader.is_none()
        {
            source.reader = Some(waiter);
            return source.watched.contains(Interest::READ);
        }
        drop(sources);
        reactor.remember(key, Direction::Read, waker)
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
        if watched { Ok(()) } else { rearm(fd, key, direction) }
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
        OPENED.with(|opened| {
            let system = opened.system.get();
            system.into_iter().for_each(|system| disarm(system, key, from, to));
        });
    });
}

/// Removes a source. If not `closing`, the descriptor may live on, and events of it must end.
pub(crate) fn remove(fd: BorrowedFd<'_>, key: Key, closing: bool) {
    if key != Key::NONE {
        // At the end of the thread the system may be gone first, and its registrations with it.
        let source = REACTOR.with(|reactor| reactor.sources.borrow_mut().remove(key.index()));
        let Some(source) = source else { return };
        let removed = Removed { key, trigger: source.trigger, watched: source.watched };
        let _gone = OPENED.try_with(|opened| {
            let system = opened.system.get();
            system.into_iter().for_each(|system| system.remove(fd, removed, closing));
        });
    }
}

/// Whether the end of a stream is told by an event, even if there are bytes left to be read.
pub(crate) fn tells_finish() -> bool {
    OPENED.with(|opened| opened.system.get().is_some_and(|system| system.has_edges()))
}

/// Has the system tell when a descriptor is ready.
#[cold]
pub(crate) fn rearm(fd: BorrowedFd<'_>, key: Key, direction: Direction) -> io::Result<()> {
    let before = REACTOR.with(|reactor| {
        let mut sources = reactor.sources.borrow_mut();
        let source = sources.at_mut(key.index())?;
        let from = source.watched;
        source.watched = from.with(direction.interest());
        Some((source.trigger, from, source.watched))
    });
    let Some((trigger, from, to)) = before else { return Ok(()) };
    OPENED.with(|opened| {
        let system = opened.system()?;
        match trigger {
            Trigger::Edge => system.add_write(fd, key),
            Trigger::Level => system.watch(key, from, to),
        }
    })
}

impl Reactor {
    fn register(&self, opened: &Opened, fd: BorrowedFd<'_>, trigger: Trigger) -> io::Result<Key> {
        let system = opened.system()?;
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

    /// Makes `waker` the one that is woken, and says whether the system tells of what it waits for.
    #[cold]
    #[inline(never)]
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

    /// Notes at an edge-triggered source that it can be read, and returns who waited for that.
    /// `None`: it is something else that has happened, or elsewhere.
    #[inline(always)]
    fn note_read(&self, event: Event) -> Option<Option<Waiter>> {
        let mut sources = self.sources.borrow_mut();
        let source = sources.at_mut(event.key.index())?;
        let is_meant = source.generation.get() == event.key.generation();
        if event.ready != Ready::READ || source.trigger != Trigger::Edge || !is_meant {
            return None;
        }
        source.told |= Ready::READ;
        Some(source.reader.take())
    }

    /// Notes an event at its source. Returns who waited to read and who to write; and, if the
    /// system would go on to tell of it, what it is asked for and what it is to be asked for.
    fn note(&self, event: Event) -> Option<Noted> {
        let mut sources = self.sources.borrow_mut();
        // With another generation, the source that this event is for was removed earlier in this
        // turn.
        let source = sources
            .at_mut(event.key.index())
            .filter(|source| source.generation.get() == event.key.generation())?;
        source.told |= event.ready;
        let reads = event.ready.contains(Ready::READ);
        let writes = event.ready.contains(Ready::WRITE);
        let reader = if reads { source.reader.take() } else { None };
        let writer = if writes { source.writer.take() } else { None };
        let change = match source.trigger {
            Trigger::Edge => None,
            Trigger::Level => Some(source.keep(event.ready, reader.is_some(), writer.is_some())),
        };
        Some(Noted { reader, writer, change })
    }
}

/// What an event has come upon.
struct Noted {
    reader: Option<Waiter>,
    writer: Option<Waiter>,
    change: Option<(Interest, Interest)>,
}

impl Opened {
    #[inline]
    fn system(&self) -> io::Result<&Rc<Chosen>> {
        match self.system.get() {
            Some(system) => Ok(system),
            None => self.open_system(),
        }
    }

    #[cold]
    fn open_system(&self) -> io::Result<&Rc<Chosen>> {
        let (system, bell) = (self.open.get())()?;
        self.bell.set(Some(bell));
        Ok(self.system.get_or_init(|| Rc::new(system)))
    }
}

/// Notes events, and wakes those who waited for them.
struct Dispatch<'a>(&'a Chosen);

impl Hears for Dispatch<'_> {
    #[inline(always)]
    fn hear(&self, event: Event) {
        // Nearly always: there is something to read on a connection.
        match REACTOR.with(|reactor| reactor.note_read(event)) {
            Some(None) => (),
            Some(Some(reader)) => reader.wake(),
            None => dispatch(self.0, event),
        }
    }
}

#[cold]
fn dispatch(system: &Chosen, event: Event) {
    let Some(noted) = REACTOR.with(|reactor| reactor.note(event)) else { return };
    if let Some((from, to)) = noted.change {
        disarm(system, event.key, from, to);
    }
    noted.reader.into_iter().for_each(Waiter::wake);
    noted.writer.into_iter().for_each(Waiter::wake);
}

/// Stops a level-triggered descriptor from telling again and again what nobody waits for.
#[cold]
fn disarm(system: &Chosen, key: Key, from: Interest, to: Interest) {
    if from != to {
        // The only errors possible are that the descriptor is not registered: as wanted.
        drop(system.watch(key, from, to));
    }
}

#[cfg(test)]
mod tests;
