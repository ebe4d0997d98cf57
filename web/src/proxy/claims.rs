use std::net::SocketAddr;

use crate::http::HeaderName;
use crate::http1::field::trim;
use crate::proxy::trust::TrustedProxies;
use crate::proxy::{Protocol, forwarded, node, x_headers};

/// How many proxies a request may have passed through: so many entries of a list are looked at,
/// from its end.
pub(super) const MOST_PROXIES: usize = 64;

/// A header: its name, in any case, and its value.
pub(crate) type Field<'a> = (&'a [u8], &'a [u8]);

/// What headers say of the client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Claims<'a> {
    /// The port is 0 where none is told.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) protocol: Option<Protocol>,
    /// A valid host, with or without a port.
    pub(crate) host: Option<&'a [u8]>,
}

/// Which header says who the client is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum ClientHeader {
    /// `X-Real-Ip`, else `X-Forwarded-For`; or `Forwarded` in a request without any `X-` header.
    #[default]
    Usual,
    /// `Forwarded`, and no `X-` header counts at all.
    Forwarded,
    /// This one, which is a list like `X-Forwarded-For`; and `Forwarded` does not count at all.
    Named(HeaderName),
}

impl ClientHeader {
    pub(crate) fn named(name: HeaderName) -> Self {
        if name == "forwarded" { Self::Forwarded } else { Self::Named(name) }
    }
}

/// Reads what the headers of a request say, which was sent by one of the `trusted` proxies.
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
        ClientHeader::Usual if x_headers::are_in(fields.clone()) => {
            x_headers::read(&fields, trusted)
        }
        ClientHeader::Usual => forwarded::read(fields, trusted),
    }
}

/// The values of the headers called `name`, the last one first.
pub(super) fn values<'a>(
    fields: impl DoubleEndedIterator<Item = Field<'a>>,
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    let matches = move |&(other, _): &Field<'a>| other.eq_ignore_ascii_case(name.as_bytes());
    fields.rev().filter(matches).map(|(_, value)| value)
}

/// The last address of a list that is not one of the `trusted`, or the first of all; none if
/// there stands something else in its place.
///
/// What comes before it is not even looked at: the client may have written it.
pub(super) fn last_untrusted<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    trusted: &TrustedProxies,
) -> Option<SocketAddr> {
    let entries = values.flat_map(|value| value.rsplit(|&byte| byte == b',')).map(trim);
    let mut client = None;
    for entry in entries.filter(|entry| !entry.is_empty()).take(MOST_PROXIES) {
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
