//! What the reactor knows of a descriptor: whether it is ready, and who waits for it.

use std::num::NonZeroU32;
use std::ops::{BitOr, BitOrAssign};

use crate::executor::Waiter;

/// One registered descriptor. Every idle connection has one, so it is kept small.
#[derive(Debug)]
pub(super) struct Source {
    /// Tells this source from those that had its index before.
    pub(super) generation: NonZeroU32,
    /// What events have told, and nobody has taken yet.
    pub(super) told: Ready,
    pub(super) trigger: Trigger,
    /// What is asked of the system at present.
    pub(super) watched: Interest,
    pub(super) reader: Option<Waiter>,
    pub(super) writer: Option<Waiter>,
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
    pub(crate) fn ready(self) -> Ready {
        match self {
            Self::Read => Ready::READ,
            Self::Write => Ready::WRITE,
        }
    }

    pub(super) fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READ,
            Self::Write => Interest::WRITE,
        }
    }
}

impl Source {
    pub(super) fn waiting(&mut self, direction: Direction) -> &mut Option<Waiter> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    /// Of a level-triggered source: goes on to ask for what is waited for, and for what is told only
    /// once. Returns what was asked for before, and what is from now on.
    #[cold]
    pub(super) fn keep(&mut self, told: Ready, reader: bool, writer: bool) -> (Interest, Interest) {
        let mut keep = self.watched;
        if told.contains(Ready::READ) && !reader {
            keep = keep.without(Interest::READ);
        }
        if told.contains(Ready::WRITE) && !writer {
            keep = keep.without(Interest::WRITE);
        }
        if told.contains(Ready::FINISHED) || told.contains(Ready::FAILED) {
            keep = keep.without(Interest::HANGUP);
        }
        (std::mem::replace(&mut self.watched, keep), keep)
    }

    /// What events have told since this was last asked, and for good.
    #[inline]
    pub(super) fn take_told(&mut self) -> Ready {
        let told = self.told;
        self.told = told.without(Ready::READ | Ready::WRITE);
        told
    }
}
