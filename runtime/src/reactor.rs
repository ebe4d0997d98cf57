//! Wakes tasks when their descriptors are ready.
//!
//! A descriptor counts as ready until an operation on it would block. Only then is it registered,
//! and its task waits. An event is noted at its [source](Source), and the owner of the descriptor
//! tries again.
//!
//! # Layout
//!
//! - `source`: one descriptor: its readiness and its waiters
//! - `key`: the number of a source in the kernel's events
//! - `backend`: what the reactor needs from the kernel
//! - `linux`: the fast backend, epoll without a detour
//! - `portable`: the backend for every system that `polling` supports
//! - `either`: both of them, for tests

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use crate::executor::Waiter;
use backend::{Event, EventBackend, EventSink, RemovedSource};
use key::{INDEX_MASK, Key, Place};
use source::{Interest, InterestChange, NotedEvent};

pub(crate) use source::{Chunk, Direction, Ready, Source, Trigger};

mod backend;
mod key;
mod source;

// The backend: epoll on Linux and `polling` elsewhere. Tests can use both.
#[cfg(test)]
mod either;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
use either::{Either as Backend, open};
#[cfg(all(not(test), target_os = "linux"))]
use linux::{Epoll as Backend, open};
#[cfg(all(not(test), not(target_os = "linux")))]
use portable::{Portable as Backend, open};

/// The sources of this thread's descriptors.
struct SourceTable {
    chunks: RefCell<Vec<Rc<Chunk>>>,
    /// The indexes of places that were used before.
    vacant: RefCell<Vec<u32>>,
    /// The number of places that have ever been used.
    used: Cell<u32>,
    /// The generation of the newest source.
    generation: Cell<u32>,
}

/// The backend of this thread.
struct ThreadReactor {
    backend: OnceCell<Rc<Backend>>,
    /// The end of the bell for other threads, until the loop takes it.
    bell: Cell<Option<OwnedFd>>,
    open: Cell<Open>,
}

type Open = fn() -> io::Result<(Backend, OwnedFd)>;

thread_local! {
    // Without a destructor, whose state each access would have to check. `shut_down` empties it.
    static SOURCES: ManuallyDrop<SourceTable> = const {
        ManuallyDrop::new(SourceTable {
            chunks: RefCell::new(Vec::new()),
            vacant: RefCell::new(Vec::new()),
            used: Cell::new(0),
            generation: Cell::new(0),
        })
    };
    static REACTOR: ThreadReactor = const {
        ThreadReactor { backend: OnceCell::new(), bell: Cell::new(None), open: Cell::new(open) }
    };
}

/// Makes the reactor of this thread, if there is none. This opens no descriptor yet.
pub(crate) fn settle() {
    REACTOR.with(|_| ());
}

/// Forgets all sources, because the thread ends. Owners that remain find theirs vacant.
pub(crate) fn shut_down() {
    SOURCES.with(|table| {
        drop(table.vacant.take());
        table.used.set(0);
        let chunks = table.chunks.take();
        let sources = || chunks.iter().flat_map(|chunk| chunk.sources());
        sources().for_each(|source| source.generation.set(0));
        // Dropping a waiter may run foreign code. If that releases a source, it finds it vacant.
        sources().for_each(|source| drop(source.take_waiters()));
    });
}

/// Opens the descriptors of the reactor, if it has none. The first call also returns the bell:
/// other threads write to it to end a [`wait`](LoopPoller::wait).
pub(crate) fn prepare() -> io::Result<(LoopPoller, Option<OwnedFd>)> {
    REACTOR.with(|reactor| {
        let poller = LoopPoller::new(Rc::clone(reactor.backend()?));
        Ok((poller, reactor.bell.take()))
    })
}

/// Holds the backend while a loop runs, so that the loop need not look it up in each turn.
pub(crate) struct LoopPoller {
    backend: Rc<Backend>,
    room: <Backend as EventBackend>::Room,
}

