//! The fast system: epoll, asked directly.
//!
//! `polling` makes five system calls per wait and cannot ask for `EPOLLRDHUP`. So it only owns
//! the epoll instance here; registration and wait are calls of `rustix` on its descriptor. One
//! wait is one system call, and a connection is registered once in its life.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use polling::Poller;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::source::Interest;
use super::{Event, Hears, Key, Ready, Removed, System, Trigger};

/// Events taken by one wait. What is left comes with the next one.
const EVENTS: usize = 1024;

/// What an edge-triggered descriptor is asked for. The end of the stream and urgent data are told
/// apart from other data, so that a short read may count as the last one: see [`Ready::FINISHED`] and
/// [`Ready::URGENT`].
const EDGE: EventFlags =
    EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::PRI).union(EventFlags::ET);

pub(super) struct Native {
    poller: Poller,
    /// Copies of the level-triggered descriptors, which are listeners and therefore few. They are
    /// disarmed when an event finds nobody waiting, and their owner is not at hand then.
    listeners: RefCell<Vec<(Key, OwnedFd)>>,
}

/// Room for the events of a turn, which is never cleared.
pub(super) struct Room(Box<[MaybeUninit<epoll::Event>; EVENTS]>);

impl Default for Room {
    fn default() -> Self {
        Self(Box::new([MaybeUninit::uninit(); EVENTS]))
    }
}

pub(super) fn open() -> io::Result<(Native, OwnedFd)> {
    let poller = Poller::new()?;
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    // Each write is an edge of its own, so nobody ever needs to read it.
    let flags = EventFlags::IN | EventFlags::ET;
    epoll::add(poller.as_fd(), &bell, data(Key::BELL), flags)?;
    Ok((Native { poller, listeners: RefCell::new(Vec::new()) }, bell))
}

impl System for Native {
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

    fn remove(&self, fd: BorrowedFd<'_>, source: Removed, closing: bool) {
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
    fn wait(&self, room: &mut Room, timeout: Duration, hears: impl Hears) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let (events, _) = match epoll::wait(&self.poller, &mut *room.0, Some(&timeout)) {
            Ok(filled) => filled,
            Err(error) => return interrupted(error),
        };
        for event in &*events {
            // Of the bell nobody needs to know more than that it ended the wait: there is no source
            // with its key.
            let (key, flags) = (Key(event.data.u64() as usize), event.flags);
            if flags == EventFlags::IN {
                hears.hear_read(key);
            } else {
                hears.hear(Event { key, ready: ready(flags) });
            }
        }
        Ok(events.len())
    }

    fn has_edges(&self) -> bool {
        true
    }
}

/// A wait that a signal has ended is no error.
#[cold]
fn interrupted(error: Errno) -> io::Result<usize> {
    if error == Errno::INTR { Ok(0) } else { Err(error.into()) }
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
    let mut ready = Ready::NOTHING;
    if flags.intersects(EventFlags::IN | EventFlags::RDHUP) {
        ready |= Ready::READ;
    }
    if flags.contains(EventFlags::PRI) {
        ready |= Ready::READ | Ready::URGENT;
    }
    if flags.contains(EventFlags::OUT) {
        ready |= Ready::WRITE;
    }
    if flags.intersects(EventFlags::RDHUP | EventFlags::HUP) {
        ready |= Ready::FINISHED;
    }
    if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
        ready |= Ready::READ | Ready::WRITE;
    }
    if flags.contains(EventFlags::ERR) {
        ready |= Ready::FAILED;
    }
    ready
}
