//! What may stand in `Host` and in the authority of a target.

use std::net::Ipv6Addr;

use super::scan::{self, DIGIT, REG_NAME, chunk};

/// Whether `value` is a host and an optional port: `uri-host [ ":" port ]`, with a host that
/// is not empty.
///
/// Narrower than the grammar where what it allows has no meaning here: no comma in a name, no
/// future kind of IP literal, no port above 65,535. User information (`user@host`) is not
/// part of a host and refused.
pub(crate) fn is_authority(value: &[u8]) -> bool {
    let end = authority_end(value, 0).map(|end| end as usize);
    end == Some(value.len()) || after_rare_host(value).is_some_and(is_port_part)
}

/// Where the host and port end that begin at `at`, if the host is a plain name and the port
/// cannot be too large, as they nearly always are.
#[inline(always)]
pub(super) fn authority_end(bytes: &[u8], at: u32) -> Option<u32> {
    let end = scan::run_end(bytes, at, REG_NAME);
    if end == at {
        return None;
    }
    if chunk(bytes, end) != Some(b":") {
        return Some(end);
    }
    let port = end + 1;
    let end = scan::run_end(bytes, port, DIGIT);
    (end - port < 5).then_some(end)
}

/// Whether `value` is a host *with* a port, as CONNECT has it.
pub(crate) fn is_authority_with_port(value: &[u8]) -> bool {
    // In an address in brackets, what follows the last colon is no number.
    let port = value.iter().rposition(|&byte| byte == b':').map(|colon| &value[colon + 1..]);
    port.is_some_and(|port| !port.is_empty() && is_port(port)) && is_authority(value)
}

/// What follows an IPv6 address in brackets, or a name with escapes, which begins `value`.
#[cold]
fn after_rare_host(value: &[u8]) -> Option<&[u8]> {
    if let [b'[', literal @ ..] = value {
        let end = literal.iter().position(|&byte| byte == b']')?;
        let address = str::from_utf8(&literal[..end]).ok()?;
        address.parse::<Ipv6Addr>().ok()?;
        return Some(&literal[end + 1..]);
    }
    let mut rest = value;
    loop {
        match rest {
            [byte, tail @ ..] if scan::is(*byte, REG_NAME) => rest = tail,
            [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = tail;
            }
            _ => return (rest.len() < value.len()).then_some(rest),
        }
    }
}

/// Whether `rest`, what follows a host, is nothing, or a colon and a port.
fn is_port_part(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

/// Whether `digits` are a port. They may be none (RFC 3986 §3.2.3).
fn is_port(digits: &[u8]) -> bool {
    let in_range = digits.len() < 5 || digits.len() == 5 && digits <= b"65535".as_slice();
    in_range && digits.iter().all(u8::is_ascii_digit)
}
