//! An IP address with or without a port, as in headers.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Longer than any address in brackets with a port. Longer text is refused.
const LONGEST: usize = 64;

/// Parses an IP address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:80`. The port is 0 if there is none.
///
/// Refuses names and zones. An obfuscated port (`192.0.2.1:_a`, RFC 7239 §6.2) counts as none.
pub(crate) fn parse(text: &[u8]) -> Option<SocketAddr> {
    if text.len() > LONGEST {
        return None;
    }
    let text = str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if rest.is_empty() { 0 } else { port(rest.strip_prefix(':')?)? };
        return Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), port));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let (address, digits) = text.split_once(':')?;
    Some(SocketAddr::new(IpAddr::V4(address.parse().ok()?), port(digits)?))
}

fn port(text: &str) -> Option<u16> {
    if let Some(hidden) = text.strip_prefix('_') {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        return (!hidden.is_empty() && hidden.bytes().all(is_name)).then_some(0);
    }
    // `parse` also accepts a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_parsed_with_and_without_a_port() {
        let rows = [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("192.0.2.1:_port", "192.0.2.1:0"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("2001:DB8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("[2001:db8::1]:_x.y", "[2001:db8::1]:0"),
            ("::ffff:192.0.2.1", "192.0.2.1:0"),
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text.as_bytes()), Some(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        let rows = [
            "",
            "unknown",
            "_hidden",
            "foo",
            "localhost",
            "<script>",
            "192.0.2",
            "192.0.2.1.1",
            "192.0.2.256",
            "0192.0.2.1",
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:+80",
            "192.0.2.1:65536",
            "192.0.2.1:80:80",
            "192.0.2.1:_",
            "192.0.2.1 ",
            " 192.0.2.1",
            "192.0.2.0/24",
            "[192.0.2.1]",
            "[::1",
            "[]",
            "[::1]80",
            "[::1]:",
            "fe80::1%eth0",
            "[fe80::1%eth0]",
            "::1::",
            "4.4.4.4\0",
        ];
        for text in rows {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
        assert_eq!(parse(&[b'1'; 100_000]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }

        #[test]
        fn written_addresses_are_parsed_back(address: SocketAddr) {
            let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
            prop_assume!(!address.to_string().contains('%'));
            prop_assert_eq!(parse(address.to_string().as_bytes()), Some(canonical));
            let alone = SocketAddr::new(canonical.ip(), 0);
            prop_assert_eq!(parse(address.ip().to_string().as_bytes()), Some(alone));
        }
    }
}
