use proptest::prelude::*;

use super::*;
use crate::proxy::Protocol::{Http, Https};

/// Reads lines `name: value` as headers from a trusted proxy of 10.0.0.0/8.
fn read_with<'a>(header: &ClientHeader, head: &'a str) -> Claims<'a> {
    let trusted = TrustedProxies::parse(["10.0.0.0/8", "2001:db8::/32"]).unwrap();
    let lines: Vec<Field<'a>> = head
        .lines()
        .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    read(lines.iter().copied(), header, &trusted)
}

#[track_caller]
fn check(rows: &[(&str, Option<&str>)]) {
    for (head, expected) in rows {
        let address = read_with(&ClientHeader::Default, head).address;
        assert_eq!(address, expected.map(|text| text.parse().unwrap()), "{head}");
    }
}

#[test]
fn the_client_is_the_last_untrusted_address_in_x_forwarded_for() {
    check(&[
        ("X-Forwarded-For: 4.4.4.4", Some("4.4.4.4:0")),
        ("x-forwarded-for: 127.0.0.1, 4.4.4.4", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 4.4.4.4, 10.0.0.1,10.0.0.2", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 6.6.6.6, 4.4.4.4 ,\t10.0.0.1", Some("4.4.4.4:0")),
        ("X-Forwarded-For: nonsense, 4.4.4.4, 10.0.0.1", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 4.4.4.4:8080, 10.0.0.1:1", Some("4.4.4.4:8080")),
        ("X-Forwarded-For: [2620::1], 2001:db8::7", Some("[2620::1]:0")),
        ("X-Forwarded-For: ::ffff:4.4.4.4, ::ffff:10.0.0.1", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 4.4.4.4,, 10.0.0.1, ,", Some("4.4.4.4:0")),
    ]);
}

#[test]
fn lines_of_the_same_name_are_one_list() {
    check(&[
        ("X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 4.4.4.4", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 4.4.4.4\nHost: a\nX-FORWARDED-FOR: 10.0.0.1", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 4.4.4.4\nX-Forwarded-For: bad", None),
        ("X-Forwarded-For: bad\nX-Forwarded-For: 4.4.4.4", Some("4.4.4.4:0")),
    ]);
}

#[test]
fn if_all_are_proxies_the_first_is_the_client() {
    check(&[
        ("X-Forwarded-For: 10.0.0.3, 10.0.0.2, 10.0.0.1", Some("10.0.0.3:0")),
        ("X-Forwarded-For: 10.0.0.3\nX-Forwarded-For: 10.0.0.1", Some("10.0.0.3:0")),
        ("X-Forwarded-For: 10.0.0.3", Some("10.0.0.3:0")),
    ]);
}

#[test]
fn an_invalid_address_names_no_client() {
    for bad in ["foo", "<script>", "localhost", "unknown", "4.4.4.4:x", "4.4.4"] {
        let heads = [
            format!("X-Forwarded-For: {bad}"),
            format!("X-Forwarded-For: 4.4.4.4, {bad}"),
            format!("X-Forwarded-For: {bad}, 10.0.0.1"),
            format!("X-Real-Ip: {bad}"),
            format!("Forwarded: for={bad}"),
            format!("Forwarded: for=\"{bad}\""),
        ];
        for head in &heads {
            assert_eq!(read_with(&ClientHeader::Default, head).address, None, "{head}");
        }
    }
    check(&[("X-Forwarded-For:", None), ("X-Forwarded-For: ,", None), ("X-Real-Ip:", None)]);
}

#[test]
fn x_real_ip_wins_over_x_forwarded_for() {
    check(&[
        ("X-Real-Ip: 4.4.4.4", Some("4.4.4.4:0")),
        ("X-Real-Ip: 2620::1", Some("[2620::1]:0")),
        ("X-Real-Ip: 4.4.4.4\nX-Forwarded-For: 5.5.5.5", Some("4.4.4.4:0")),
        ("X-Forwarded-For: 5.5.5.5\nX-Real-Ip: 4.4.4.4", Some("4.4.4.4:0")),
        ("X-Real-Ip: bad\nX-Forwarded-For: 5.5.5.5", None),
        ("X-Real-Ip: 4.4.4.4, 5.5.5.5", None),
        ("X-Real-Ip: 4.4.4.4\nX-Real-Ip: 5.5.5.5", None),
    ]);
}

#[test]
fn the_last_protocol_wins() {
    let rows = [
        ("X-Scheme: https", Some(Https)),
        ("X-Scheme: http", Some(Http)),
        ("X-Forwarded-Proto: https", Some(Https)),
        ("X-Forwarded-Proto: HTTPS", Some(Https)),
        ("X-Forwarded-Proto: https , http", Some(Http)),
        ("X-Forwarded-Proto: http,https ", Some(Https)),
        ("X-Forwarded-Proto: http\nX-Forwarded-Proto: https", Some(Https)),
        ("X-Forwarded-Proto: https,", None),
        ("X-Forwarded-Proto: unknown", None),
        ("X-Scheme: ftp\nX-Forwarded-Proto: https", None),
        ("X-Scheme: http\nX-Forwarded-Proto: https", Some(Http)),
        ("Forwarded: proto=https", Some(Https)),
        ("Forwarded: for=4.4.4.4;proto=ftp", None),
    ];
    for (head, expected) in rows {
        assert_eq!(read_with(&ClientHeader::Default, head).protocol, expected, "{head}");
    }
}

#[test]
fn the_last_host_wins_if_it_is_valid() {
    let rows = [
        ("X-Forwarded-Host: a.example", Some("a.example")),
        ("X-Forwarded-Host: a.example:8080", Some("a.example:8080")),
        ("X-Forwarded-Host: evil, a.example", Some("a.example")),
        ("X-Forwarded-Host: evil\nX-Forwarded-Host: a.example", Some("a.example")),
        ("X-Forwarded-Host: a/b", None),
        ("X-Forwarded-Host: user@a", None),
        ("X-Forwarded-Host:", None),
        ("Forwarded: host=\"a.example:8080\"", Some("a.example:8080")),
        ("Forwarded: host=a.example;for=4.4.4.4", Some("a.example")),
        ("Forwarded: host=\"a b\"", None),
        (r#"Forwarded: host="a\b""#, None),
    ];
    for (head, expected) in rows {
        let host = read_with(&ClientHeader::Default, head).host;
        assert_eq!(host, expected.map(str::as_bytes), "{head}");
    }
}

#[test]
fn the_client_is_the_last_untrusted_address_in_forwarded() {
    check(&[
        ("Forwarded: for=4.4.4.4", Some("4.4.4.4:0")),
        ("forwarded: For=\"4.4.4.4:80\"", Some("4.4.4.4:80")),
        ("Forwarded: for=4.4.4.4:80", Some("4.4.4.4:80")),
        ("Forwarded: for=\"[2620::1]\"", Some("[2620::1]:0")),
        ("Forwarded: for=\"[2620::1]:4711\"", Some("[2620::1]:4711")),
        ("Forwarded: for=\"4.4.4.4:_obf\"", Some("4.4.4.4:0")),
        ("Forwarded: for=4.4.4.4;proto=http;by=203.0.113.43", Some("4.4.4.4:0")),
        ("Forwarded: proto=http; for=4.4.4.4 ; x=\"a,b;c\\\"\"", Some("4.4.4.4:0")),
        ("Forwarded: for=6.6.6.6, for=4.4.4.4, for=10.0.0.1", Some("4.4.4.4:0")),
        ("Forwarded: for=6.6.6.6\nForwarded: for=4.4.4.4, for=10.0.0.1", Some("4.4.4.4:0")),
        ("Forwarded: for=4.4.4.4\nForwarded: for=10.0.0.1", Some("4.4.4.4:0")),
        ("Forwarded: for=4.4.4.4\nForwarded:", Some("4.4.4.4:0")),
        ("Forwarded: for=10.0.0.2, for=10.0.0.1", Some("10.0.0.2:0")),
        ("Forwarded: ,for=4.4.4.4,, ;", Some("4.4.4.4:0")),
        ("Forwarded: for=unknown", None),
        ("Forwarded: for=_hidden, for=10.0.0.1", None),
        ("Forwarded: for=4.4.4.4, for=_hidden", None),
        ("Forwarded: for=4.4.4.4, proto=https", None),
    ]);
}

#[test]
fn protocol_and_host_come_from_the_same_element_as_the_client() {
    let head = "Forwarded: for=6.6.6.6;proto=http;host=evil, \
                for=4.4.4.4;proto=https;host=a.example, for=10.0.0.1;proto=http;host=inner";
    let claims = read_with(&ClientHeader::Default, head);
    let host = Some(&b"a.example"[..]);
    let address = Some("4.4.4.4:0".parse().unwrap());
    assert_eq!(claims, Claims { address, protocol: Some(Https), host });
}

#[test]
fn a_malformed_forwarded_is_ignored() {
    let rows = [
        "for",
        "=4.4.4.4",
        "for =4.4.4.4",
        "for= 4.4.4.4",
        "for=\"4.4.4.4",
        "for=\"4.4.4.4\\\"",
        "for=\"4.4.4.4\"x",
        "for=4.4.4.4 proto=https",
        "for=4.4.4.4;for=5.5.5.5",
        "for=4.4.4.4\"",
        "for=\", for=4.4.4.4",
        "for=4.4.4.4, x",
    ];
    for value in rows {
        let head = format!("Forwarded: {value};proto=https");
        assert_eq!(read_with(&ClientHeader::Default, &head), Claims::default(), "{head}");
        // A line of the client does not affect the line of the proxy.
        let head = format!("{head}\nForwarded: for=4.4.4.4");
        let address = read_with(&ClientHeader::Default, &head).address;
        assert_eq!(address, Some("4.4.4.4:0".parse().unwrap()), "{head}");
    }
}

#[test]
fn forwarded_is_read_only_without_x_headers() {
    for other in ["X-Real-Ip: bad", "X-Forwarded-For:", "X-Scheme: http", "X-Forwarded-Host: b"] {
        let head = format!("{other}\nForwarded: for=6.6.6.6;proto=https;host=evil");
        let claims = read_with(&ClientHeader::Default, &head);
        assert_eq!(claims.address, None, "{other}");
        assert_ne!(claims.protocol, Some(Https), "{other}");
        assert_ne!(claims.host, Some(&b"evil"[..]), "{other}");
    }
}

#[test]
fn the_client_header_can_be_named() {
    let named = |name| ClientHeader::named(HeaderName::from_static(name));
    let head = "X-Real-Ip: 1.1.1.1\nX-Forwarded-For: 2.2.2.2\nForwarded: for=3.3.3.3;host=c\n\
                Cf-Connecting-Ip: 4.4.4.4\nX-Forwarded-Host: a";
    let rows = [
        ("x-real-ip", "1.1.1.1:0", "a"),
        ("x-forwarded-for", "2.2.2.2:0", "a"),
        ("forwarded", "3.3.3.3:0", "c"),
        ("cf-connecting-ip", "4.4.4.4:0", "a"),
    ];
    for (name, address, host) in rows {
        let claims = read_with(&named(name), head);
        assert_eq!(claims.address, Some(address.parse().unwrap()), "{name}");
        assert_eq!(claims.host, Some(host.as_bytes()), "{name}");
    }
    assert_eq!(read_with(&named("x-forwarded-for"), "X-Real-Ip: 1.1.1.1").address, None);
    assert_eq!(read_with(&named("forwarded"), "X-Real-Ip: 1.1.1.1").address, None);
}

#[test]
fn the_number_of_entries_is_limited() {
    let many = "10.0.0.1, ".repeat(MAX_PROXIES);
    let head = format!("X-Forwarded-For: 4.4.4.4, {many}10.0.0.2");
    let address = read_with(&ClientHeader::Default, &head).address;
    assert_eq!(address, Some("10.0.0.1:0".parse().unwrap()));
    let head = format!("Forwarded: {}for=4.4.4.4", "for=10.0.0.1,".repeat(MAX_PROXIES));
    assert_eq!(read_with(&ClientHeader::Default, &head), Claims::default());
    let head = format!("X-Forwarded-For: {}4.4.4.4", "bad, ".repeat(10_000));
    let address = read_with(&ClientHeader::Default, &head).address;
    assert_eq!(address, Some("4.4.4.4:0".parse().unwrap()), "what was made up is in nobody's way");
}

proptest! {
    #[test]
    fn any_values_are_read_without_a_panic(
        lines in prop::collection::vec((0usize..6, prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            r#"((for|host|proto)=("?[0-9.:\[\]]{0,12}"?|[a-z"\\]{0,5})[;, ]{0,2}){0,5}"#.prop_map(String::into_bytes),
        ]), 0..6)
    ) {
        let names = ["X-Real-Ip", "X-Forwarded-For", "X-Scheme", "X-Forwarded-Proto",
                     "X-Forwarded-Host", "Forwarded"];
        let trusted = TrustedProxies::parse(["0.0.0.0/1"]).unwrap();
        let fields = lines.iter().map(|(name, value)| (names[*name].as_bytes(), &value[..]));
        read(fields.clone(), &ClientHeader::Default, &trusted);
        let claims = read(fields, &ClientHeader::Forwarded, &trusted);
        prop_assert!(claims.host.is_none_or(crate::http1::host::is_authority));
    }

    #[test]
    fn forged_forwarding_headers_change_nothing(made_up in "[ -~]{0,80}") {
        let trusted = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        let list = format!("{made_up}, 4.4.4.4, 10.0.0.9");
        let fields = [(&b"x-forwarded-for"[..], list.as_bytes())];
        let claims = read(fields.into_iter(), &ClientHeader::Default, &trusted);
        prop_assert_eq!(claims.address, Some("4.4.4.4:0".parse().unwrap()));
        let fields = [(&b"forwarded"[..], made_up.as_bytes()), (&b"forwarded"[..], b"for=4.4.4.4")];
        let claims = read(fields.into_iter(), &ClientHeader::Default, &trusted);
        prop_assert_eq!(claims.address, Some("4.4.4.4:0".parse().unwrap()));
    }
}
