//! [`TrustedProxies`]: the proxies whose headers are believed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::proxy::network::{Network, NetworkError};

/// A Unix socket in a list of proxies.
const UNIX: &str = "unix:";

/// The proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
    unix: bool,
}

impl TrustedProxies {
    /// Parses networks, addresses and `unix:`.
    pub(crate) fn parse<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Self, TrustError> {
        let mut trusted = Self::default();
        for text in texts {
            let text = text.as_ref();
            if text == UNIX {
                trusted.unix = true;
                continue;
            }
            let network = text.parse();
            let network = network.map_err(|reason| TrustError { text: text.to_owned(), reason })?;
            trusted.networks.push(network);
        }
        Ok(trusted)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether `peer` is a trusted proxy.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) => self.contains(address.ip()),
            Peer::Unix => self.unix,
            Peer::Unknown => false,
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peer {
    Address(SocketAddr),
    /// A process on this machine.
    Unix,
    /// Unknown, as in tests.
    Unknown,
}

impl Peer {
    pub(crate) fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unix | Self::Unknown => None,
        }
    }
}

/// A malformed text in a list of proxies.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct TrustError {
    text: String,
    reason: NetworkError,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot be trusted as a proxy: {}", self.text, self.reason)
    }
}

/// Writes the same text as `Display`, because `main` prints an error with `Debug`.
impl fmt::Debug for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TrustError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_trusted_if_it_is_in_the_list() {
        let trusted = TrustedProxies::parse(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]).unwrap();
        let trusts = |text: &str| trusted.trusts(Peer::Address(text.parse().unwrap()));
        assert!(trusts("127.0.0.1:80"));
        assert!(trusts("10.1.2.3:0"));
        assert!(trusts("[::ffff:10.1.2.3]:1"));
        assert!(trusts("[2001:db8::1]:1"));
        assert!(!trusts("127.0.0.2:80"));
        assert!(!trusts("[::1]:80"));
        assert!(!trusted.trusts(Peer::Unix));
        assert!(!trusted.trusts(Peer::Unknown));
    }

    #[test]
    fn unix_sockets_are_trusted_if_they_are_in_the_list() {
        let trusted = TrustedProxies::parse(["unix:"]).unwrap();
        assert!(trusted.trusts(Peer::Unix));
        assert!(!trusted.trusts(Peer::Unknown));
        assert!(!trusted.contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn an_error_that_main_returns_can_be_read() {
        let error = TrustedProxies::parse(["10.0.0.0/33"]).unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string());
    }

    #[test]
    fn an_empty_list_trusts_no_proxy() {
        let trusted = TrustedProxies::parse::<&str>([]).unwrap();
        assert!(!trusted.trusts(Peer::Unix));
        assert!(!trusted.trusts(Peer::Address(([127, 0, 0, 1], 1).into())));
    }

    #[test]
    fn the_error_names_the_text() {
        let error = TrustedProxies::parse(["::1", "10.0.0.1/8"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"10.0.0.1/8\" cannot be trusted as a proxy: \
             the address has bits after its prefix: the network is 10.0.0.0/8"
        );
        let error = TrustedProxies::parse(["nginx"]).unwrap_err();
        assert!(error.to_string().starts_with("\"nginx\" "), "{error}");
    }
}
