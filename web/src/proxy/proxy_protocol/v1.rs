//! Version 1: a line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::proxy::proxy_protocol::{ProxyHeader, ProxyHeaderError, Source};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// How long the line may be, with the CRLF.
const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let seen = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        return if seen.len() < LONGEST { Ok(None) } else { Err(ProxyHeaderError::TooLong) };
    };
    let line = seen[..end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(SIGNATURE));
    // To some readers a CR is the end of the line, whatever follows it.
    let line = line.filter(|line| !line.contains(&b'\r'));
    let source = line.and_then(source).ok_or(ProxyHeaderError::Line)?;
    Ok(Some(ProxyHeader { source, tls: None, length: end + 1 }))
}

/// Reads what stands between `PROXY ` and the end of the line.
fn source(line: &[u8]) -> Option<Source> {
    // Whatever follows `UNKNOWN` does not matter.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Some(Source::Unknown);
    }
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let client = match words.next()? {
        "TCP4" => addresses::<Ipv4Addr>(&mut words)?,
        "TCP6" => addresses::<Ipv6Addr>(&mut words)?,
        _ => return None,
    };
    words.next().is_none().then_some(Source::Client(client))
}

/// Reads both addresses and both ports: they must all be right, but only the source counts.
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

/// Decimal, without leading zeros.
fn port(digits: &str) -> Option<u16> {
    let number: u16 = digits.parse().ok()?;
    // Only one way to write it is right.
    (number.to_string() == digits).then_some(number)
}
