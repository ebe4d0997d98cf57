//! The PROXY protocol, versions 1 and 2. A proxy that only forwards bytes first sends a header with
//! the address of the client.
//!
//! The specification is HAProxy's `proxy-protocol.txt` of 2020. Ambiguous headers are refused.

mod crc32c;
mod v1;
mod v2;

use std::fmt;
use std::net::SocketAddr;

/// Who opened the connection, according to the proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectionSource {
    /// The proxy itself, for a health check.
    Local,
    /// A client whose address is unknown, or not an IP address.
    Unknown,
    Client(SocketAddr),
}

/// A complete header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ProxyHeader {
    pub(crate) source: ConnectionSource,
    /// Whether the client uses TLS. `None` if the proxy does not say.
    pub(crate) tls: Option<bool>,
    /// The length of the header in bytes.
    pub(crate) length: usize,
}

/// Parses the header at the front of `bytes`. Returns `None` if it is incomplete and correct so
/// far.
///
/// Repeated calls are cheap: version 1 is short, and version 2 contains its length.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let begins = |signature: &[u8]| {
        let length = bytes.len().min(signature.len());
        bytes[..length] == signature[..length]
    };
    if begins(v2::SIGNATURE) {
        return v2::read(bytes);
    }
    if begins(v1::SIGNATURE) {
        return v1::read(bytes);
    }
    Err(ProxyHeaderError::Missing)
}

/// The reason why a header is missing or refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProxyHeaderError {
    Missing,
    /// The line of version 1 is malformed.
    Line,
    /// The line is too long.
    TooLong,
    /// An unknown version, or an unknown command.
    Version,
    /// The header is larger than the limit.
    TooLarge,
    /// The header is too short for its content.
    TooShort,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the connection does not begin with a PROXY protocol header",
            Self::Line => "the PROXY protocol line is malformed",
            Self::TooLong => "the PROXY protocol line is too long",
            Self::Version => "the PROXY protocol header has an unknown version or command",
            Self::TooLarge => "the PROXY protocol header is too large",
            Self::TooShort => "the PROXY protocol header is too short for its content",
            Self::Checksum => "the checksum of the PROXY protocol header is wrong",
        })
    }
}

#[cfg(test)]
mod tests;
