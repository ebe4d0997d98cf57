use proptest::prelude::*;

use super::crc32c::crc32c;
use super::*;

fn read_all(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    for length in 0..bytes.len() {
        match read(&bytes[..length]) {
            Ok(None) => {}
            other => return other,
        }
    }
    read(bytes)
}

/// Builds a header of version 2 with `command` and `family`, followed by `rest`.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, family], &length, rest].concat()
}

const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xDD, 0xD5, 0x01, 0xBB];

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

#[track_caller]
fn source(bytes: &[u8]) -> ConnectionSource {
    let header = read_all(bytes).unwrap().unwrap();
    assert_eq!(header.length, bytes.len());
    let behind = [bytes, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(read(&behind), Ok(Some(header)), "what follows changes nothing");
    header.source
}

#[test]
fn a_line_names_the_client() {
    let rows = [
        ("TCP4 192.0.2.1 198.51.100.2 56789 443", "192.0.2.1:56789"),
        ("TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255:65535"),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0:0"),
        ("TCP6 2001:db8::1 2001:db8::2 1 2", "[2001:db8::1]:1"),
        ("TCP6 2001:DB8:0:0:0:0:0:1 ::1 1 2", "[2001:db8::1]:1"),
        ("TCP6 ::ffff:192.0.2.1 ::1 1 2", "192.0.2.1:1"),
        (
            "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
             65535 65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        ),
    ];
    for (line, client) in rows {
        let line = format!("PROXY {line}\r\n");
        assert_eq!(
            source(line.as_bytes()),
            ConnectionSource::Client(client.parse().unwrap()),
            "{line}"
        );
    }
}

#[test]
fn a_line_may_have_an_unknown_client() {
    assert_eq!(source(b"PROXY UNKNOWN\r\n"), ConnectionSource::Unknown);
    assert_eq!(source(b"PROXY UNKNOWN 1 2 three \xff\r\n"), ConnectionSource::Unknown);
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
    assert_eq!(source(longest.as_bytes()), ConnectionSource::Unknown);
}

#[test]
fn a_malformed_line_is_refused() {
    let rows = [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP4\t192.0.2.1\t198.51.100.2\t1\t2\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 bad 1 2\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY unknown\r\n",
        "PROXY UNKNOWN a\rb\r\n",
        "PROXY UNKNOWN \r\r\n",
    ];
    for line in rows {
        assert_eq!(read_all(line.as_bytes()), Err(ProxyHeaderError::Line), "{line:?}");
    }
}

#[test]
fn a_line_without_an_end_is_refused() {
    let line = format!("PROXY UNKNOWN {}", "f".repeat(200));
    assert_eq!(read(&line.as_bytes()[..106]), Ok(None));
    assert_eq!(read(&line.as_bytes()[..107]), Err(ProxyHeaderError::TooLong));
    let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 15));
    assert_eq!(read_all(too_long.as_bytes()), Err(ProxyHeaderError::TooLong));
}

#[test]
fn other_bytes_are_refused_at_the_first_wrong_byte() {
    for bytes in ["GET / HTTP/1.1\r\n", "PR\n", "proxy ", " PROXY ", "\r\n\r\n\r", "\n", "\x16\x03"]
    {
        let error = Err(ProxyHeaderError::Missing);
        assert_eq!(read_all(bytes.as_bytes()), error, "{bytes:?}");
    }
    assert_eq!(read(b"P"), Ok(None));
    assert_eq!(read(b"\r"), Ok(None));
    assert_eq!(read(b""), Ok(None));
}

#[test]
fn a_binary_header_names_the_client() {
    let client = ConnectionSource::Client("192.0.2.1:56789".parse().unwrap());
    assert_eq!(source(&v2(0x21, 0x11, &IPV4)), client);
    assert_eq!(source(&v2(0x21, 0x12, &IPV4)), client);
    let mut ipv6 = [0; 36];
    ipv6[..16].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    ipv6[32..34].copy_from_slice(&[0x12, 0x34]);
    let client = ConnectionSource::Client("[2001:db8::1]:4660".parse().unwrap());
    assert_eq!(source(&v2(0x21, 0x21, &ipv6)), client);
}

#[test]
fn a_binary_header_may_have_an_unknown_client() {
    assert_eq!(source(&v2(0x21, 0x00, &[])), ConnectionSource::Unknown);
    assert_eq!(source(&v2(0x21, 0x00, &[1, 2, 3])), ConnectionSource::Unknown);
    assert_eq!(source(&v2(0x21, 0x77, &[1, 2, 3])), ConnectionSource::Unknown);
    assert_eq!(source(&v2(0x21, 0x31, &[b'/'; 216])), ConnectionSource::Unknown);
}

