//! Information about the client from the proxies in front of the server, and which proxies to
//! trust.
//!
//! Everything here is pure: functions take addresses and bytes, and return values.
//!
//! Only trusted proxies are believed. A proxy appends to the headers that it receives, so lists are
//! read from their end. The client may have written everything before the first address that is not
//! a trusted proxy.
//!
//! # Layout
//! - `network`: a range of addresses, such as `10.0.0.0/8`;
//! - `trust`: the trusted proxies;
//! - `node`: an address with or without a port, as in headers;
//! - `claims`: the information about the client in the headers of a request;
//! - `x_headers`: `X-Forwarded-For` and similar headers;
//! - `forwarded`: `Forwarded` (RFC 7239);
//! - `proxy_protocol`: the PROXY protocol, versions 1 and 2.

pub(crate) mod claims;
mod forwarded;
pub(crate) mod network;
mod node;
pub(crate) mod proxy_protocol;
pub(crate) mod trust;
mod x_headers;

/// The protocol between the client and the outermost proxy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Protocol {
    #[default]
    Http,
    Https,
}

impl Protocol {
    /// Returns the protocol by its name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"https") {
            return Some(Self::Https);
        }
        name.eq_ignore_ascii_case(b"http").then_some(Self::Http)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
