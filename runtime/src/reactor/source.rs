//! The state of one descriptor: its readiness and its waiters.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::task::Waker;

use super::key::{Key, LEVEL};
use crate::executor::Waiter;

/// The state of one descriptor. Every idle connection has one, so it is small.
///
/// The owner of the descriptor reads it in place, without a call. The reactor finds it by its key
/// and notes events in it.
pub(crate) struct Source {
    /// Distinguishes this source from earlier ones in the same place. 0 if the place is vacant.
    pub(super) generation: Cell<u32>,
    /// The operations that may succeed, according to events and attempts.
    ready: Cell<Ready>,
    /// `None` until the descriptor is registered.
    pub(super) trigger: Cell<Option<Trigger>>,
    /// The events that the kernel reports at present.
    pub(super) watched: Cell<Interest>,
    reader: Cell<Option<Waiter>>,
    writer: Cell<Option<Waiter>>,
}

impl Source {
    const fn vacant() -> Self {
        Self {
            generation: Cell::new(0),
            ready: Cell::new(Ready::NONE),
            trigger: Cell::new(None),
            watched: Cell::new(Interest::NONE),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }

    /// Assigns this to a new descriptor, which counts as ready until an attempt would block.
    pub(super) fn begin(&self, generation: NonZeroU32) {
        self.generation.set(generation.get());
        self.ready.set(Ready::READ.with(Ready::WRITE));
    }

    /// Returns the operations that may succeed, and what has happened to the descriptor.
    #[inline]
    pub(crate) fn ready(&self) -> Ready {
        self.ready.get()
    }

    /// Notes that an attempt would block. All events so far came before that attempt.
    #[inline]
    pub(crate) fn set_blocked(&self, direction: Direction) {
        self.ready.set(self.ready.get().without(direction.ready()));
    }

    /// Returns whether a read that did not fill its buffer has taken everything. It has not after
    /// [`Ready::FINISHED`] or [`Ready::URGENT`], because no further event announces the rest.
    #[inline]
    pub(crate) fn trusts_short_reads(&self) -> bool {
        !self.ready.get().intersects(Ready::FINISHED.with(Ready::URGENT))
    }

    /// Notes that an operation is refused, or that it is not refused again. Returns whether it was
    /// refused before.
    pub(crate) fn toggle_refused(&self, direction: Direction) -> bool {
        let refused = match direction {
            Direction::Read => Ready::READ_REFUSED,
            Direction::Write => Ready::WRITE_REFUSED,
        };
        let before = self.ready.get();
        self.ready.set(Ready(before.0 ^ refused.0));
        before.contains(refused)
    }

    /// Makes the next event in this direction wake `waker`, in place of the one before. Returns
    /// whether the kernel reports this direction. If not, the caller must [arm](super::arm) it.
    #[inline(always)]
    pub(crate) fn set_waiter(&self, direction: Direction, waker: &Waker) -> bool {
        // Dropping the waiter before may run foreign code.
        drop(self.waiter(direction).replace(Some(Waiter::new(waker))));
        self.watched.get().contains(direction.interest())
    }

    /// Fast path of [`note`](Self::note) for an edge-triggered source that can be read: same
    /// result; skip on a first reading. Returns the waiting reader.
    #[inline]
    pub(super) fn note_readable(&self) -> Option<Waiter> {
        self.ready.set(self.ready.get().with(Ready::READ));
        self.reader.take()
    }

    /// Notes an event. Returns the waiters to wake and, if the source is level-triggered, the
    /// change of interest that stops the kernel from reporting the event again.
    pub(super) fn note(&self, event: Ready) -> NotedEvent {
        self.ready.set(self.ready.get().with(event));
        let reader = if event.contains(Ready::READ) { self.reader.take() } else { None };
        let writer = if event.contains(Ready::WRITE) { self.writer.take() } else { None };
        let change = match self.trigger.get() {
            Some(Trigger::Level) => {
                Some(self.drop_unawaited(event, reader.is_some(), writer.is_some()))
            }
            Some(Trigger::Edge) | None => None,
        };
        NotedEvent { reader, writer, change }
    }

    /// Marks a descriptor for which only the runtime itself waits. A virtual clock does not wait
    /// for it.
    pub(crate) fn make_internal(&self) {
        self.ready.set(self.ready.get().with(Ready::INTERNAL));
    }

    /// Returns whether a task of the program waits for the descriptor.
    pub(super) fn is_awaited(&self) -> bool {
        !self.ready.get().contains(Ready::INTERNAL) && self.has_waiter()
    }

    fn has_waiter(&self) -> bool {
        [&self.reader, &self.writer].into_iter().any(|place| {
            let waiter = place.take();
            let is_awaited = waiter.as_ref().is_some_and(Waiter::is_alive);
            place.set(waiter);
            is_awaited
        })
    }

    /// Takes out the waiters. The caller drops them while nothing is borrowed.
    pub(super) fn take_waiters(&self) -> [Option<Waiter>; 2] {
        [self.reader.take(), self.writer.take()]
    }

    #[inline]
    fn waiter(&self, direction: Direction) -> &Cell<Option<Waiter>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    /// Drops the interest of a level-triggered source in events for which no task waits, and in
    /// events that come only once.
    fn drop_unawaited(&self, event: Ready, has_reader: bool, has_writer: bool) -> InterestChange {
        let from = self.watched.get();
        let mut to = from;
        if event.contains(Ready::READ) && !has_reader {
            to = to.without(Interest::READ);
        }
        if event.contains(Ready::WRITE) && !has_writer {
            to = to.without(Interest::WRITE);
        }
        if event.intersects(Ready::FINISHED.with(Ready::FAILED)) {
            to = to.without(Interest::HANGUP);
        }
        self.watched.set(to);
        InterestChange { from, to }
    }
}

/// The result of [`Source::note`].
pub(super) struct NotedEvent {
    pub(super) reader: Option<Waiter>,
    pub(super) writer: Option<Waiter>,
    pub(super) change: Option<InterestChange>,
}

/// The events that the kernel reported, and those that it shall report from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct InterestChange {
    pub(super) from: Interest,
    pub(super) to: Interest,
}

