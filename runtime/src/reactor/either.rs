//! Either system: the tests run on both. Elsewhere there is one for each target, so that the
//! compiler sees through to it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::native::{self, Native};
use super::portable::{self, Portable};
use super::source::Interest;
use super::{Hears, Key, Removed, System, Trigger};

pub(super) enum Either {
    Native(Native),
    Portable(Portable),
}

/// Opens the one that this target has.
pub(super) fn open() -> io::Result<(Either, OwnedFd)> {
    native::open().map(|(system, bell)| (Either::Native(system), bell))
}

impl System for Either {
    type Room = (native::Room, portable::Room);

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Native(system) => system.add(fd, key, trigger, interest),
            Self::Portable(system) => system.add(fd, key, trigger, interest),
        }
    }

    fn add_write(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        match self {
            Self::Native(system) => system.add_write(fd, key),
            Self::Portable(system) => system.add_write(fd, key),
        }
    }

    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()> {
        match self {
            Self::Native(system) => system.watch(key, from, to),
            Self::Portable(system) => system.watch(key, from, to),
        }
    }

    fn remove(&self, fd: BorrowedFd<'_>, source: Removed, closing: bool) {
        match self {
            Self::Native(system) => system.remove(fd, source, closing),
            Self::Portable(system) => system.remove(fd, source, closing),
        }
    }

    fn wait(
        &self,
        room: &mut Self::Room,
        timeout: Duration,
        hears: impl Hears,
    ) -> io::Result<usize> {
        match self {
            Self::Native(system) => system.wait(&mut room.0, timeout, hears),
            Self::Portable(system) => system.wait(&mut room.1, timeout, hears),
        }
    }

    fn has_edges(&self) -> bool {
        match self {
            Self::Native(system) => system.has_edges(),
            Self::Portable(system) => system.has_edges(),
        }
    }
}
