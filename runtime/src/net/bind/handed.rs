//! Sockets that were bound before this program was started, by its service manager or by the
//! server whose place it takes.

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
    /// What its manager calls it.
    pub(super) name: String,
}

/// What is kept of a bound address when it is handed on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Traits {
    /// The system has chosen the port.
    pub(crate) any_port: bool,
    /// All slots share the one socket.
    pub(crate) shared: bool,
}

/// Where a socket is bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HandedPlace {
    /// An IPv6 socket may take IPv4 connections too, if it is bound to all addresses.
    Tcp(SocketAddr, BothFamilies),
    Unix(PathBuf),
}

pub(super) type BothFamilies = bool;

impl Handed {
    /// Looks at what was handed over.
    ///
    /// # Errors
    ///
    /// If it is not a stream socket that is bound to an IP address or a path, or if the sockets
    /// are not all bound to the same.
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
                return Err(invalid("the sockets of one address are bound to several"));
            }
        }
        for socket in &sockets {
            socket.set_nonblocking(true)?;
            socket.set_cloexec(true)?;
        }
        Ok(Self { place, sockets, traits, name: name.into() })
    }

    /// Whether this is what somebody wants who asks for `address`.
    fn serves(&self, wanted: SocketAddr) -> bool {
        match self.place {
            HandedPlace::Tcp(address, both) => {
                let any_port = wanted.port() == 0 && self.traits.any_port;
                let ports = any_port || address.port() == wanted.port();
                let same = address.ip() == wanted.ip();
                let covered = both && wanted.is_ipv4() && wanted.ip().is_unspecified();
                ports && (same || covered && address.ip().is_unspecified())
            }
            HandedPlace::Unix(_) => false,
        }
    }
}

/// Takes what was handed over for this address, if anything was. An exact port goes before one
/// that the system may choose.
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

/// Takes all that the manager calls by this name.
pub(super) fn take_named(handed: &mut Vec<Handed>, name: &str) -> Vec<Handed> {
    handed.extract_if(.., |handed| handed.name == name).collect()
}

fn place(socket: &Socket) -> io::Result<HandedPlace> {
    if socket.r#type()? != Type::STREAM {
        return Err(invalid("it is not a stream socket"));
    }
    let address = socket.local_addr()?;
    if let Some(ip) = address.as_socket() {
        if ip.port() == 0 {
            return Err(invalid("the socket is not bound"));
        }
        let both = ip.is_ipv6() && !socket.only_v6()?;
        return Ok(HandedPlace::Tcp(ip, both));
    }
    if let Some(path) = address.as_pathname() {
        return Ok(HandedPlace::Unix(path.to_owned()));
    }
    let name = address.as_abstract_namespace().map(|name| [b"\0", name].concat());
    match name.map(String::from_utf8) {
        Some(Ok(name)) => Ok(HandedPlace::Unix(name.into())),
        _ => Err(invalid("it is bound neither to an IP address nor to a path")),
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            HandedPlace::Tcp(address, _) => address.fmt(f),
            HandedPlace::Unix(path) => super::BindAddress::Path(path.clone()).fmt(f),
        }
    }
}
