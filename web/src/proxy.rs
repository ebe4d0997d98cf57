//! What proxies in front of the server say about the client, and who is believed.
//!
//! Everything here is pure: addresses and bytes go in, values come out.
//!
//! The rule for what is believed: only what was written by a proxy of ours. A proxy appends to
//! what it was sent, so lists are read from their end, and what stands before the first address
//! that is not one of our proxies may have been made up by the client.
//!
//! | file | what |
//! |---|---|
//! | `network` | `10.0.0.0/8` → a range of addresses |
//! | `trust` | which proxies are ours, and which of their headers names the client |
//! | `node` | an address with or without a port, as headers have it |
//! | `claims` | the headers of a request → what they say of the client |
//! | `x_headers` | `X-Forwarded-For` and the like |
//! | `forwarded` | `Forwarded` (RFC 7239) |
//! | `proxy_protocol` | the PROXY protocol, versions 1 and 2 |

pub(crate) mod claims;
mod forwarded;
pub(crate) mod network;
mod node;
pub(crate) mod proxy_protocol;
pub(crate) mod trust;
mod x_headers;

/// What the client speaks to the outermost of our servers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Protocol {
    #[default]
    Http,
    Https,
}

impl Protocol {
    /// By its name, in any case.
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
