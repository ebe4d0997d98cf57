//! `Forwarded` (RFC 7239): a list with an element for each proxy, which says from whom the proxy
//! had the request and what was asked.

use crate::http1::field::trim_start;
use crate::http1::host::is_authority;
use crate::proxy::claims::{Claims, Field, MOST_PROXIES, values};
use crate::proxy::trust::TrustedProxies;
use crate::proxy::{Protocol, node};

/// Reads the element that was written about the client: the last whose `for` is not one of the
/// `trusted`, or the first of all. Nothing is read where a line in its place is no such list.
pub(super) fn read<'a>(
    fields: impl DoubleEndedIterator<Item = Field<'a>>,
    trusted: &TrustedProxies,
) -> Claims<'a> {
    let mut chosen: Option<Element<'a>> = None;
    for line in values(fields, "forwarded").take(MOST_PROXIES) {
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

/// The element of one line, from its beginning: where a quoted string ends cannot be told from
/// the end of the line.
fn choose<'a>(line: &'a [u8], trusted: &TrustedProxies) -> Result<Option<Element<'a>>, Malformed> {
    let mut chosen = None;
    let mut rest = line;
    let mut count = 0;
    while !rest.is_empty() {
        let Some(element) = Element::take(&mut rest)? else { continue };
        count += 1;
        if count > MOST_PROXIES {
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

/// What one proxy says. Backslashes in quoted strings stay: nothing that is read here has any.
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

    /// Takes an element and the comma behind it off `rest`; none, if there is nothing in it.
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
        // Twice, it could be read in two ways.
        place.replace(value).map_or(Ok(()), |_| Err(Malformed))
    }
}

/// Takes `name=value` or `name="value"` off `rest`, and the space behind it.
fn take_pair<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let equals = rest.iter().position(|byte| b"=,; \t\"".contains(byte)).ok_or(Malformed)?;
    let (name, behind) = rest.split_at(equals);
    let [b'=', behind @ ..] = behind else { return Err(Malformed) };
    let (value, behind) = match behind {
        [b'"', quoted @ ..] => split_quoted(quoted)?,
        // More than a token: addresses often come without the quotes that they need.
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

/// Splits what follows a quote into the quoted string and what follows that.
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
