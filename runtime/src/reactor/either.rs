//! Both backends, for tests. A release build has only one, so the compiler can inline it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::backend::{EventBackend, EventSink, RemovedSource};
use super::key::Key;
#[cfg(target_os = "linux")]
use super::linux::{self as fast, Epoll as Fast};
use super::portable::{self, Portable};
#[cfg(not(target_os = "linux"))]
use super::portable::{self as fast, Portable as Fast};
use super::source::{Interest, Trigger};

pub(super) enum Either {
    Fast(Fast),
    Portable(Portable),
}

/// Opens the backend that a release build for this target has.
pub(super) fn open() -> io::Result<(Either, OwnedFd)> {
    fast::open().map(|(backend, bell)| (Either::Fast(backend), bell))
}

impl EventBackend for Either {
    type Room = (fast::Room, portable::Room);

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Fast(backend) => backend.add(fd, key, trigger, interest),
            Self::Portable(backend) => backend.add(fd, key, trigger, interest),
        }
    }

    fn add_write(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        match self {
            Self::Fast(backend) => backend.add_write(fd, key),
            Self::Portable(backend) => backend.add_write(fd, key),
        }
    }

    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()> {
        match self {
            Self::Fast(backend) => backend.watch(key, from, to),
            Self::Portable(backend) => backend.watch(key, from, to),
        }
    }

    fn remove(&self, fd: BorrowedFd<'_>, source: RemovedSource, closing: bool) {
        match self {
            Self::Fast(backend) => backend.remove(fd, source, closing),
            Self::Portable(backend) => backend.remove(fd, source, closing),
        }
    }

    fn wait(
        &self,
        room: &mut Self::Room,
        timeout: Duration,
        sink: impl EventSink,
    ) -> io::Result<usize> {
        match self {
            Self::Fast(backend) => backend.wait(&mut room.0, timeout, sink),
            Self::Portable(backend) => backend.wait(&mut room.1, timeout, sink),
        }
    }

    fn has_edges(&self) -> bool {
        match self {
            Self::Fast(backend) => backend.has_edges(),
            Self::Portable(backend) => backend.has_edges(),
        }
    }
}
