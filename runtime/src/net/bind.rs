//! Binding: from an address as users write it to listeners.
//!
//! A socket is bound before the process forks, and each worker listens on it after the fork.
//!
//! # Layout
//!
//! - `options`, `address`: the settings, and the addresses as users write them
//! - `tcp`, `unix`: one socket
//! - `bound`: one address and its sockets
//! - `slots`: one listener per worker
//! - `listener`: a listener as a server uses it
//! - `adoption`: the listeners of other workers
//! - `handed`: sockets that were bound before the program started

mod address;
mod adoption;
mod bound;
mod handed;
mod listener;
mod options;
mod slots;
mod tcp;
mod unix;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::io::Errno;

pub use address::BindAddress;
pub use adoption::{Adoption, Adoptions};
pub(crate) use adoption::{serves_adopted, set_adopted};
pub(crate) use handed::{Handed, Traits};
pub use listener::Listener;
pub use options::BindOptions;
pub(crate) use slots::Slots;
pub use slots::Sockets;
pub(crate) use slots::sockets_taken;

use bound::Bound;

/// The number of attempts to find a port that is free for IPv4 and IPv6. A failure is rare: another
/// process must hold the port in one family only.
const PORT_TRIES: usize = 10;

impl BindOptions {
    /// Binds `address` and listens on it. Takes a socket out of `handed` instead if there is one
    /// for this address.
    pub(crate) fn bind(
        &self,
        address: BindAddress,
        handed: &mut Vec<Handed>,
    ) -> io::Result<Sockets> {
        let bound = match address {
            BindAddress::Path(path) => vec![self.bind_unix(path, handed)?],
            BindAddress::Named(name) => self.bind_named(&name, handed)?,
            tcp => {
                let addresses = tcp.resolve().map_err(|error| named(&tcp, &error))?;
                self.bind_tcp(&addresses, handed)?
            }
        };
        Ok(Sockets::register(bound))
    }

    fn bind_named(&self, name: &str, handed: &mut Vec<Handed>) -> io::Result<Vec<Bound>> {
        let found = handed::take_named(handed, name);
        if found.is_empty() {
            let text = format!("the service manager has passed no socket named `{name}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        found.into_iter().map(|handed| self.take(handed)).collect()
    }

    fn take(&self, handed: Handed) -> io::Result<Bound> {
        let name = handed.to_string();
        Bound::handed(handed, self.backlog, self.inherited).map_err(|error| named(&name, &error))
    }

    fn bind_unix(&self, path: PathBuf, handed: &mut Vec<Handed>) -> io::Result<Bound> {
        if let Some(handed) = handed::take_unix(handed, &path) {
            return self.take(handed);
        }
        let socket = unix::listen(&path, self.unix_mode, self.backlog)
            .map_err(|error| named(&BindAddress::Path(path.clone()), &error))?;
        Ok(Bound::unix(path, self.backlog, socket))
    }

    fn bind_tcp(
        &self,
        addresses: &[SocketAddr],
        handed: &mut Vec<Handed>,
    ) -> io::Result<Vec<Bound>> {
        let any_port = addresses.iter().any(|address| address.port() == 0);
        retry_in_use(if any_port { PORT_TRIES } else { 1 }, || self.bind_all(addresses, handed))
    }

    /// Binds each address. Where the port is 0, all addresses get the port that the kernel chose
    /// for the first one.
    fn bind_all(
        &self,
        addresses: &[SocketAddr],
        handed: &mut Vec<Handed>,
    ) -> io::Result<Vec<Bound>> {
        let mut bound: Vec<Bound> = Vec::with_capacity(addresses.len());
        let mut chosen = 0;
        for &(mut address) in addresses {
            let any_port = address.port() == 0;
            if any_port {
                address.set_port(chosen);
            }
            // An IPv6 socket that was handed over may accept IPv4 connections, too.
            if bound.iter().any(|bound| bound.covers(address)) {
                continue;
            }
            if let Some(handed) = handed::take_tcp(handed, address) {
                let taken = self.take(handed)?;
                chosen = taken.address().map_or(0, |address| address.port());
                bound.push(taken);
                continue;
            }
            match tcp::listen(address, self.reuse_port, self.backlog, self.inherited) {
                Ok(socket) => {
                    let local = tcp::local_addr(&socket)?;
                    chosen = local.port();
                    bound.push(Bound::tcp(local, self.backlog, self.inherited, any_port, socket));
                }
                // IPv4 came first. If it is bound, a machine without IPv6 is no error.
                Err(error)
                    if address.is_ipv6() && !bound.is_empty() && is_family_absent(&error) => {}
                Err(error) => return Err(named(&address, &error)),
            }
        }
        Ok(bound)
    }
}

/// Calls `bind` again if the address is in use, up to `tries` times in total.
fn retry_in_use<T>(tries: usize, mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..tries {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    bind()
}

/// Adds the address to an error, because "Address already in use" alone is no help.
fn named(address: &dyn fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// Returns whether the system lacks this family of addresses, or has none of them configured.
fn is_family_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests;
