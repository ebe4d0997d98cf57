//! The syntax of `Host`.

use super::*;

fn head(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn a_host_is_a_name_or_an_address_with_an_optional_port() {
    let hosts = [
        "a",
        "EXAMPLE.com:8080",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:80",
        "[::1]",
        "[fe80::a:1]",
        "[::ffff:1.2.3.4]",
        "a:",
        "a:0",
        "a:65535",
        "xn--caf-dma.example",
        "a_b",
        "a%20b",
        "%41:80",
        "a.",
        "~!$&'()*+;=",
        "a-very-long-name-that-goes-on.for-more-than-one-block.example.com:8080",
    ];
    for host in hosts {
        assert_eq!(parse(head(host)).unwrap().authority().as_deref(), Some(host));
    }
}

#[test]
fn anything_around_a_host_and_a_port_is_refused() {
    let hosts = [
        "a b",
        "a/b",
        "a/",
        "u@a",
        "a,b",
        "a, b",
        "a\tb",
        "a\"",
        "a<b",
        "a?b",
        "a#b",
        "a\\b",
        "a]",
        "http://a",
        "caf\u{e9}",
        "%",
        "%4",
        "%4g",
        "a%zz",
    ];
    for host in hosts {
        refused(host, head(host), 400);
    }
}

#[test]
fn a_port_is_a_number_of_16_bits() {
    for host in
        ["a:b", "a:80:80", "a:65536", "a:99999", "a:000080", "a:+80", "a: 80", ":80", ":", "a:8 0"]
    {
        refused(host, head(host), 400);
    }
}

#[test]
fn brackets_contain_an_ipv6_address() {
    let hosts = [
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:x",
        "[]",
        "[a]",
        "[1.2.3.4]",
        "[fe80::1%eth0]",
        "[v1.a]",
        "[",
        "]",
        "[::1]]",
        "a[::1]",
    ];
    for host in hosts {
        refused(host, head(host), 400);
    }
}
