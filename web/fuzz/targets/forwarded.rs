//! What a client may write into the headers with which proxies say who it is.
//!
//! Each line is a header, its first byte the name. A proxy that is believed has added what it
//! knows: whatever stands before, nobody may appear to be anybody else.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::proxy_claims;

/// The proxy in front of the server is not in the headers: it is the peer.
const TRUSTED: [&str; 2] = ["10.0.0.0/8", "fd00::/8"];
const CLIENT: &str = "203.0.113.9";
const HOST: &[u8] = b"example.org";

type Field<'a> = (&'a [u8], &'a [u8]);

fuzz_target!(|data: &[u8]| {
    let is_value = |byte: &u8| !matches!(byte, b'\r' | b'\n' | 0);
    let lines = data.split(|byte| !is_value(byte)).filter(|line| !line.is_empty());
    let written: Vec<Field<'_>> = lines.map(|line| (name(line[0]), &line[1..])).collect();
    for header in [None, Some("forwarded"), Some("cf-connecting-ip")] {
        let (address, protocol, host) = proxy_claims(&written, header, &TRUSTED);
        assert!(protocol.is_none_or(|name| ["http", "https"].contains(&name)));
        assert!(host.is_none_or(|host| host.iter().all(|byte| byte.is_ascii_graphic())));
        assert!(address.is_none_or(|address| is_said(&written, address)));
    }
    let client: SocketAddr = SocketAddr::new(CLIENT.parse().expect("an address"), 0);
    listed(&written, "x-forwarded-for", None, client);
    listed(&written, "cf-connecting-ip", Some("cf-connecting-ip"), client);
    forwarded(&written, client);
});

fn name(byte: u8) -> &'static [u8] {
    match byte % 8 {
        0 => b"X-Forwarded-For",
        1 => b"Forwarded",
        2 => b"X-Forwarded-Proto",
        3 => b"X-Forwarded-Host",
        4 => b"X-Scheme",
        5 => b"CF-Connecting-IP",
        6 => b"forwarded",
        _ => b"x-real-ip",
    }
}

/// Nobody is made up: the digits of an IPv4 address stand in some header.
fn is_said(written: &[Field<'_>], address: SocketAddr) -> bool {
    let SocketAddr::V4(address) = address else { return true };
    let text = address.ip().to_string();
    let is_in = |value: &[u8]| value.windows(text.len()).any(|part| part == text.as_bytes());
    // One that is written as an IPv6 address may be in hexadecimal digits.
    written.iter().any(|(_, value)| is_in(value) || value.contains(&b':'))
}

/// A proxy appends the client to a list, on the same line or on one of its own.
fn listed(written: &[Field<'_>], list: &str, header: Option<&str>, client: SocketAddr) {
    // It sends no `X-Real-Ip`, and lets none pass.
    let mut fields: Vec<Field<'_>> = written.to_vec();
    fields.retain(|(name, _)| !name.eq_ignore_ascii_case(b"x-real-ip"));
    let own = [&fields[..], &[(list.as_bytes(), CLIENT.as_bytes())]].concat();
    assert_eq!(proxy_claims(&own, header, &TRUSTED).0, Some(client));
    let is_list = |(name, _): &Field<'_>| name.eq_ignore_ascii_case(list.as_bytes());
    if let Some(last) = fields.iter().rposition(is_list) {
        let line = [fields[last].1, b", ", CLIENT.as_bytes()].concat();
        fields[last].1 = &line;
        assert_eq!(proxy_claims(&fields, header, &TRUSTED).0, Some(client));
        // Another proxy behind the first.
        let two = [&line[..], b",10.0.0.1"].concat();
        let mut fields = fields.clone();
        fields[last].1 = &two;
        assert_eq!(proxy_claims(&fields, header, &TRUSTED).0, Some(client));
    }
}

/// The same with `Forwarded`. What is malformed may be believed to say nothing.
fn forwarded(written: &[Field<'_>], client: SocketAddr) {
    let element = b"for=203.0.113.9;proto=https;host=example.org".as_slice();
    let own = [written, &[(b"Forwarded".as_slice(), element)]].concat();
    let expected = (Some(client), Some("https"), Some(HOST.to_vec()));
    assert_eq!(proxy_claims(&own, Some("forwarded"), &TRUSTED), expected);
    let mut fields: Vec<Field<'_>> = written.to_vec();
    let is_forwarded = |(name, _): &Field<'_>| name.eq_ignore_ascii_case(b"forwarded");
    if let Some(last) = fields.iter().rposition(is_forwarded) {
        let line = [fields[last].1, b", ", element].concat();
        fields[last].1 = &line;
        let claims = proxy_claims(&fields, Some("forwarded"), &TRUSTED);
        assert!(claims == expected || claims == (None, None, None), "{claims:?}");
    }
}