impl LoopPoller {
    fn new(backend: Rc<Backend>) -> Self {
        Self { backend, room: Default::default() }
    }

    /// Sleeps until a descriptor is ready, at most `timeout`, and wakes the waiting tasks. Returns
    /// the number of events.
    #[inline(always)]
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        self.backend.wait(&mut self.room, timeout, Dispatch(&self.backend))
    }

    /// Like [`wait`](Self::wait), for callers that need not be fast.
    #[inline(never)]
    pub(crate) fn wait_outlined(&mut self, timeout: Duration) -> io::Result<usize> {
        self.wait(timeout)
    }
}

/// Makes this thread use the portable backend. Call it before anything else.
#[cfg(test)]
pub(crate) fn use_portable() {
    REACTOR.with(|reactor| {
        assert!(reactor.backend.get().is_none(), "the reactor is in use already");
        reactor
            .open
            .set(|| portable::open().map(|(backend, bell)| (Backend::Portable(backend), bell)));
    });
}

/// Returns whether this thread's reactor has descriptors.
#[cfg(test)]
pub(crate) fn is_open() -> bool {
    REACTOR.with(|reactor| reactor.backend.get().is_some())
}

/// Reserves a source for a descriptor. The owner must [`release`] its place.
pub(crate) fn reserve() -> (Rc<Chunk>, u8) {
    SOURCES.with(|table| table.reserve())
}

/// Makes the kernel report when a descriptor is ready in this direction.
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
    REACTOR.with(|reactor| {
        let backend = reactor.backend()?;
        match source.trigger.get() {
            Some(Trigger::Level) => backend.watch(key, from, to),
            Some(Trigger::Edge) | None => backend.add_write(fd, key),
        }
    })?;
    source.watched.set(to);
    Ok(())
}

/// Registers a descriptor for reading, unless it is registered already.
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
    REACTOR.with(|reactor| {
        let backend = reactor.backend()?;
        let trigger = if backend.has_edges() { trigger } else { Trigger::Level };
        source.trigger.set(Some(trigger));
        source.watched.set(Interest::READ);
        backend.add(fd, chunk.key(slot), trigger, Interest::READ).inspect_err(|_| {
            source.trigger.set(None);
            source.watched.set(Interest::NONE);
        })
    })
}

/// Stops the kernel from reporting again and again that a level-triggered source can be read. A
/// task that waits now is still woken when the connection breaks. A task that later waits to read
/// undoes this.
pub(crate) fn ignore_unread(chunk: &Chunk, slot: u8) {
    let source = chunk.source(slot);
    let from = source.watched.get();
    let to = from.without(Interest::READ).with(Interest::HANGUP);
    source.watched.set(to);
    REACTOR.with(|reactor| {
        let backend = reactor.backend.get();
        let change = InterestChange { from, to };
        backend.into_iter().for_each(|backend| apply(backend, chunk.key(slot), change));
    });
}

/// Releases the place of a source. Unless `closing`, the descriptor may stay open, and its events
/// must end.
pub(crate) fn release(fd: BorrowedFd<'_>, chunk: &Chunk, slot: u8, closing: bool) {
    let (source, key) = (chunk.source(slot), chunk.key(slot));
    // At the end of the thread, the reactor has forgotten it.
    if source.generation.replace(0) == 0 {
        return;
    }
    let waiters = source.take_waiters();
    let watched = source.watched.replace(Interest::NONE);
    if let Some(trigger) = source.trigger.take() {
        let removed = RemovedSource { key, trigger, watched };
        // This fails if the backend is gone already, and its registrations with it.
        let _gone = REACTOR.try_with(|reactor| {
            let backend = reactor.backend.get();
            backend.into_iter().for_each(|backend| backend.remove(fd, removed, closing));
        });
    }
    SOURCES.with(|table| table.vacant.borrow_mut().push(key.as_edge().index()));
    drop(waiters);
}

