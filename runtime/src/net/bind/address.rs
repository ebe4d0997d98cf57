//! The address to listen on as users write it, and the socket addresses that it means.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// An address to listen on: a port, an address, or the path of a Unix socket.
///
/// | text or value | meaning |
/// |---|---|
/// | `8000`, `"8000"`, `":8000"` | this port on all addresses of the machine, IPv4 and IPv6 |
/// | `0` | one port that is free for both, chosen by the kernel |
/// | `"127.0.0.1:8000"`, `"[::1]:8000"` | this address only |
/// | `"localhost:8000"` | every address of the name |
/// | `"unix:/run/app.sock"`, `"/run/app.sock"`, `Path::new("app.sock")` | a Unix socket |
/// | `"unix:@app"` | a Unix socket in Linux's abstract namespace, without a file |
/// | `"systemd:web"` | the sockets that systemd passes by this name (`FileDescriptorName=`) |
///
/// If systemd or a predecessor of this server has passed a socket for the address, that socket is
/// used instead of a new one.
///
/// # Examples
///
/// ```
/// use squall_runtime::BindAddress;
///
/// assert_eq!(BindAddress::from(8000), BindAddress::Port(8000));
/// assert_eq!(BindAddress::from("8000"), BindAddress::Port(8000));
/// assert_eq!(BindAddress::from("[::1]:80"), BindAddress::Address("[::1]:80".to_owned()));
/// assert_eq!(BindAddress::from("unix:a.sock"), BindAddress::Path("a.sock".into()));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum BindAddress {
    /// A TCP port on every address of the machine. With 0, the kernel chooses the port.
    Port(u16),
    /// `host:port`, with an IPv6 address in brackets.
    Address(String),
    /// The file of a Unix socket, or a name in the abstract namespace if the first byte is NUL.
    Path(PathBuf),
    /// The sockets that the service manager passes by this name.
    Named(String),
}

impl BindAddress {
    /// Returns the socket addresses to bind, IPv4 first and without duplicates. Looking up a name
    /// may block.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = match self {
            Self::Port(port) => ("", *port),
            Self::Address(text) => split_host_port(text).ok_or_else(|| self.malformed())?,
            Self::Path(_) | Self::Named(_) => return Ok(Vec::new()),
        };
        if host.is_empty() {
            return Ok(vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            ]);
        }
        let mut addresses = Vec::new();
        for address in (host, port).to_socket_addrs()? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }

    fn malformed(&self) -> io::Error {
        let what = "neither a port, nor `host:port` (an IPv6 host in brackets), nor a path";
        io::Error::new(io::ErrorKind::InvalidInput, format!("`{self}` is {what}"))
    }
}

/// Splits at the last colon. Returns `None` without a port, and for an IPv6 address without
/// brackets, whose last colon may belong to the address.
fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = decimal(port)?;
    if let Some(inside) = host.strip_prefix('[') {
        return Some((inside.strip_suffix(']')?, port));
    }
    (!host.contains(':')).then_some((host, port))
}

/// Parses digits only. `parse` alone would accept a sign.
fn decimal(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl From<u16> for BindAddress {
    fn from(port: u16) -> Self {
        Self::Port(port)
    }
}

impl From<&str> for BindAddress {
    fn from(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.strip_prefix('@') {
                Some(name) => Self::Path(format!("\0{name}").into()),
                None => Self::Path(path.into()),
            };
        }
        if let Some(name) = text.strip_prefix("systemd:") {
            return Self::Named(name.to_owned());
        }
        if text.contains('/') {
            return Self::Path(text.into());
        }
        decimal(text).map_or_else(|| Self::Address(text.to_owned()), Self::Port)
    }
}

impl From<String> for BindAddress {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<SocketAddr> for BindAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address.to_string())
    }
}

impl From<&Path> for BindAddress {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for BindAddress {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Address(text) => f.write_str(text),
            Self::Named(name) => write!(f, "systemd:{name}"),
            Self::Path(path) => match path.to_string_lossy().strip_prefix('\0') {
                Some(name) => write!(f, "unix:@{name}"),
                None => write!(f, "unix:{}", path.display()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_port_an_address_or_a_path() {
        let address = |text: &str| BindAddress::Address(text.to_owned());
        assert_eq!(BindAddress::from("8000"), BindAddress::Port(8000));
        assert_eq!(BindAddress::from("65536"), address("65536"));
        assert_eq!(BindAddress::from("+80"), address("+80"));
        assert_eq!(BindAddress::from(""), address(""));
        assert_eq!(BindAddress::from(":80"), address(":80"));
        assert_eq!(BindAddress::from("localhost:80"), address("localhost:80"));
        assert_eq!(BindAddress::from("run/a"), BindAddress::Path("run/a".into()));
        assert_eq!(BindAddress::from("unix:a"), BindAddress::Path("a".into()));
        assert_eq!(BindAddress::from("unix:@a"), BindAddress::Path("\0a".into()));
        assert_eq!(BindAddress::from("systemd:a/b"), BindAddress::Named("a/b".to_owned()));
        assert_eq!(BindAddress::from(Path::new("80")), BindAddress::Path("80".into()));
    }

    #[test]
    fn host_and_port_are_parted_at_the_last_colon() {
        assert_eq!(split_host_port("localhost:80"), Some(("localhost", 80)));
        assert_eq!(split_host_port("[::1]:80"), Some(("::1", 80)));
        assert_eq!(split_host_port("[fe80::1%2]:80"), Some(("fe80::1%2", 80)));
        assert_eq!(split_host_port(":80"), Some(("", 80)));
        for bad in ["", "localhost", "::1:80", "[::1]", "[::1:80", "a:65536", "a:", "a:+8", "a: 8"]
        {
            assert_eq!(split_host_port(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_port_alone_is_both_families_and_ipv4_comes_first() {
        for address in [BindAddress::from(80), BindAddress::from(":80")] {
            let resolved = address.resolve().unwrap();
            assert_eq!(resolved, ["0.0.0.0:80".parse().unwrap(), "[::]:80".parse().unwrap()]);
        }
    }

    #[test]
    fn a_socket_address_survives_the_text() {
        for text in ["127.0.0.1:80", "[::1]:80", "[fe80::1%3]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(BindAddress::from(address).resolve().unwrap(), [address]);
        }
    }

    #[test]
    fn a_malformed_address_is_named_in_the_error() {
        let error = BindAddress::from("localhost").resolve().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`localhost`"), "{error}");
    }
}
