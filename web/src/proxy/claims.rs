//! [`Claims`]: the information about the client in the headers of a request.

use std::net::SocketAddr;

use crate::http::HeaderName;
use crate::http1::field::trim;
use crate::proxy::trust::TrustedProxies;
use crate::proxy::{Protocol, forwarded, node, x_headers};

/// The maximum number of entries of a list that are read, from its end: one for each proxy.
pub(super) const MAX_PROXIES: usize = 64;

/// The name of a header, in any case, and its value.
pub(crate) type Field<'a> = (&'a [u8], &'a [u8]);

/// The information about a client in the headers of its request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Claims<'a> {
    /// The port is 0 if the headers have none.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) protocol: Option<Protocol>,
    /// A valid host, with or without a port.
    pub(crate) host: Option<&'a [u8]>,
}

/// The header with the address of the client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum ClientHeader {
    /// `X-Real-Ip`, or otherwise `X-Forwarded-For`. `Forwarded` if the request has no `X-` header.
    #[default]
    Default,
    /// `Forwarded`. All `X-` headers are ignored.
    Forwarded,
    /// A list like `X-Forwarded-For` with this name. `Forwarded` is ignored.
    Named(HeaderName),
}

impl ClientHeader {
    pub(crate) fn named(name: HeaderName) -> Self {
        if name == "forwarded" { Self::Forwarded } else { Self::Named(name) }
    }
}

/// Reads the headers of a request. Call it only for a request from one of the `trusted` proxies.
pub(crate) fn read<'a>(
    fields: impl DoubleEndedIterator<Item = Field<'a>> + Clone,
    header: &ClientHeader,
    trusted: &TrustedProxies,
) -> Claims<'a> {
    match header {
        ClientHeader::Forwarded => forwarded::read(fields, trusted),
        ClientHeader::Named(name) => Claims {
            address: last_untrusted(values(fields.clone(), name.as_str()), trusted),
            ..x_headers::read(&fields, trusted)
        },
        ClientHeader::Default if x_headers::are_in(fields.clone()) => {
            x_headers::read(&fields, trusted)
        }
        ClientHeader::Default => forwarded::read(fields, trusted),
    }
}

/// Returns the values of the headers called `name`, the last one first.
pub(super) fn values<'a>(
    fields: impl DoubleEndedIterator<Item = Field<'a>>,
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    let matches = move |&(other, _): &Field<'a>| other.eq_ignore_ascii_case(name.as_bytes());
    fields.rev().filter(matches).map(|(_, value)| value)
}

/// Returns the last address of a list that is not a `trusted` proxy, or the first address if all
/// are. Returns `None` if the entry is not an address.
///
/// Ignores the entries before it, because the client may have written them.
pub(super) fn last_untrusted<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    trusted: &TrustedProxies,
) -> Option<SocketAddr> {
    let entries = values.flat_map(|value| value.rsplit(|&byte| byte == b',')).map(trim);
    let mut client = None;
    for entry in entries.filter(|entry| !entry.is_empty()).take(MAX_PROXIES) {
        let address = node::parse(entry)?;
        client = Some(address);
        if !trusted.contains(address.ip()) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests;
