//! The syntax of `Host` and of the authority in a target.

use std::net::Ipv6Addr;

use memchr::memchr;

use super::byte_class::is_reg_name_byte;

/// Whether `value` is a host and an optional port: `uri-host [ ":" port ]`. The host must not be
/// empty.
///
/// This is stricter than the grammar where the grammar has no use here: a name has no comma, an IP
/// literal has no future version, and a port is at most 65,535. User information (`user@host`) is
/// not part of a host, and is refused.
pub(crate) fn is_authority(value: &[u8]) -> bool {
    after_host(value).is_some_and(is_port_part)
}

/// Whether `value` is a host *with* a port, the form for CONNECT.
pub(crate) fn is_authority_with_port(value: &[u8]) -> bool {
    // In an address in brackets, no number follows the last colon.
    let port = value.iter().rposition(|&byte| byte == b':').map(|colon| &value[colon + 1..]);
    port.is_some_and(|port| !port.is_empty() && is_port(port)) && is_authority(value)
}

/// Returns the bytes after the host at the front of `value`: a name, or an IPv6 address in
/// brackets.
fn after_host(value: &[u8]) -> Option<&[u8]> {
    if let [b'[', literal @ ..] = value {
        let end = memchr(b']', literal)?;
        let address = str::from_utf8(&literal[..end]).ok()?;
        address.parse::<Ipv6Addr>().ok()?;
        return Some(&literal[end + 1..]);
    }
    let mut rest = value;
    loop {
        let name_end = rest.iter().position(|&byte| !is_reg_name_byte(byte));
        rest = &rest[name_end.unwrap_or(rest.len())..];
        match rest {
            [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = tail;
            }
            _ => return (rest.len() < value.len()).then_some(rest),
        }
    }
}

/// Whether `rest`, the bytes after a host, is empty, or a colon and a port.
fn is_port_part(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

/// Whether `digits` are a port. They may be empty (RFC 3986 §3.2.3).
fn is_port(digits: &[u8]) -> bool {
    let in_range = digits.len() < 5 || digits.len() == 5 && digits <= b"65535".as_slice();
    in_range && digits.iter().all(u8::is_ascii_digit)
}
