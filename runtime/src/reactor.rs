//! Tells tasks that their descriptors are ready.
//!
//! A descriptor is believed to be ready until an operation on it would block. Only then is it
//! registered, and its task waits; an event is noted at its [source](Source), and the owner tries
//! again. Two [systems](System) produce events: `linux` is the fast one, `portable` works wherever
//! `polling` does, and the tests run on both.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use crate::executor::Waiter;
use source::{Interest, Noted, SLOT_BITS};

pub(crate) use source::{Chunk, Direction, Ready, Source, Trigger};

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
    /// Room for the events of a turn.
    type Room: Default;

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

    /// Sleeps until something happens or `timeout` is over, which is at most a day, and tells what
    /// has happened: nothing, if a signal ended it early. Who is told may use the system, except for
    /// another wait. Returns how often it told.
    fn wait(
        &self,
        room: &mut Self::Room,
        timeout: Duration,
        hears: impl Hears,
    ) -> io::Result<usize>;

    /// Whether it knows edges, and with them tells of a peer that has finished.
    fn has_edges(&self) -> bool;
}

/// Who is told of events. Not a closure, which cannot ask to be inlined.
trait Hears {
    fn hear(&self, event: Event);

    /// The same if something can be read, and there is no more to tell: so it is nearly always.
    fn hear_read(&self, key: Key);
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

/// Names a source: its generation, its index, and whether it is level-triggered. Never one of the two
/// values at the end, which stand for the bell and for `polling`'s own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(usize);

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
/// The bit of the index that is set if the source is level-triggered. So who takes the key for that
/// of another one finds no source, and needs not ask.
const LEVEL: u32 = 1 << (INDEX_BITS - 1);

impl Key {
    /// What other threads write to when the loop sleeps. No source has it.
    const BELL: Self = Self(usize::MAX - 1);

    fn new(generation: u32, index: u32) -> Self {
        Self((generation as usize) << INDEX_BITS | index as usize)
    }

    fn index(self) -> u32 {
        (self.0 & INDEX_MASK) as u32
    }

    fn is_level(self) -> bool {
        self.index() & LEVEL != 0
    }

    /// The same as if it were edge-triggered.
    fn as_edge(self) -> Self {
        Self(self.0 & !(LEVEL as usize))
    }

    /// In which chunk an edge-triggered source is, and in which place of it.
    #[inline]
    fn place(self) -> (usize, u8) {
        let index = self.index();
        ((index >> SLOT_BITS) as usize, index as u8 & ((1 << SLOT_BITS) - 1))
    }

    fn generation(self) -> u32 {
        (self.0 >> INDEX_BITS) as u32
    }
}

/// The reactor of this thread: the sources of its descriptors.
struct Reactor {
    chunks: RefCell<Vec<Rc<Chunk>>>,
    /// The indexes of places that were used before.
    vacant: RefCell<Vec<u32>>,
    /// How many places have ever been used.
    used: Cell<u32>,
    /// The generation of the source made last.
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
            chunks: RefCell::new(Vec::new()),
            vacant: RefCell::new(Vec::new()),
            used: Cell::new(0),
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

/// Forgets all sources, as the thread ends. Owners that are left find theirs vacant.
pub(crate) fn shut_down() {
    REACTOR.with(|reactor| {
        drop(reactor.vacant.take());
        reactor.used.set(0);
        let chunks = reactor.chunks.take();
        let sources = || chunks.iter().flat_map(|chunk| chunk.sources());
        sources().for_each(|source| source.generation.set(0));
        // Which may run anybody's code: whoever then gives a source back finds it vacant.
        sources().for_each(|source| drop(source.forget()));
    });
}

/// Opens the descriptors of the reactor, if it has none. The first time it is called it returns
/// what other threads have to write to, to end a [`wait`](Asked::wait).
pub(crate) fn prepare() -> io::Result<(Asked, Option<OwnedFd>)> {
    OPENED.with(|opened| {
        let asked = Asked::new(Rc::clone(opened.system()?));
        Ok((asked, opened.bell.take()))
    })
}

/// What a loop asks for events while it runs, without looking for it each time.
pub(crate) struct Asked {
    system: Rc<Chosen>,
    room: <Chosen as System>::Room,
}

impl Asked {
    fn new(system: Rc<Chosen>) -> Self {
        Self { system, room: Default::default() }
    }

    /// Sleeps until a descriptor is ready or `timeout` is over, and wakes those who waited. Returns
    /// the number of events.
    #[inline(always)]
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        self.system.wait(&mut self.room, timeout, Dispatch(&self.system))
    }