/// Returns whether a task waits for any descriptor.
pub(crate) fn is_awaited() -> bool {
    SOURCES.with(|table| {
        let chunks = table.chunks.borrow();
        chunks.iter().flat_map(|chunk| chunk.sources()).any(Source::is_awaited)
    })
}

/// Returns whether an event reports the end of a stream even if bytes before it are unread.
pub(crate) fn reports_finish() -> bool {
    REACTOR.with(|reactor| reactor.backend.get().is_some_and(|backend| backend.has_edges()))
}

impl SourceTable {
    fn reserve(&self) -> (Rc<Chunk>, u8) {
        let vacant = self.vacant.borrow_mut().pop();
        let index = vacant.unwrap_or_else(|| self.used.replace(self.used.get() + 1));
        let generation = self.next_generation();
        let Place { chunk, slot } = Key::new(generation.get(), index).place();
        let mut chunks = self.chunks.borrow_mut();
        if chunk == chunks.len() {
            chunks.push(Rc::new(Chunk::new(index)));
        }
        let chunk = Rc::clone(&chunks[chunk]);
        chunk.source(slot).begin(generation);
        (chunk, slot)
    }

    /// Returns the next generation. Skips zero, and the last value, which the special keys have.
    fn next_generation(&self) -> NonZeroU32 {
        let next = self.generation.get().wrapping_add(1) & INDEX_MASK as u32;
        let next = if next == INDEX_MASK as u32 { 1 } else { next };
        let generation = NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN);
        self.generation.set(generation.get());
        generation
    }

    /// Calls `f` with the source of an event. Does nothing if the source was removed earlier in
    /// this turn: its place is then vacant, or has another generation.
    #[inline(always)]
    fn with_source<R>(&self, key: Key, f: impl FnOnce(&Source) -> Option<R>) -> Option<R> {
        // A mutable borrow takes fewer instructions than a shared one.
        let chunks = self.chunks.borrow_mut();
        let Place { chunk, slot } = key.place();
        let source = chunks.get(chunk)?.source(slot);
        if source.generation.get() == key.generation() { f(source) } else { None }
    }
}

impl ThreadReactor {
    /// Returns the backend, and opens it if there is none.
    fn backend(&self) -> io::Result<&Rc<Backend>> {
        if let Some(backend) = self.backend.get() {
            return Ok(backend);
        }
        let (backend, bell) = (self.open.get())()?;
        self.bell.set(Some(bell));
        Ok(self.backend.get_or_init(|| Rc::new(backend)))
    }
}

/// Notes events at their sources, and wakes the waiting tasks.
struct Dispatch<'a>(&'a Backend);

impl EventSink for Dispatch<'_> {
    #[cold]
    fn event(&self, event: Event) {
        let note = |source: &Source| Some(source.note(event.ready));
        let key = event.key.as_edge();
        let noted = SOURCES.with(|table| table.with_source(key, note));
        let Some(NotedEvent { reader, writer, change }) = noted else { return };
        if let Some(change) = change {
            apply(self.0, event.key, change);
        }
        reader.into_iter().for_each(Waiter::wake);
        writer.into_iter().for_each(Waiter::wake);
    }

    #[inline(always)]
    fn readable_fast(&self, key: Key) {
        match SOURCES.with(|table| table.with_source(key, |source| Some(source.note_readable()))) {
            Some(None) => (),
            Some(Some(reader)) => reader.wake(),
            // The source is level-triggered, or was removed.
            None if key.is_level() => self.event(Event { key, ready: Ready::READ }),
            None => (),
        }
    }
}

/// Makes the kernel report other events of a level-triggered descriptor than before.
fn apply(backend: &Backend, key: Key, change: InterestChange) {
    if change.from != change.to {
        // This fails only if the descriptor is not registered, and then it reports nothing anyway.
        drop(backend.watch(key, change.from, change.to));
    }
}

#[cfg(test)]
mod tests;
