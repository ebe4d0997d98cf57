//! Sockets that were bound before this program started: by the service manager, or by the server
//! that it replaces.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use socket2::{Socket, Type};

/// One address that was handed over, and its sockets by slot.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(super) place: HandedPlace,
    /// Never empty.
    pub(super) sockets: Vec<Socket>,
    pub(super) traits: Traits,
    /// The name that the service manager gave it.
    pub(super) name: String,
}

/// Facts about a bound address that pass from server to server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Traits {
    /// The kernel chose the port.
    pub(crate) any_port: bool,
    /// All slots share the one socket.
    pub(crate) shared: bool,
}

/// The address of a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HandedPlace {
    Tcp {
        address: SocketAddr,
        /// An IPv6 socket that is bound to all addresses accepts IPv4 connections, too.
        both_families: bool,
    },
    Unix(PathBuf),
}

impl Handed {
    /// Takes descriptors that were handed over for one address.
    ///
    /// # Errors
    ///
    /// Fails unless each is a stream socket, bound to an IP address or a path that is the same for
    /// all.
    pub(crate) fn new(
        descriptors: Vec<OwnedFd>,
        traits: Traits,
        name: impl Into<String>,
    ) -> io::Result<Self> {
        let sockets: Vec<Socket> = descriptors.into_iter().map(Socket::from).collect();
        let mut places = sockets.iter().map(place);
        let place = places.next().ok_or(io::ErrorKind::InvalidInput)??;
        for other in places {
            if other? != place {
                return Err(invalid("the sockets of one address are bound to different addresses"));
            }
        }
        for socket in &sockets {
            socket.set_nonblocking(true)?;
            socket.set_cloexec(true)?;
        }
        Ok(Self { place, sockets, traits, name: name.into() })
    }

    /// Returns whether this serves a request to bind `wanted`.
    fn serves(&self, wanted: SocketAddr) -> bool {
        match self.place {
            HandedPlace::Tcp { address, both_families } => {
                let any_port = wanted.port() == 0 && self.traits.any_port;
                let ports = any_port || address.port() == wanted.port();
                let same = address.ip() == wanted.ip();
                let covered = both_families && wanted.is_ipv4() && wanted.ip().is_unspecified();
                ports && (same || covered && address.ip().is_unspecified())
            }
            HandedPlace::Unix(_) => false,
        }
    }
}

/// Takes out the sockets for this address, if there are any. An exact port comes before one that
/// the kernel chose.
pub(super) fn take_tcp(handed: &mut Vec<Handed>, wanted: SocketAddr) -> Option<Handed> {
    let index = handed.iter().position(|handed| handed.serves(wanted))?;
    Some(handed.remove(index))
}

pub(super) fn take_unix(handed: &mut Vec<Handed>, wanted: &Path) -> Option<Handed> {
    let is_it =
        |handed: &Handed| matches!(&handed.place, HandedPlace::Unix(path) if path == wanted);
    let index = handed.iter().position(is_it)?;
    Some(handed.remove(index))
}

/// Takes out all sockets to which the service manager gave this name.
pub(super) fn take_named(handed: &mut Vec<Handed>, name: &str) -> Vec<Handed> {
    handed.extract_if(.., |handed| handed.name == name).collect()
}

fn place(socket: &Socket) -> io::Result<HandedPlace> {
    if socket.r#type()? != Type::STREAM {
        return Err(invalid("not a stream socket"));
    }
    let address = socket.local_addr()?;
    if let Some(ip) = address.as_socket() {
        if ip.port() == 0 {
            return Err(invalid("the socket is not bound"));
        }
        let both_families = ip.is_ipv6() && !socket.only_v6()?;
        return Ok(HandedPlace::Tcp { address: ip, both_families });
    }
    if let Some(path) = address.as_pathname() {
        return Ok(HandedPlace::Unix(path.to_owned()));
    }
    let name = address.as_abstract_namespace().map(|name| [b"\0", name].concat());
    match name.map(String::from_utf8) {
        Some(Ok(name)) => Ok(HandedPlace::Unix(name.into())),
        _ => Err(invalid("the socket is bound neither to an IP address nor to a path")),
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            HandedPlace::Tcp { address, .. } => address.fmt(f),
            HandedPlace::Unix(path) => super::BindAddress::Path(path.clone()).fmt(f),
        }
    }
}
