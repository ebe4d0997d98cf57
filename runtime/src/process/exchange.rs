//! Messages from each worker of a server to all others, through shared memory.
//!
//! A worker appends its messages to the ring of its place, and the others read them from there. No
//! worker waits for another one. A worker that reads too slowly finds that messages are
//! overwritten, and learns how many.
//!
//! A worker that has read everything sleeps. The next writer wakes it with a datagram to a socket
//! whose abstract address only one process can have. So the socket also says which process has a
//! place: the kernel frees the address when the process has ended.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, fence};
use std::task::{Context, Poll, ready};

use crate::fd::AsyncFd;
use crate::process::SlotPage;
use crate::process::shared::area::Area;
use crate::process::shared::ring::{Cursor, Found};

/// How many records of one ring are read before those of the others, and how many unwanted ones
/// before other tasks have their turn.
const MAX_IN_A_ROW: u32 = 64;

/// The process in which a thread has joined. A place has one writer, so a second thread that serves,
/// as in tests, cannot join.
static JOINED: AtomicU32 = AtomicU32::new(0);

/// The part of a worker in the exchange of messages.
///
/// For the `squall` crate. Hidden, because it may change with any version.
#[doc(hidden)]
pub struct Exchange {
    area: Area,
    place: usize,
    socket: AsyncFd<UnixDatagram>,
    reading: RefCell<Reading>,
    is_listening: Cell<bool>,
    ticket: Cell<u64>,
}

/// Where this worker is in the rings of the others.
struct Reading {
    cursors: Vec<Cursor>,
    place: usize,
    in_a_row: u32,
}

/// What a worker finds in the ring of another one.
#[doc(hidden)]
#[derive(Debug, Eq, PartialEq)]
pub enum Received {
    /// A message.
    Message { name: Vec<u8>, kind: u8, payload: Vec<u8> },
    /// One message was overwritten.
    Lost { name: Vec<u8> },
    /// At most that many messages of any name were overwritten.
    Overtaken { count: u64 },
    /// Many messages were not wanted. Other tasks should have their turn before the next call.
    Unwanted,
}

impl Exchange {
    /// Takes a place for this process. Returns `None` if it belongs to no server with workers, or
    /// another thread of it has joined.
    ///
    /// # Errors
    ///
    /// If all places are taken, or the kernel refuses a socket.
    pub fn join() -> io::Result<Option<Self>> {
        let Some(area) = Area::current() else { return Ok(None) };
        let process = std::process::id();
        if JOINED.swap(process, SeqCst) == process {
            return Ok(None);
        }
        Self::join_area(area).map(Some)
    }

