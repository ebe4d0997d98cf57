use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::testing::TestClient;
use squall::{Application, Context, HTTPServer, IOLoop, Result, Upgraded, get, route};

use crate::wire::Server;

const LINE: &str = "PROXY TCP4 203.0.113.7 192.0.2.1 56789 443\r\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The beginning of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn application() -> Application {
    /// Answers with the address of the client, the protocol, and the address of the proxy.
    async fn who(cx: &mut Context) -> Result {
        let client = cx.remote_addr().map_or_else(|| "-".to_owned(), |client| client.to_string());
        let proxy = cx.peer_addr().map(|peer| peer.ip());
        cx.write(format!("{client} {} {proxy:?}", cx.protocol()))
    }
    async fn upgrade(cx: &mut Context) -> Result {
        cx.set_header("Upgrade", "test")?;
        cx.upgrade(async |mut stream: Upgraded| {
            let client = format!("{:?}", stream.remote_addr());
            let mut bytes = [0; 5];
            let _ = stream.read_exact(&mut bytes).await;
            let _ = stream.write_all(client.as_bytes()).await;
        })
    }
    Application::new([route("/", get(who)), route("/upgrade", get(upgrade))])
}

fn server() -> HTTPServer {
    HTTPServer::new(application()).proxy_protocol(true)
}

/// Version 2: `command` and `family`, and what they tell.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// 203.0.113.7:56789 to 192.0.2.1:443.
const IPV4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0xDD, 0xD5, 0x01, 0xBB];

#[test]
fn the_header_names_the_client() {
    let server = Server::with(server);
    let ipv6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 28], &[0x12, 0x34, 0, 80]].concat();
    let with_tls = [&IPV4[..], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat();
    let with_others = [&IPV4[..], &[0xEA, 0, 2, 1, 2], &[4, 0, 0]].concat();
    let rows: [(&str, &[u8], &str); 8] = [
        ("version 1, IPv4", LINE.as_bytes(), "203.0.113.7:56789 http Some(127.0.0.1)"),
        (
            "version 1, IPv6",
            b"PROXY TCP6 2001:db8::7 2001:db8::1 1 443\r\n",
            "[2001:db8::7]:1 http Some(127.0.0.1)",
        ),
        ("version 1, unknown", b"PROXY UNKNOWN\r\n", "- http Some(127.0.0.1)"),
        ("version 2, IPv4", &binary(0x21, 0x11, &IPV4), "203.0.113.7:56789 http Some(127.0.0.1)"),
        ("version 2, IPv6", &binary(0x21, 0x21, &ipv6), "[2001:db8::]:4660 http Some(127.0.0.1)"),
        ("version 2, Unix", &binary(0x21, 0x31, &[b'/'; 216]), "- http Some(127.0.0.1)"),
        ("TLS", &binary(0x21, 0x11, &with_tls), "203.0.113.7:56789 https Some(127.0.0.1)"),
        ("more", &binary(0x21, 0x11, &with_others), "203.0.113.7:56789 http Some(127.0.0.1)"),
    ];
    for (what, header, expected) in rows {
        let response = server.serves(what, [header, REQUEST.as_bytes()].concat());
        assert_eq!(response.text(), expected, "{what}");
    }
}

#[test]
fn a_check_of_the_proxy_is_from_the_proxy() {
    let server = Server::with(server);
    let mut client = server.connect();
    client.send([binary(0x20, 0, &[]), REQUEST.into()].concat());
    let response = client.response();
    assert!(response.text().starts_with("127.0.0.1:"), "{response:?}");
    // One that says nothing at all is closed without a word.
    let mut client = server.connect();
    client.send(LINE);
    client.finish();
    assert_eq!(client.rest(), b"");
    let mut client = server.connect();
    client.finish();
    assert_eq!(client.rest(), b"");
}

#[test]
fn the_header_is_for_the_whole_connection_and_comes_only_once() {
    let server = Server::with(server);
    let requests = [LINE, REQUEST, REQUEST].concat();
    let exchange = server.exchange(&requests);
    assert_eq!(exchange.statuses(), [200, 200]);
    assert!(exchange.kept);
    for response in &exchange.responses {
        assert_eq!(response.text(), "203.0.113.7:56789 http Some(127.0.0.1)");
    }
    let exchange = server.exchange([LINE, LINE, REQUEST].concat());
    assert_eq!(exchange.statuses(), [400]);
}

#[test]
fn the_header_of_a_connection_is_forgotten_with_it() {
    let server = Server::with(server);
    for _ in 0..3 {
        server.serves("a client", [LINE, REQUEST].concat());
        let local = [&binary(0x20, 0, &[]), REQUEST.as_bytes()].concat();
        let mut client = server.connect();
        client.send(local);
        assert!(client.response().text().starts_with("127.0.0.1:"));
    }
}