    /// The same, where it need not be inlined.
    #[inline(never)]
    pub(crate) fn wait_by_call(&mut self, timeout: Duration) -> io::Result<usize> {
        self.wait(timeout)
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

/// Makes a source for a descriptor: its place is to be given [back](release).
pub(crate) fn reserve() -> (Rc<Chunk>, u8) {
    REACTOR.with(|reactor| reactor.reserve())
}

/// Has the system tell when a descriptor is ready in this direction.
#[cold]
pub(crate) fn arm(
    fd: BorrowedFd<'_>,
    chunk: &Chunk,
    slot: u8,
    trigger: Trigger,
    direction: Direction,
) -> io::Result<()> {
    register(fd, chunk, slot, trigger)?;
    let (source, key) = (chunk.source(slot), chunk.key(slot));
    let from = source.watched.get();
    if from.contains(direction.interest()) {
        return Ok(());
    }
    let to = from.with(direction.interest());
    OPENED.with(|opened| {
        let system = opened.system()?;
        match source.trigger.get() {
            Some(Trigger::Level) => system.watch(key, from, to),
            Some(Trigger::Edge) | None => system.add_write(fd, key),
        }
    })?;
    source.watched.set(to);
    Ok(())
}

/// Registers a descriptor, unless it is registered already: the system tells of what there is to
/// read.
#[cold]
pub(crate) fn register(
    fd: BorrowedFd<'_>,
    chunk: &Chunk,
    slot: u8,
    trigger: Trigger,
) -> io::Result<()> {
    let source = chunk.source(slot);
    if source.trigger.get().is_some() {
        return Ok(());
    }
    OPENED.with(|opened| {
        let system = opened.system()?;
        let trigger = if system.has_edges() { trigger } else { Trigger::Level };
        source.trigger.set(Some(trigger));
        source.watched.set(Interest::READ);
        system.add(fd, chunk.key(slot), trigger, Interest::READ).inspect_err(|_| {
            source.trigger.set(None);
            source.watched.set(Interest::NONE);
        })
    })
}

/// Keeps the system from telling, again and again, that a level-triggered source can be read. Whoever
/// waits to read it changes that; whoever waits now is still woken when the connection breaks.
pub(crate) fn ignore_unread(chunk: &Chunk, slot: u8) {
    let source = chunk.source(slot);
    let from = source.watched.get();
    let to = from.without(Interest::READ).with(Interest::HANGUP);
    source.watched.set(to);
    OPENED.with(|opened| {
        let system = opened.system.get();
        system.into_iter().for_each(|system| disarm(system, chunk.key(slot), from, to));
    });
}

/// Gives the place of a source back. If not `closing`, the descriptor may live on, and events of it
/// must end.
pub(crate) fn release(fd: BorrowedFd<'_>, chunk: &Chunk, slot: u8, closing: bool) {
    let (source, key) = (chunk.source(slot), chunk.key(slot));
    // At the end of the thread the reactor has forgotten it.
    if source.generation.replace(0) == 0 {
        return;
    }
    let waiters = source.forget();
    let watched = source.watched.replace(Interest::NONE);
    if let Some(trigger) = source.trigger.take() {
        let removed = Removed { key, trigger, watched };
        // The system may be gone before, and its registrations with it.
        let _gone = OPENED.try_with(|opened| {
            let system = opened.system.get();
            system.into_iter().for_each(|system| system.remove(fd, removed, closing));
        });
    }
    REACTOR.with(|reactor| reactor.vacant.borrow_mut().push(key.as_edge().index()));
    drop(waiters);
}

/// Says whether a task waits for any descriptor.
pub(crate) fn is_awaited() -> bool {
    REACTOR.with(|reactor| {
        let chunks = reactor.chunks.borrow();
        chunks.iter().flat_map(|chunk| chunk.sources()).any(Source::is_awaited)
    })
}

/// Whether the end of a stream is told by an event, even if there are bytes left to be read.
pub(crate) fn tells_finish() -> bool {
    OPENED.with(|opened| opened.system.get().is_some_and(|system| system.has_edges()))
}

impl Reactor {
    fn reserve(&self) -> (Rc<Chunk>, u8) {
        let vacant = self.vacant.borrow_mut().pop();
        let index = vacant.unwrap_or_else(|| self.used.replace(self.used.get() + 1));
        let generation = self.next_generation();
        let (chunk, slot) = Key::new(generation.get(), index).place();
        let mut chunks = self.chunks.borrow_mut();
        if chunk == chunks.len() {
            chunks.push(Rc::new(Chunk::new(index)));
        }
        let chunk = Rc::clone(&chunks[chunk]);
        chunk.source(slot).begin(generation);
        (chunk, slot)
    }

    /// Counts on, but skips zero and the last value, which the special keys have.
    fn next_generation(&self) -> NonZeroU32 {
        let next = self.generation.get().wrapping_add(1) & INDEX_MASK as u32;
        let next = if next == INDEX_MASK as u32 { 1 } else { next };
        let generation = NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN);
        self.generation.set(generation.get());
        generation
    }

    /// Calls `f` with the source of an event, unless that was removed earlier in this turn: then its
    /// place is vacant, or has another generation.
    #[inline(always)]
    fn with_source<R>(&self, key: Key, f: impl FnOnce(&Source) -> Option<R>) -> Option<R> {
        // To borrow it alone takes fewer instructions.
        let chunks = self.chunks.borrow_mut();
        let (chunk, slot) = key.place();
        let source = chunks.get(chunk)?.source(slot);
        if source.generation.get() == key.generation() { f(source) } else { None }
    }
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
    #[cold]
    fn hear(&self, event: Event) {
        let note = |source: &Source| Some(source.note(event.ready));
        let key = event.key.as_edge();
        let noted = REACTOR.with(|reactor| reactor.with_source(key, note));
        let Some(Noted { reader, writer, change }) = noted else { return };
        if let Some((from, to)) = change {
            disarm(self.0, event.key, from, to);
        }
        reader.into_iter().for_each(Waiter::wake);
        writer.into_iter().for_each(Waiter::wake);
    }

    #[inline(always)]
    fn hear_read(&self, key: Key) {
        match REACTOR.with(|reactor| reactor.with_source(key, |source| Some(source.note_read()))) {
            Some(None) => (),
            Some(Some(reader)) => reader.wake(),
            None => self.hear_rare_read(key),
        }
    }
}

impl Dispatch<'_> {
    /// It is level-triggered, or removed.
    #[cold]
    fn hear_rare_read(&self, key: Key) {
        if key.is_level() {
            self.hear(Event { key, ready: Ready::READ });
        }
    }
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