const SOURCES: usize = 1 << SLOT_BITS;
pub(super) const SLOT_BITS: u32 = 6;

/// A group of sources in one allocation. An allocation for each would take 32 bytes more.
pub(crate) struct Chunk {
    /// The index of the first source.
    first: u32,
    sources: [Source; SOURCES],
}

impl Chunk {
    pub(super) fn new(first: u32) -> Self {
        Self { first, sources: [const { Source::vacant() }; SOURCES] }
    }

    /// Returns the source in a slot. A slot out of range is taken modulo the size.
    #[inline]
    pub(crate) fn source(&self, slot: u8) -> &Source {
        &self.sources[usize::from(slot) % SOURCES]
    }

    pub(super) fn key(&self, slot: u8) -> Key {
        let source = self.source(slot);
        let level = if source.trigger.get() == Some(Trigger::Level) { LEVEL } else { 0 };
        Key::new(source.generation.get(), (self.first + u32::from(slot)) | level)
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }
}

/// A set: the operations that may succeed, and what has happened to the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Ready(u8);

impl Ready {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const READ: Self = Self(1);
    pub(crate) const WRITE: Self = Self(2);
    /// The peer will send nothing more. This stays set. It means that a short read may not be the
    /// last one, because no further edge announces the end of the stream.
    pub(crate) const FINISHED: Self = Self(4);
    /// The connection has failed. This stays set.
    pub(crate) const FAILED: Self = Self(8);
    /// The peer has sent urgent data. This stays set. It means that a short read may not be the
    /// last one: a read ends before the urgent byte, and no further edge announces the bytes after
    /// it.
    pub(crate) const URGENT: Self = Self(16);
    /// A read was refused because its task had used up its budget.
    const READ_REFUSED: Self = Self(32);
    /// A write was refused because its task had used up its budget.
    const WRITE_REFUSED: Self = Self(64);
    /// Only the runtime itself waits for the descriptor. This stays set.
    const INTERNAL: Self = Self(128);

    #[inline]
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[inline]
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A set: the events that the kernel reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Interest(u8);

impl Interest {
    /// No event. A level-triggered descriptor is then not registered.
    pub(super) const NONE: Self = Self(0);
    pub(super) const READ: Self = Self(1);
    pub(super) const WRITE: Self = Self(2);
    /// The connection is broken or closed on both sides, on systems that report this without
    /// interest in reading or writing.
    pub(super) const HANGUP: Self = Self(4);

    #[inline]
    pub(super) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// When the kernel reports a ready descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Once, when it becomes ready.
    Edge,
    /// Again and again, as long as it is ready.
    Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    #[inline]
    pub(crate) fn ready(self) -> Ready {
        match self {
            Self::Read => Ready::READ,
            Self::Write => Ready::WRITE,
        }
    }

    #[inline]
    pub(super) fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READ,
            Self::Write => Interest::WRITE,
        }
    }
}
