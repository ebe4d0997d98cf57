//! One bound address and its sockets, one per slot.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use super::super::{TcpListener, UnixListener};
use super::handed::{Handed, HandedPlace, Traits};
use super::listener::{self, Listener, SPREADS};
use super::tcp::Inherited;
use super::{BindAddress, named, tcp};

/// One bound address and its sockets, one per slot.
pub(super) struct Bound {
    place: Place,
    backlog: i32,
    traits: Traits,
    /// The name that the service manager gave it, if the socket was handed over.
    name: String,
    /// Never empty. If there is only one socket, all slots share it.
    slots: RefCell<Vec<Socket>>,
}

enum Place {
    Tcp(SocketAddr, Inherited),
    Unix(PathBuf),
}

impl Bound {
    pub(super) fn tcp(
        address: SocketAddr,
        backlog: i32,
        inherited: Inherited,
        any_port: bool,
        socket: Socket,
    ) -> Self {
        let place = Place::Tcp(address, inherited);
        let traits = Traits { any_port, shared: false };
        let slots = RefCell::new(vec![socket]);
        Self { place, backlog, traits, name: String::new(), slots }
    }

    pub(super) fn unix(path: PathBuf, backlog: i32, socket: Socket) -> Self {
        let slots = RefCell::new(vec![socket]);
        let place = Place::Unix(path);
        Self { place, backlog, traits: Traits::default(), name: String::new(), slots }
    }

    /// Takes sockets that were bound before this program started, and applies `inherited`. The file
    /// of a Unix socket keeps its permissions, which belong to the service manager.
    pub(super) fn handed(handed: Handed, backlog: i32, inherited: Inherited) -> io::Result<Self> {
        let Handed { place, sockets, traits, name } = handed;
        let place = match place {
            HandedPlace::Tcp { address, .. } => {
                for socket in &sockets {
                    tcp::set_inherited(socket, inherited)?;
                }
                Place::Tcp(address, inherited)
            }
            HandedPlace::Unix(path) => Place::Unix(path),
        };
        // Clients that connect before a worker asks for its listener must not be refused.
        sockets[0].listen(backlog)?;
        Ok(Self { place, backlog, traits, name, slots: RefCell::new(sockets) })
    }

    /// Returns whether this serves a request to bind `address`.
    pub(super) fn covers(&self, address: SocketAddr) -> bool {
        self.address() == Some(address)
    }

    /// Returns `None` for a Unix socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Tcp(address, _) => Some(address),
            Place::Unix(_) => None,
        }
    }

    /// Returns the number of sockets.
    pub(super) fn count(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Returns what another program needs to take over: descriptors, traits and name.
    pub(super) fn to_hand_over(&self) -> (Vec<RawFd>, Traits, String) {
        let numbers = self.slots.borrow().iter().map(AsRawFd::as_raw_fd).collect();
        (numbers, self.traits, self.name.clone())
    }

    /// Sets whether programs that are started from now on inherit the sockets.
    pub(super) fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        self.slots.borrow().iter().try_for_each(|socket| socket.set_cloexec(!inheritable))
    }

    /// Binds more sockets until there is one for each of `count` slots.
    pub(super) fn open(&self, count: usize) -> io::Result<()> {
        let Place::Tcp(address, inherited) = self.place else { return Ok(()) };
        let mut slots = self.slots.borrow_mut();
        if !SPREADS || self.traits.shared || slots.len() >= count {
            return Ok(());
        }
        let more = |slots: &mut Vec<Socket>| {
            slots[0].set_reuse_port(true)?;
            while slots.len() < count {
                slots.push(tcp::bind(address, true, inherited)?);
            }
            Ok(())
        };
        more(&mut slots).map_err(|error| named(&address, &error))
    }

    /// Returns the listener of `slot`, which gets connections from now on.
    pub(super) fn listener(&self, slot: usize) -> io::Result<Listener> {
        let listen = || {
            let slots = self.slots.borrow();
            // An address that was bound after the fork has one socket, and so has one that all
            // slots share.
            let socket = slots.get(slot).unwrap_or(&slots[0]).try_clone()?;
            listener::welcome_newcomers(&socket);
            socket.listen(self.backlog)?;
            Ok(match self.place {
                Place::Tcp(..) => {
                    let listener = TcpListener::try_from(net::TcpListener::from(socket))?;
                    Listener::Tcp(listener.with_shared(self.traits.shared))
                }
                Place::Unix(_) => {
                    let listener = UnixListener::try_from(StdUnixListener::from(socket))?;
                    Listener::Unix(listener.with_shared(self.traits.shared))
                }
            })
        };
        listen().map_err(|error| named(&self.place, &error))
    }

    /// Returns the listener of another worker's slot. `None` if the slot has no socket of its own.
    pub(super) fn listener_of(&self, slot: usize) -> Option<io::Result<Listener>> {
        let has_one = self.slots.borrow().len() > slot.max(1);
        has_one.then(|| self.listener(slot))
    }

    /// Returns the first listener, and the listening ones that a predecessor with workers has left.
    pub(super) fn listeners(&self) -> Vec<io::Result<Listener>> {
        let count = self.slots.borrow().len();
        let slots = (0..count).filter(|&slot| slot == 0 || self.listens(slot));
        slots.map(|slot| self.listener(slot)).collect()
    }

    /// Returns whether the slot has a socket of its own that listens.
    pub(super) fn listens(&self, slot: usize) -> bool {
        let slots = self.slots.borrow();
        slots.len() > 1 && slots.get(slot).is_some_and(accepts)
    }

    /// Returns whether clients wait in the queue of the slot. A queue that the service manager
    /// shares does not count: its clients wait for the next server.
    pub(super) fn holds_clients(&self, slot: usize, shared_counts: bool) -> bool {
        let slots = self.slots.borrow();
        let Some(socket) = slots.get(slot).or(slots.first()) else { return false };
        let mut queue = [PollFd::new(socket, PollFlags::IN)];
        !self.traits.shared
            && (slots.len() > 1 || shared_counts)
            && accepts(socket)
            && poll(&mut queue, Some(&Timespec::default())).is_ok()
            && queue[0].revents().contains(PollFlags::IN)
    }

    /// Removes the slot from those that get connections, unless all slots share its socket.
    pub(super) fn retire(&self, slot: usize) {
        let slots = self.slots.borrow();
        if slots.len() > 1
            && let Some(socket) = slots.get(slot)
        {
            // Closing is not enough, because the workers have it open. This fails if the worker
            // never listened, and then there is nothing to do.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Returns whether the socket listens.
#[cfg(not(target_vendor = "apple"))]
fn accepts(socket: &Socket) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket) == Ok(true)
}

/// Apple's kernel does not report this. But all slots share one socket there, which listens.
#[cfg(target_vendor = "apple")]
fn accepts(_socket: &Socket) -> bool {
    true
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.place, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address, _) => address.fmt(f),
            Self::Unix(path) => BindAddress::Path(path.clone()).fmt(f),
        }
    }
}