    fn join_area(area: Area) -> io::Result<Self> {
        for place in 0..area.places() {
            match UnixDatagram::bind_addr(&address(area, place)?) {
                Ok(socket) => return Self::enter(area, place, socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        let text = format!("all {} places for messages between workers are taken", area.places());
        Err(io::Error::other(text))
    }

    fn enter(area: Area, place: usize, socket: UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        area.listens(place).store(0, SeqCst);
        area.sleeps(place).store(0, SeqCst);
        area.ring(place).recover();
        area.use_place(place);
        let cursors = vec![Cursor::default(); area.places()];
        let exchange = Self {
            area,
            place,
            socket: AsyncFd::new(socket)?.internal(),
            reading: RefCell::new(Reading { cursors, place: 0, in_a_row: 0 }),
            is_listening: Cell::new(false),
            // No earlier process of this place has had it.
            ticket: Cell::new(SlotPage::now_nanos().max(1)),
        };
        // The process before may have died between writing a message and waking the others.
        exchange.wake_others();
        Ok(exchange)
    }

    /// Appends a message for all workers that listen. Does nothing if none does. Returns whether
    /// the message is small enough.
    pub fn publish(&self, name: &[u8], kind: u8, payload: &[u8]) -> bool {
        // Pairs with the fence of a worker that begins to listen.
        fence(SeqCst);
        if self.others().all(|place| self.area.listens(place).load(SeqCst) == 0) {
            return true;
        }
        let fits = self.area.ring(self.place).append(name, kind, payload);
        if fits {
            self.wake_others();
        }
        fits
    }

    /// Begins to receive what others publish from now on.
    pub fn listen(&self) {
        if self.is_listening.replace(true) {
            return;
        }
        self.area.listens(self.place).store(1, SeqCst);
        fence(SeqCst);
        let mut reading = self.reading.borrow_mut();
        // The others have not been written, and reading them would take memory.
        let used = self.area.used();
        for (place, cursor) in reading.cursors.iter_mut().enumerate().take(used) {
            *cursor = self.area.ring(place).end();
        }
    }

    /// Receives nothing more.
    pub fn stop_listening(&self) {
        self.is_listening.set(false);
        self.area.listens(self.place).store(0, SeqCst);
    }

    /// Takes the next message whose name `wants` accepts. Returns `None` if there is none yet.
    pub fn next(&self, wants: impl Fn(&[u8]) -> bool) -> Option<Received> {
        let mut reading = self.reading.borrow_mut();
        let reading = &mut *reading;
        let (mut silent, mut unwanted) = (0, 0);
        let used = self.area.used();
        while self.is_listening.get() && silent < used {
            let place = reading.place;
            let is_own = place == self.place || place >= used;
            let found = (!is_own && reading.in_a_row < MAX_IN_A_ROW)
                .then(|| self.area.ring(place).read(&mut reading.cursors[place], &wants))
                .flatten();
            let received = match found {
                Some(Found::Message { name, kind, payload }) => {
                    Received::Message { name, kind, payload }
                }
                Some(Found::Lost { name }) => Received::Lost { name },
                Some(Found::Overtaken { count }) => Received::Overtaken { count },
                Some(Found::Unwanted) => {
                    silent = 0;
                    unwanted += 1;
                    reading.in_a_row += 1;
                    if unwanted < MAX_IN_A_ROW {
                        continue;
                    }
                    return Some(Received::Unwanted);
                }
                None => {
                    // A ring that only gives way to the others is not silent.
                    silent = if reading.in_a_row > 0 { 0 } else { silent + 1 };
                    reading.place = if place + 1 < used { place + 1 } else { 0 };
                    reading.in_a_row = 0;
                    continue;
                }
            };
            reading.in_a_row += 1;
            return Some(received);
        }
        None
    }

    /// Waits until there may be something to take.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.has_news() {
                return Poll::Ready(Ok(()));
            }
            self.ticket.set(self.ticket.get() + 1);
            let sleeps = self.area.sleeps(self.place);
            sleeps.store(self.ticket.get(), SeqCst);
            // Pairs with the fence of a writer: either it sees the ticket, or this sees its message.
            fence(SeqCst);
            if self.has_news() {
                sleeps.store(0, SeqCst);
                return Poll::Ready(Ok(()));
            }
            let receive = |socket: &UnixDatagram| socket.recv(&mut [0; 8]);
            ready!(self.socket.poll_read_with(cx, receive, |_| false))?;
        }
    }

    fn has_news(&self) -> bool {
        let reading = self.reading.borrow();
        let is_new = |place| !self.area.ring(place).is_at_end(reading.cursors[place]);
        self.is_listening.get() && self.others().any(is_new)
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        let own = self.place;
        (0..self.area.used()).filter(move |&place| place != own)
    }

    /// Wakes the workers that sleep. Clears a ticket after the datagram: a writer that dies in
    /// between leaves a worker that is woken twice, and not one that sleeps on.
    fn wake_others(&self) {
        fence(SeqCst);
        for place in self.others() {
            let sleeps = self.area.sleeps(place);
            let ticket = sleeps.load(SeqCst);
            if ticket == 0 || self.area.listens(place).load(SeqCst) == 0 {
                continue;
            }
            if let Ok(address) = address(self.area, place) {
                // A worker whose buffer is full has datagrams that wake it. One that is gone needs
                // none.
                let _ = self.socket.get_ref().send_to_addr(&[0], &address);
            }
            // By now it may sleep with the next ticket.
            let _ = sleeps.compare_exchange(ticket, 0, SeqCst, SeqCst);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop_listening();
        let _ = JOINED.compare_exchange(std::process::id(), 0, SeqCst, SeqCst);
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The address of the socket that a place is woken by.
#[cfg(target_os = "linux")]
fn address(area: Area, place: usize) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;

    let [first, second] = area.identity();
    SocketAddr::from_abstract_name(format!("squall/{first:016x}{second:016x}/{place}"))
}

#[cfg(not(target_os = "linux"))]
fn address(_: Area, _: usize) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
