//! The portable backend: what `polling` can do everywhere.
//!
//! All descriptors are level-triggered. With edges, the end of a stream that arrives together with
//! data would go unnoticed: see [`Ready::FINISHED`]. The tests run on both backends and compare
//! them.
#![expect(unsafe_code, reason = "registration with `polling` is unsafe; nothing else here is")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use polling::{Event as Polled, Events, PollMode, Poller};
use rustix::io::ioctl_fionbio;

use super::backend::{Event, EventBackend, EventSink, RemovedSource};
use super::key::Key;
use super::source::{Interest, Ready, Trigger};

pub(super) struct Portable {
    poller: Poller,
    /// The descriptors of all sources, needed to change their interest.
    descriptors: RefCell<HashMap<Key, RawFd>>,
    /// A pipe. Other threads write to its other end.
    bell: PipeReader,
}

pub(super) fn open() -> io::Result<(Portable, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    ioctl_fionbio(&reader, true)?;
    ioctl_fionbio(&writer, true)?;
    let portable =
        Portable { poller: Poller::new()?, descriptors: RefCell::default(), bell: reader };
    portable.add_raw(portable.bell.as_raw_fd(), Key::BELL, Interest::READ)?;
    Ok((portable, writer.into()))
}

/// Memory for the events of a turn.
#[derive(Default)]
pub(super) struct Room(Events);

impl EventBackend for Portable {
    type Room = Room;

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        _trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()> {
        self.add_raw(fd.as_raw_fd(), key, interest)?;
        self.descriptors.borrow_mut().insert(key, fd.as_raw_fd());
        Ok(())
    }

    fn add_write(&self, _fd: BorrowedFd<'_>, _key: Key) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()> {
        let Some(fd) = self.descriptors.borrow().get(&key).copied() else {
            return Ok(());
        };
        if from == Interest::NONE {
            return if to == Interest::NONE { Ok(()) } else { self.add_raw(fd, key, to) };
        }
        // SAFETY: the descriptor is open, because it is in `descriptors`. The `AsyncFd` that owns
        // it calls `remove`, which takes it out, before it closes it.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if to == Interest::NONE {
            // Not `modify`, because epoll would still report errors.
            self.poller.delete(fd)
        } else {
            self.poller.modify_with_mode(fd, polled(key, to), PollMode::Level)
        }
    }

    fn remove(&self, _fd: BorrowedFd<'_>, source: RemovedSource, _closing: bool) {
        drop(self.watch(source.key, source.watched, Interest::NONE));
        self.descriptors.borrow_mut().remove(&source.key);
    }

    fn wait(
        &self,
        Room(events): &mut Room,
        timeout: Duration,
        sink: impl EventSink,
    ) -> io::Result<usize> {
        events.clear();
        let waited = self.poller.wait(events, Some(timeout));
        for event in events.iter() {
            let key = Key(event.key);
            match ready(&event) {
                _ if key == Key::BELL => self.silence_bell(),
                Ready::READ => sink.readable_fast(key),
                ready => sink.event(Event { key, ready }),
            }
        }
        waited
    }

    fn has_edges(&self) -> bool {
        false
    }
}

impl Portable {
    fn add_raw(&self, fd: RawFd, key: Key, interest: Interest) -> io::Result<()> {
        // SAFETY: `polling` requires that a descriptor is deleted before it is closed. The
        // `AsyncFd` that owns this one does so when it is dropped. If the owner is leaked and the
        // descriptor is closed elsewhere, epoll and kqueue forget it by themselves. An event
        // carries a key with a generation, not a pointer, so a late event is ignored.
        unsafe { self.poller.add_with_mode(fd, polled(key, interest), PollMode::Level) }
    }

    fn silence_bell(&self) {
        let mut buffer = [0; 512];
        while (&self.bell).read(&mut buffer).is_ok_and(|count| count == buffer.len()) {}
    }
}

fn polled(key: Key, interest: Interest) -> Polled {
    let (read, write) = (interest.contains(Interest::READ), interest.contains(Interest::WRITE));
    Polled::new(key.0, read, write)
}

fn ready(event: &Polled) -> Ready {
    let mut ready = Ready::NONE;
    if event.readable {
        ready = ready.with(Ready::READ);
    }
    if event.writable {
        ready = ready.with(Ready::WRITE);
    }
    if event.is_interrupt() {
        ready = ready.with(Ready::READ).with(Ready::WRITE).with(Ready::FINISHED);
    }
    if event.is_err() == Some(true) {
        ready = ready.with(Ready::READ).with(Ready::WRITE).with(Ready::FAILED);
    }
    ready
}