#[test]
fn a_connection_of_the_proxy_itself_is_local() {
    assert_eq!(source(&v2(0x20, 0x00, &[])), ConnectionSource::Local);
    assert_eq!(source(&v2(0x20, 0x11, &IPV4)), ConnectionSource::Local);
    assert_eq!(source(&v2(0x20, 0x11, &[1])), ConnectionSource::Local);
    assert_eq!(source(&v2(0x20, 0xFF, &[0xFF; 100])), ConnectionSource::Local);
}

#[test]
fn unknown_extensions_are_skipped() {
    let authority = tlv(0x02, b"a.example");
    let rest = [&IPV4[..], &authority, &tlv(0x04, &[0; 3000]), &tlv(0xEA, &[])].concat();
    assert!(matches!(source(&v2(0x21, 0x11, &rest)), ConnectionSource::Client(_)));
}

#[test]
fn a_proxy_may_say_whether_the_client_uses_tls() {
    let tls = |value: &[u8]| {
        let rest = [&IPV4[..], &tlv(0x20, value)].concat();
        read_all(&v2(0x21, 0x11, &rest)).map(|header| header.unwrap().tls)
    };
    assert_eq!(tls(&[1, 0, 0, 0, 0]), Ok(Some(true)));
    assert_eq!(tls(&[7, 0, 0, 0, 0, 0x21, 0, 1, b'x']), Ok(Some(true)));
    assert_eq!(tls(&[0, 0, 0, 0, 0]), Ok(Some(false)));
    assert_eq!(tls(&[]), Err(ProxyHeaderError::TooShort));
    assert_eq!(read(&v2(0x21, 0x11, &IPV4)).unwrap().unwrap().tls, None);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let rest = [&IPV4[..], &tlv(0x03, &[0; 4]), &tlv(0x02, b"a")].concat();
    let mut header = v2(0x21, 0x11, &rest);
    let sum = crc32c([&header, &[], &[]]).to_be_bytes();
    assert_eq!(read(&header), Err(ProxyHeaderError::Checksum));
    header[31..35].copy_from_slice(&sum);
    assert!(matches!(source(&header), ConnectionSource::Client(_)));
    header[20] ^= 1;
    assert_eq!(read(&header), Err(ProxyHeaderError::Checksum));
    let short = [&IPV4[..], &tlv(0x03, &[0; 3])].concat();
    assert_eq!(read(&v2(0x21, 0x11, &short)), Err(ProxyHeaderError::Checksum));
}

#[test]
fn a_second_checksum_is_refused() {
    // The first checksum includes the bytes of the second.
    let rest = [&IPV4[..], &tlv(0x03, &[0; 4]), &tlv(0x03, &[0; 4])].concat();
    let mut header = v2(0x21, 0x11, &rest);
    let sum = crc32c([&header, &[], &[]]).to_be_bytes();
    header[31..35].copy_from_slice(&sum);
    assert_eq!(read(&header), Err(ProxyHeaderError::Checksum));
}

#[test]
fn a_malformed_binary_header_is_refused() {
    let too_short = Err(ProxyHeaderError::TooShort);
    let version = Err(ProxyHeaderError::Version);
    let rows = [
        (v2(0x11, 0x11, &IPV4), version),
        (v2(0x22, 0x11, &IPV4), version),
        (v2(0x01, 0x11, &IPV4), version),
        (v2(0x21, 0x11, &IPV4[..11]), too_short),
        (v2(0x21, 0x21, &[0; 35]), too_short),
        (v2(0x21, 0x31, &[0; 215]), too_short),
        (v2(0x21, 0x11, &[&IPV4[..], &[1, 0]].concat()), too_short),
        (v2(0x21, 0x11, &[&IPV4[..], &[1, 0, 1]].concat()), too_short),
        (v2(0x21, 0x11, &[0; 4081]), Err(ProxyHeaderError::TooLarge)),
    ];
    for (header, expected) in rows {
        assert_eq!(read_all(&header), expected, "{header:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        start in prop_oneof![Just(&b""[..]), Just(v1::SIGNATURE), Just(v2::SIGNATURE), Just(&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x40"[..])],
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &bytes].concat();
        if let Ok(Some(header)) = read_all(&bytes) {
            prop_assert!(header.length <= bytes.len());
            prop_assert_eq!(read(&bytes), Ok(Some(header)));
        }
    }

    #[test]
    fn written_addresses_are_parsed_back(source: SocketAddr) {
        prop_assume!(!source.to_string().contains('%'));
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let (ip, port) = (source.ip(), source.port());
        let line = format!("PROXY {family} {ip} {ip} {port} 80\r\n");
        let client = SocketAddr::new(ip.to_canonical(), port);
        let header = read(line.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(header.source, ConnectionSource::Client(client));
    }
}
