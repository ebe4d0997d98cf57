//! What is known of a descriptor: whether it is ready, and who waits for it.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ops::{BitOr, BitOrAssign};
use std::task::Waker;

use super::{Key, LEVEL};
use crate::executor::Waiter;

/// One descriptor. Every idle connection has one, so it is kept small. Its owner has it at hand, and
/// asks nobody else whether it is ready; the reactor finds it by its key, and notes events in it.
pub(crate) struct Source {
    /// Tells this source from those that had its place before. 0: the place is vacant.
    pub(super) generation: Cell<u32>,
    /// What the descriptor is believed to be ready for: by events, and until it proves wrong.
    ready: Cell<Ready>,
    /// `None` before it is registered.
    pub(super) trigger: Cell<Option<Trigger>>,
    /// What is asked of the system at present.
    pub(super) watched: Cell<Interest>,
    reader: Cell<Option<Waiter>>,
    writer: Cell<Option<Waiter>>,
}

impl Source {
    const fn vacant() -> Self {
        Self {
            generation: Cell::new(0),
            ready: Cell::new(Ready::NOTHING),
            trigger: Cell::new(None),
            watched: Cell::new(Interest::NONE),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }

    /// Begins to be that of a descriptor, which is believed to be ready until it proves wrong.
    pub(super) fn begin(&self, generation: NonZeroU32) {
        self.generation.set(generation.get());
        self.ready.set(Ready::READ | Ready::WRITE);
    }

    /// What the descriptor is believed to be ready for, and has gone through.
    #[inline(always)]
    pub(crate) fn ready(&self) -> Ready {
        self.ready.get()
    }

    /// Notes that the next attempt would block. Whatever events have told was before the attempt that
    /// has shown this.
    #[inline(always)]
    pub(crate) fn believe_blocked(&self, direction: Direction) {
        self.ready.set(self.ready.get().without(direction.ready()));
    }

    /// Says whether a read that did not fill its buffer has taken all there was. The end of the stream
    /// and bytes behind urgent data have to be read, because no other event tells of them.
    #[inline(always)]
    pub(crate) fn tells_of_more(&self) -> bool {
        self.ready.get().0 & Ready::SHORT_READS.0 == 0
    }

    /// Notes that an operation was refused, or is not refused again. Returns whether it was refused
    /// before.
    pub(crate) fn toggle_refused(&self, direction: Direction) -> bool {
        let refused = match direction {
            Direction::Read => Ready::READ_REFUSED,
            Direction::Write => Ready::WRITE_REFUSED,
        };
        let before = self.ready.get();
        self.ready.set(Ready(before.0 ^ refused.0));
        before.contains(refused)
    }

    /// Has the next event in this direction wake `waker`, and nobody else. Says whether the system
    /// tells of it: else that is to be [asked for](super::arm).
    #[inline(always)]
    pub(crate) fn wait(&self, direction: Direction, waker: &Waker) -> bool {
        // Whom it replaces is dropped, which may run anybody's code.
        drop(self.waiting(direction).replace(Some(Waiter::new(waker))));
        self.watched.get().contains(direction.interest())
    }

    /// Notes that an edge-triggered source can be read, and returns who waited for that.
    #[inline(always)]
    pub(super) fn note_read(&self) -> Option<Waiter> {
        self.ready.set(self.ready.get() | Ready::READ);
        self.reader.take()
    }

    /// Notes what an event has told. Returns who waited to read and who to write; and, if the system
    /// would go on to tell of it, what it is asked for and what it is to be asked for.
    pub(super) fn note(&self, told: Ready) -> Noted {
        self.ready.set(self.ready.get() | told);
        let reader = if told.contains(Ready::READ) { self.reader.take() } else { None };
        let writer = if told.contains(Ready::WRITE) { self.writer.take() } else { None };
        let change = match self.trigger.get() {
            Some(Trigger::Level) => Some(self.keep(told, reader.is_some(), writer.is_some())),
            Some(Trigger::Edge) | None => None,
        };
        Noted { reader, writer, change }
    }

    /// Marks a descriptor for which only the runtime itself waits. A virtual clock does not wait for it.
    pub(crate) fn make_internal(&self) {
        self.ready.set(self.ready.get() | Ready::INTERNAL);
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

    /// Nobody waits any more. Returns who did, to be dropped where nothing is borrowed.
    pub(super) fn forget(&self) -> [Option<Waiter>; 2] {
        [self.reader.take(), self.writer.take()]
    }

    #[inline(always)]
    fn waiting(&self, direction: Direction) -> &Cell<Option<Waiter>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    /// Of a level-triggered source: goes on to ask for what is waited for, and for what is told only
    /// once. Returns what was asked for before, and what is from now on.
    #[cold]
    fn keep(&self, told: Ready, reader: bool, writer: bool) -> (Interest, Interest) {
        let mut keep = self.watched.get();
        if told.contains(Ready::READ) && !reader {
            keep = keep.without(Interest::READ);
        }
        if told.contains(Ready::WRITE) && !writer {
            keep = keep.without(Interest::WRITE);
        }
        if told.contains(Ready::FINISHED) || told.contains(Ready::FAILED) {
            keep = keep.without(Interest::HANGUP);
        }
        (self.watched.replace(keep), keep)
    }
}

/// What an event has come upon.
pub(super) struct Noted {
    pub(super) reader: Option<Waiter>,
    pub(super) writer: Option<Waiter>,
    pub(super) change: Option<(Interest, Interest)>,
}

const SOURCES: usize = 1 << SLOT_BITS;
pub(super) const SLOT_BITS: u32 = 6;

/// The places of some sources that lie together: one for each would take 32 bytes more.
pub(crate) struct Chunk {
    /// The index of the first.
    first: u32,
    sources: [Source; SOURCES],
}

impl Chunk {
    pub(super) fn new(first: u32) -> Self {
        Self { first, sources: [const { Source::vacant() }; SOURCES] }
    }

    /// The source in a place; a place that is too large is one of the others.
    #[inline(always)]
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

/// A set of what a descriptor may be ready for, or has gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Ready(u8);

impl Ready {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const READ: Self = Self(1);
    pub(crate) const WRITE: Self = Self(2);
    /// The peer will send nothing more. Stays, and keeps a short read from being taken for the last
    /// one: no other edge will tell of the end of the stream behind it.
    pub(crate) const FINISHED: Self = Self(4);
    /// The connection has failed. Stays.
    pub(crate) const FAILED: Self = Self(8);
    /// The peer has sent urgent data. Stays, and keeps a short read from being taken for the last
    /// one: a read ends before the urgent byte, and no other edge tells of the bytes behind it.
    pub(crate) const URGENT: Self = Self(16);
    /// An operation in this direction was refused, because its task had spent its budget.
    const READ_REFUSED: Self = Self(32);
    const WRITE_REFUSED: Self = Self(64);
    /// Only the runtime itself waits for the descriptor. Stays.
    const INTERNAL: Self = Self(128);
    /// Each of these makes a short read say nothing about whether there is more.
    const SHORT_READS: Self = Self(Self::FINISHED.0 | Self::URGENT.0);

    #[inline]
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[inline]
    #[must_use]
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Ready {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What the system is asked to tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Interest(u8);

impl Interest {
    /// Nothing: the descriptor is not registered.
    pub(super) const NONE: Self = Self(0);
    pub(super) const READ: Self = Self(1);
    pub(super) const WRITE: Self = Self(2);
    /// That the connection is broken or closed on both sides, where the system tells of that
    /// without being asked to tell of reading or writing.
    pub(super) const HANGUP: Self = Self(4);

    #[inline]
    pub(super) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// When the system tells of a ready descriptor.
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
