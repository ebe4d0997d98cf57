//! `Forwarded` (RFC 7239): a list with an element for each proxy. The element contains the address
//! from which the proxy received the request, and the requested protocol and host.

use crate::http1::field::trim_start;
use crate::http1::host::is_authority;
use crate::proxy::claims::{Claims, Field, MAX_PROXIES, values};
use crate::proxy::trust::TrustedProxies;
use crate::proxy::{Protocol, node};

/// Reads the element about the client: the last one whose `for` is not a `trusted` proxy, or the
/// first one if all are. Ignores the header if a line is malformed.
pub(super) fn read<'a>(
    fields: impl DoubleEndedIterator<Item = Field<'a>>,
    trusted: &TrustedProxies,
) -> Claims<'a> {
    let mut chosen: Option<Element<'a>> = None;
    for line in values(fields, "forwarded").take(MAX_PROXIES) {
        match choose(line, trusted) {
            Ok(element) => chosen = element.or(chosen),
            Err(Malformed) => return Claims::default(),
        }
        if chosen.is_some_and(|element| !element.is_about_one_of(trusted)) {
            break;
        }
    }
    let Some(element) = chosen else { return Claims::default() };
    Claims {
        address: element.client.and_then(node::parse),
        protocol: element.protocol.and_then(Protocol::named),
        host: element.host.filter(|host| is_authority(host)),
    }
}

/// Chooses the element of one line. Parses the line from its beginning, because quoted strings
/// cannot be parsed backwards.
fn choose<'a>(line: &'a [u8], trusted: &TrustedProxies) -> Result<Option<Element<'a>>, Malformed> {
    let mut chosen = None;
    let mut rest = line;
    let mut count = 0;
    while !rest.is_empty() {
        let Some(element) = Element::take(&mut rest)? else { continue };
        count += 1;
        if count > MAX_PROXIES {
            return Err(Malformed);
        }
        if chosen.is_none() || !element.is_about_one_of(trusted) {
            chosen = Some(element);
        }
    }
    Ok(chosen)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Malformed;

/// The element of one proxy. Backslashes in quoted strings are kept: no valid value here has any.
#[derive(Clone, Copy, Debug, Default)]
struct Element<'a> {
    client: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    fn is_about_one_of(self, trusted: &TrustedProxies) -> bool {
        let address = self.client.and_then(node::parse);
        address.is_some_and(|address| trusted.contains(address.ip()))
    }

    /// Removes an element and the comma after it from `rest`. Returns `None` if the element is
    /// empty.
    fn take(rest: &mut &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut element = None;
        loop {
            *rest = trim_start(rest);
            match rest {
                [] => return Ok(element),
                [b',', behind @ ..] => {
                    *rest = behind;
                    return Ok(element);
                }
                [b';', behind @ ..] => *rest = behind,
                _ => {
                    let (name, value) = take_pair(rest)?;
                    element.get_or_insert_with(Self::default).set(name, value)?;
                }
            }
        }
    }

    fn set(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Malformed> {
        let place = match &name.to_ascii_lowercase()[..] {
            b"for" => &mut self.client,
            b"proto" => &mut self.protocol,
            b"host" => &mut self.host,
            _ => return Ok(()),
        };
        // A repeated parameter could be understood in two ways.
        place.replace(value).map_or(Ok(()), |_| Err(Malformed))
    }
}

/// Removes `name=value` or `name="value"`, and the white space after it, from `rest`.
fn take_pair<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let equals = rest.iter().position(|byte| b"=,; \t\"".contains(byte)).ok_or(Malformed)?;
    let (name, behind) = rest.split_at(equals);
    let [b'=', behind @ ..] = behind else { return Err(Malformed) };
    let (value, behind) = match behind {
        [b'"', quoted @ ..] => split_quoted(quoted)?,
        // Accept more than a token: addresses often lack the required quotes.
        _ => behind.split_at(
            behind.iter().position(|byte| b",; \t\"".contains(byte)).unwrap_or(behind.len()),
        ),
    };
    *rest = trim_start(behind);
    let is_separated = matches!(rest, [] | [b',' | b';', ..]);
    if name.is_empty() || !is_separated {
        return Err(Malformed);
    }
    Ok((name, value))
}

/// Splits the text after a quote into the quoted string and the rest.
fn split_quoted(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let end = end.ok_or(Malformed)?;
    Ok((&text[..end], &text[end + 1..]))
}
