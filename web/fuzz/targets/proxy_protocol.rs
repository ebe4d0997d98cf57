//! What a connection begins with that a proxy passes on, in any pieces.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::{ProxyHeader, proxy_header};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fuzz_target!(|bytes: &[u8]| {
    let whole = proxy_header(bytes);
    for length in 0..bytes.len().min(300) {
        match (proxy_header(&bytes[..length]), &whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (part, whole) => assert_eq!(&part, whole, "it depends on how it arrives"),
        }
    }
    let Ok(Some(header)) = whole else { return };
    assert!(header.length <= bytes.len());
    let bytes = &bytes[..header.length];
    // What is behind it makes no difference.
    assert_eq!(proxy_header(bytes), Ok(Some(header)));
    match bytes.strip_prefix(SIGNATURE) {
        Some(rest) => compare_binary(rest, &header),
        None => compare_text(bytes, &header),
    }
});

/// Version 1.
fn compare_text(bytes: &[u8], header: &ProxyHeader) {
    // What follows `UNKNOWN` may be anything.
    let line = String::from_utf8_lossy(bytes);
    let line = line.strip_suffix("\r\n").expect("a line");
    assert!(bytes.len() <= 107 && !line.contains(['\r', '\n']) && !header.local);
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], "PROXY");
    let client = match words[1] {
        "TCP4" | "TCP6" => {
            let [_, family, client, _, port, _] = words[..] else { panic!("{words:?}") };
            let address: IpAddr = client.parse().expect("an address");
            assert_eq!(address.is_ipv4(), family == "TCP4");
            Some(SocketAddr::new(address.to_canonical(), port.parse().expect("a port")))
        }
        "UNKNOWN" => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(header.client, client, "{line:?}");
}

/// Version 2.
fn compare_binary(rest: &[u8], header: &ProxyHeader) {
    let [version, family, high, low, rest @ ..] = rest else { panic!("it is too short") };
    assert_eq!(version >> 4, 2);
    assert_eq!(usize::from(u16::from_be_bytes([*high, *low])), rest.len());
    assert_eq!(header.local, version & 0xf == 0);
    if header.local {
        return;
    }
    let client = match family {
        0x11 => {
            let address: [u8; 4] = rest[..4].try_into().expect("4 bytes");
            Some((IpAddr::from(Ipv4Addr::from(address)), [rest[8], rest[9]]))
        }
        0x21 => {
            let address: [u8; 16] = rest[..16].try_into().expect("16 bytes");
            Some((IpAddr::from(Ipv6Addr::from(address)), [rest[32], rest[33]]))
        }
        _ => None,
    };
    let client =
        client.map(|(ip, port)| SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(port)));
    assert_eq!(header.client, client);
}
