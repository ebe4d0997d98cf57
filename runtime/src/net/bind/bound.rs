//! One address that is bound, and its sockets by slot.

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

/// One address, and its sockets by slot.
pub(super) struct Bound {
    place: Place,
    backlog: i32,
    traits: Traits,
    /// What its manager calls it, if it was handed over.
    name: String,
    /// Never empty. A single socket is shared by all slots.
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

    /// What was bound before this program began: its sockets stay as they are, but for what
    /// `inherited` says. The file of a Unix socket keeps its permissions, which are not ours.
    pub(super) fn handed(handed: Handed, backlog: i32, inherited: Inherited) -> io::Result<Self> {
        let Handed { place, sockets, traits, name } = handed;
        let place = match place {
            HandedPlace::Tcp(address, _) => {
                for socket in &sockets {
                    tcp::set_inherited(socket, inherited)?;
                }
                Place::Tcp(address, inherited)
            }
            HandedPlace::Unix(path) => Place::Unix(path),
        };
        // What somebody connects to before a worker asks for its listener must not be refused.
        sockets[0].listen(backlog)?;
        Ok(Self { place, backlog, traits, name, slots: RefCell::new(sockets) })
    }

    /// Whether somebody who asks for `address` has it in this.
    pub(super) fn covers(&self, address: SocketAddr) -> bool {
        self.address() == Some(address)
    }

    /// `None` for a Unix socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Tcp(address, _) => Some(address),
            Place::Unix(_) => None,
        }
    }

    /// How many slots have a socket.
    pub(super) fn count(&self) -> usize {
        self.slots.borrow().len()
    }

    /// What there is to hand over to another program.
    pub(super) fn to_hand_over(&self) -> (Vec<RawFd>, Traits, String) {
        let numbers = self.slots.borrow().iter().map(AsRawFd::as_raw_fd).collect();
        (numbers, self.traits, self.name.clone())
    }

    /// Says whether a program that is started from now on has the sockets too.
    pub(super) fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        self.slots.borrow().iter().try_for_each(|socket| socket.set_cloexec(!inheritable))
    }

    /// Binds further sockets until there is one for each of `count` slots.
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

    /// The listener of `slot`, which from now on is sent connections.
    pub(super) fn listener(&self, slot: usize) -> io::Result<Listener> {
        let listen = || {
            let slots = self.slots.borrow();
            // What was bound after the fork has one socket, and so has what all share.
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

    /// The listener of another worker's slot. `None` if all share one, and while it has none.
    pub(super) fn listener_of(&self, slot: usize) -> Option<io::Result<Listener>> {
        let has_one = self.slots.borrow().len() > slot.max(1);
        has_one.then(|| self.listener(slot))
    }

    /// The first listener, and those that a predecessor with several workers has left.
    pub(super) fn listeners(&self) -> Vec<io::Result<Listener>> {
        let count = self.slots.borrow().len();
        let slots = (0..count).filter(|&slot| slot == 0 || self.listens(slot));
        slots.map(|slot| self.listener(slot)).collect()
    }

    /// Whether the slot has a socket of its own that listens.
    pub(super) fn listens(&self, slot: usize) -> bool {
        let slots = self.slots.borrow();
        slots.len() > 1 && slots.get(slot).is_some_and(accepts)
    }

    /// Whether somebody has connected to the slot and waits. What the service manager has open, too,
    /// is not asked for: it waits for the next server.
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

    /// Takes the slot out of those that get connections, unless it is shared.
    pub(super) fn retire(&self, slot: usize) {
        let slots = self.slots.borrow();
        if slots.len() > 1
            && let Some(socket) = slots.get(slot)
        {
            // Closing would not do: the workers have it open. It fails if the worker never
            // listened, and then there is nothing to do.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Whether the socket listens.
#[cfg(not(target_vendor = "apple"))]
fn accepts(socket: &Socket) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket) == Ok(true)
}

/// Here the system does not tell, but no slot has a socket of its own either: the one that all share
/// listens.
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