#[test]
fn a_connection_without_the_header_is_refused() {
    let server = Server::with(server);
    let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    let rows: [(&str, &[u8]); 9] = [
        ("a request", b""),
        ("a blank line", b"\r\n"),
        ("lower case", b"proxy TCP4 203.0.113.7 192.0.2.1 56789 443\r\n"),
        ("no CR", b"PROXY TCP4 203.0.113.7 192.0.2.1 56789 443\n"),
        ("half an address", b"PROXY TCP4 203.0.113 192.0.2.1 56789 443\r\n"),
        ("too long a line", too_long.as_bytes()),
        ("version 3", &binary(0x31, 0x11, &IPV4)),
        ("a short block", &binary(0x21, 0x11, &IPV4[..8])),
        ("a large block", &binary(0x21, 0x11, &[0; 5000])),
    ];
    for (what, bytes) in rows {
        server.refuses(400, what, [bytes, REQUEST.as_bytes()].concat());
    }
    let log = server.log();
    let reason = "the connection does not begin with a PROXY protocol header";
    assert!(log.iter().any(|line| line.contains(reason)), "{log:#?}");
}

#[test]
fn without_the_setting_the_header_is_no_request() {
    let server = Server::start(application);
    server.refuses(400, "version 1", [LINE, REQUEST].concat());
    server.refuses(400, "version 2", [&binary(0x21, 0x11, &IPV4), REQUEST.as_bytes()].concat());
}

#[test]
fn only_a_trusted_proxy_may_name_the_client() {
    let bytes = [LINE, REQUEST].concat();
    let server = Server::with(|| self::server().trusted_downstream(["127.0.0.1"]).unwrap());
    let response = server.serves("in the list", &bytes);
    assert_eq!(response.text(), "203.0.113.7:56789 http Some(127.0.0.1)");
    let server = Server::with(|| self::server().trusted_downstream(["10.0.0.0/8"]).unwrap());
    server.refuses(403, "not in the list", &bytes);
    server.refuses(403, "a request alone", REQUEST);
}

/// The proxy passes on bytes, so that the headers are the client's own.
#[test]
fn headers_count_only_if_the_client_is_a_proxy_as_well() {
    let server =
        Server::with(|| self::server().trusted_downstream(["127.0.0.1", "10.0.0.0/8"]).unwrap());
    let rows = [
        ("a stranger", LINE, "203.0.113.7:56789 http Some(127.0.0.1)"),
        ("nobody knows who", "PROXY UNKNOWN\r\n", "- http Some(127.0.0.1)"),
        (
            "another proxy",
            "PROXY TCP4 10.0.0.1 192.0.2.1 1 443\r\n",
            "4.4.4.4:0 https Some(127.0.0.1)",
        ),
    ];
    for (what, line, expected) in rows {
        let headers = "X-Real-Ip: 4.4.4.4\r\nX-Scheme: https\r\n";
        let request = format!("{line}GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        assert_eq!(server.serves(what, request).text(), expected, "{what}");
    }
}

#[test]
fn the_log_names_the_client() {
    let server = Server::with(server);
    server.serves("a request", [LINE, REQUEST].concat());
    server.refuses(400, "no request", [LINE, "nonsense\r\n\r\n"].concat());
    let log = server.log();
    assert!(log.iter().any(|line| line.contains("200 GET / (203.0.113.7)")), "{log:#?}");
    let refused = "rejected request from 203.0.113.7: HTTP 400";
    assert!(log.iter().any(|line| line.contains(refused)), "{log:#?}");
}

#[test]
fn another_protocol_has_the_same_client() {
    let server = Server::with(server);
    let mut client = server.connect();
    client.send(LINE);
    client.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n");
    client.send("hello");
    let answer = String::from_utf8(client.rest()).unwrap();
    assert!(answer.ends_with("\r\n\r\nSome(203.0.113.7:56789)"), "{answer}");
}

/// On virtual time.
#[test]
fn the_proxy_header_has_the_time_limit_of_a_head() {
    let client = TestClient::of(&server().header_timeout(Duration::from_secs(10)));
    let whole = binary(0x21, 0x11, &[0; 2000]);
    for begin in [&b"P"[..], &LINE.as_bytes()[..20], SIGNATURE, &whole[..1500]] {
        let mut connection = client.connect();
        let began = IOLoop::current().time();
        connection.send(begin);
        let answer = connection.receive_to_end();
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "{begin:?}");
        assert_eq!((IOLoop::current().time() - began).as_secs(), 10);
    }
    let mut connection = client.connect();
    let began = IOLoop::current().time();
    assert_eq!(connection.receive_to_end(), b"");
    assert_eq!((IOLoop::current().time() - began).as_secs(), 75, "as without the header");
}
