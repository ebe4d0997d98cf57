//! The fast backend: epoll without a detour.
//!
//! `polling` makes five system calls per wait and cannot register `EPOLLRDHUP`. So it only owns the
//! epoll instance here, and `rustix` registers and waits. A wait is one system call, and a
//! connection is registered once in its life.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use polling::Poller;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::backend::{Event, EventBackend, EventSink, RemovedSource};
use super::key::Key;
use super::source::{Interest, Ready, Trigger};

/// The number of events that one wait returns. The next wait returns the others.
const EVENTS: usize = 1024;

/// The events of an edge-triggered descriptor. The end of the stream and urgent data have bits of
/// their own, so a short read without them is the last one: see [`Ready::FINISHED`] and
/// [`Ready::URGENT`].
const EDGE: EventFlags =
    EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::PRI).union(EventFlags::ET);

pub(super) struct Epoll {
    poller: Poller,
    /// Copies of the level-triggered descriptors: listeners, so they are few. An event for which no
    /// task waits disarms its descriptor, and the owner is out of reach then.
    listeners: RefCell<Vec<(Key, OwnedFd)>>,
}

/// Memory for the events of a turn, which is never cleared.
pub(super) struct Room(Box<[MaybeUninit<epoll::Event>; EVENTS]>);

impl Default for Room {
    fn default() -> Self {
        Self(Box::new([MaybeUninit::uninit(); EVENTS]))
    }
}

pub(super) fn open() -> io::Result<(Epoll, OwnedFd)> {
    let poller = Poller::new()?;
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    // Each write is an edge of its own, so there is no need to read it.
    let flags = EventFlags::IN | EventFlags::ET;
    epoll::add(poller.as_fd(), &bell, data(Key::BELL), flags)?;
    Ok((Epoll { poller, listeners: RefCell::new(Vec::new()) }, bell))
}

impl EventBackend for Epoll {
    type Room = Room;

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()> {
        match trigger {
            Trigger::Edge => Ok(epoll::add(&self.poller, fd, data(key), EDGE)?),
            Trigger::Level => {
                let copy = fd.try_clone_to_owned()?;
                epoll::add(&self.poller, &copy, data(key), level(interest))?;
                self.listeners.borrow_mut().push((key, copy));
                Ok(())
            }
        }
    }

    fn add_write(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        Ok(epoll::modify(&self.poller, fd, data(key), EDGE | EventFlags::OUT)?)
    }

    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()> {
        let listeners = self.listeners.borrow();
        let Some((_, fd)) = listeners.iter().find(|(listener, _)| *listener == key) else {
            return Ok(());
        };
        match (from == Interest::NONE, to == Interest::NONE) {
            (true, true) => (),
            (true, false) => epoll::add(&self.poller, fd, data(key), level(to))?,
            (false, true) => epoll::delete(&self.poller, fd)?,
            (false, false) => epoll::modify(&self.poller, fd, data(key), level(to))?,
        }
        Ok(())
    }

    fn remove(&self, fd: BorrowedFd<'_>, source: RemovedSource, closing: bool) {
        match source.trigger {
            // Closing the descriptor removes it.
            Trigger::Edge if closing => (),
            Trigger::Edge => drop(epoll::delete(&self.poller, fd)),
            Trigger::Level => {
                drop(self.watch(source.key, source.watched, Interest::NONE));
                self.listeners.borrow_mut().retain(|(listener, _)| *listener != source.key);
            }
        }
    }

    #[inline(always)]
    fn wait(&self, room: &mut Room, timeout: Duration, sink: impl EventSink) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let (events, _) = match epoll::wait(&self.poller, &mut *room.0, Some(&timeout)) {
            Ok(filled) => filled,
            // A signal has ended the wait.
            Err(Errno::INTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        for event in &*events {
            // No source has the key of the bell: it only has to end the wait.
            let (key, flags) = (Key(event.data.u64() as usize), event.flags);
            if flags == EventFlags::IN {
                sink.readable_fast(key);
            } else {
                sink.event(Event { key, ready: ready(flags) });
            }
        }
        Ok(events.len())
    }

    fn has_edges(&self) -> bool {
        true
    }
}

fn data(key: Key) -> EventData {
    EventData::new_u64(key.0 as u64)
}

fn level(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.contains(Interest::READ));
    flags.set(EventFlags::OUT, interest.contains(Interest::WRITE));
    flags
}

#[cold]
fn ready(flags: EventFlags) -> Ready {
    let mut ready = Ready::NONE;
    if flags.intersects(EventFlags::IN | EventFlags::RDHUP) {
        ready = ready.with(Ready::READ);
    }
    if flags.contains(EventFlags::PRI) {
        ready = ready.with(Ready::READ).with(Ready::URGENT);
    }
    if flags.contains(EventFlags::OUT) {
        ready = ready.with(Ready::WRITE);
    }
    if flags.intersects(EventFlags::RDHUP | EventFlags::HUP) {
        ready = ready.with(Ready::FINISHED);
    }
    if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
        ready = ready.with(Ready::READ).with(Ready::WRITE);
    }
    if flags.contains(EventFlags::ERR) {
        ready = ready.with(Ready::FAILED);
    }
    ready
}
