//! What may stand in `Host` and in the authority of a target.

use std::net::Ipv6Addr;

use super::field::is_reg_name_byte;

/// Whether `value` is a host and an optional port: `uri-host [ ":" port ]`, with a host that
/// is not empty.
///
/// Narrower than the grammar where what it allows has no meaning here: no comma in a name, no
/// future kind of IP literal, no port above 65,535. User information (`user@host`) is not
/// part of a host and refused.
pub(crate) fn is_authority(value: &[u8]) -> bool {
    match value {
        [b'[', rest @ ..] => after_ip_literal(rest).is_some_and(is_port_part),
        _ => after_name(value).is_some_and(is_port_part),
    }
}

/// Whether `value` is a host *with* a port, as CONNECT has it.
pub(crate) fn is_authority_with_port(value: &[u8]) -> bool {
    is_authority(value) && value.last().is_some_and(u8::is_ascii_digit) && {
        let name_end = value.iter().rposition(|&byte| byte == b':');
        name_end.is_some_and(|colon| !value[colon..].contains(&b']'))
    }
}

/// What follows a registered name or an IPv4 address, or `None` if there is none.
fn after_name(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    loop {
        match rest {
            [byte, tail @ ..] if is_reg_name_byte(*byte) => rest = tail,
            [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = tail;
            }
            _ if rest.len() == value.len() => return None,
            _ => return Some(rest),
        }
    }
}

/// What follows an IPv6 address in brackets, of which the first is gone.
fn after_ip_literal(value: &[u8]) -> Option<&[u8]> {
    let end = value.iter().position(|&byte| byte == b']')?;
    let address = str::from_utf8(&value[..end]).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    Some(&value[end + 1..])
}

/// Whether `rest`, what follows a host, is nothing, or a colon and a port. The port may be
/// empty (RFC 3986 §3.2.3).
fn is_port_part(rest: &[u8]) -> bool {
    let [b':', digits @ ..] = rest else { return rest.is_empty() };
    digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65_535
}
