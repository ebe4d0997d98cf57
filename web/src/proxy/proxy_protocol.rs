//! The PROXY protocol, versions 1 and 2: a proxy that only passes bytes on says before the first
//! of them whose they are.
//!
//! As in HAProxy's `proxy-protocol.txt` of 2020. What is in doubt is refused.

mod crc32c;
mod v1;
mod v2;

use std::fmt;
use std::net::SocketAddr;

/// Who opened the connection, according to the proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The proxy itself, to see whether the server lives.
    Local,
    /// A client that the proxy says nothing of that means anything here.
    Unknown,
    Client(SocketAddr),
}

/// A complete header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ProxyHeader {
    pub(crate) source: Source,
    /// Whether the client speaks TLS to the proxy; `None`: the proxy does not say.
    pub(crate) tls: Option<bool>,
    /// How many bytes it has.
    pub(crate) length: usize,
}

/// Reads the header that `bytes` begin with; `None` if there is more to come, and nothing is
/// wrong so far.
///
/// Costs little however often it is called: version 1 is short, and version 2 says its length.
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

/// Why there is no header, or none that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProxyHeaderError {
    Missing,
    /// A line of version 1 that is not as it must be.
    Line,
    /// The line does not end.
    TooLong,
    /// Not version 2, or a command that it does not have.
    Version,
    /// More than is ever needed.
    TooLarge,
    /// It is too short for what it says it holds.
    TooShort,
    /// The checksum is not that of the header.
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
            Self::TooShort => "the PROXY protocol header is shorter than what it holds",
            Self::Checksum => "the checksum of the PROXY protocol header is wrong",
        })
    }
}

#[cfg(test)]
mod tests;
