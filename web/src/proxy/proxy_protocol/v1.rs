//! Version 1 of the PROXY protocol: a line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::proxy::proxy_protocol::{ConnectionSource, ProxyHeader, ProxyHeaderError};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The maximum length of the line, including CR LF.
const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let seen = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        return if seen.len() < LONGEST { Ok(None) } else { Err(ProxyHeaderError::TooLong) };
    };
    let line = seen[..end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(SIGNATURE));
    // Some parsers take any CR for the end of the line.
    let line = line.filter(|line| !line.contains(&b'\r'));
    let source = line.and_then(source).ok_or(ProxyHeaderError::Line)?;
    Ok(Some(ProxyHeader { source, tls: None, length: end + 1 }))
}

/// Parses the text between `PROXY ` and the end of the line.
fn source(line: &[u8]) -> Option<ConnectionSource> {
    // The text after `UNKNOWN` is ignored.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Some(ConnectionSource::Unknown);
    }
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let client = match words.next()? {
        "TCP4" => addresses::<Ipv4Addr>(&mut words)?,
        "TCP6" => addresses::<Ipv6Addr>(&mut words)?,
        _ => return None,
    };
    words.next().is_none().then_some(ConnectionSource::Client(client))
}

/// Parses both addresses and both ports. All must be valid, but only the source is used.
fn addresses<'a, A>(words: &mut impl Iterator<Item = &'a str>) -> Option<SocketAddr>
where
    A: FromStr + Into<IpAddr>,
{
    let source: A = words.next()?.parse().ok()?;
    let _destination: A = words.next()?.parse().ok()?;
    let source_port = port(words.next()?)?;
    let _destination_port = port(words.next()?)?;
    Some(SocketAddr::new(source.into().to_canonical(), source_port))
}

/// Parses a decimal port without leading zeros.
fn port(digits: &str) -> Option<u16> {
    let number: u16 = digits.parse().ok()?;
    // Only one spelling is valid.
    (number.to_string() == digits).then_some(number)
}
