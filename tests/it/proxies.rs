use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use squall::testing::TestClient;
use squall::{Application, Context, HTTPServer, Result, get, route};

use crate::running::Running;
use crate::wire::{DEADLINE, Server};

fn application() -> Application {
    /// Answers with what is known of the client: address, protocol, host.
    async fn who(cx: &mut Context) -> Result {
        let client = cx.remote_ip().map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        cx.write(format!("{client} {} {}", cx.protocol(), cx.host()))
    }
    async fn addresses(cx: &mut Context) -> Result {
        cx.write(format!("{:?} {:?}", cx.remote_addr(), cx.peer_addr().map(|peer| peer.ip())))
    }
    Application::new([route("/", get(who)), route("/addresses", get(addresses))])
}

fn server() -> HTTPServer {
    HTTPServer::new(application())
}

/// A server that trusts every peer on this machine.
fn trusting() -> Server {
    Server::with(|| server().trusted_downstream(["127.0.0.1", "10.0.0.0/8"]).unwrap())
}

/// The server's response to a request with the headers `lines`, for the host `a`.
#[track_caller]
fn answer(server: &Server, lines: &str) -> String {
    let lines = lines.replace('\n', "\r\n");
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    server.serves(&lines, request).text().to_owned()
}

#[test]
fn by_default_headers_do_not_change_the_client_address() {
    let server = Server::start(application);
    let headers = [
        "X-Forwarded-For: 4.4.4.4",
        "X-Real-Ip: 4.4.4.4",
        "X-Forwarded-Proto: https",
        "X-Scheme: https",
        "X-Forwarded-Host: b",
        "Forwarded: for=4.4.4.4;proto=https;host=b",
    ];
    for header in headers {
        assert_eq!(answer(&server, header), "127.0.0.1 http a");
    }
}

#[test]
fn only_a_proxy_that_is_in_the_list_is_believed() {
    let server = Server::with(|| server().trusted_downstream(["10.0.0.0/8", "unix:"]).unwrap());
    let headers = "X-Real-Ip: 4.4.4.4\nX-Forwarded-Proto: https\nX-Forwarded-Host: b";
    assert_eq!(answer(&server, headers), "127.0.0.1 http a");
    assert_eq!(answer(&trusting(), headers), "4.4.4.4 https b");
}

#[test]
fn the_client_is_the_last_address_that_is_not_a_trusted_proxy() {
    let server = trusting();
    let rows = [
        ("X-Real-Ip: 4.4.4.4", "4.4.4.4"),
        ("X-Real-Ip: 2620:0:1cfe:face:b00c::3", "2620:0:1cfe:face:b00c::3"),
        ("X-Forwarded-For: 127.0.0.1, 4.4.4.4", "4.4.4.4"),
        ("X-Forwarded-For: 6.6.6.6, 4.4.4.4, 10.0.0.1, 127.0.0.1", "4.4.4.4"),
        ("X-Forwarded-For: 6.6.6.6, 4.4.4.4\nX-Forwarded-For: 10.0.0.1", "4.4.4.4"),
        ("X-Forwarded-For: 10.0.0.9, 10.0.0.1", "10.0.0.9"),
        ("X-Forwarded-For: [2620::3]:443, 10.0.0.1:80", "2620::3"),
        ("X-Forwarded-For: ::ffff:4.4.4.4", "4.4.4.4"),
        ("X-Forwarded-For: 5.5.5.5\nX-Real-Ip: 4.4.4.4", "4.4.4.4"),
        ("Forwarded: for=6.6.6.6, for=\"4.4.4.4:80\";by=_a, for=10.0.0.1", "4.4.4.4"),
        ("Forwarded: for=\"[2620::3]\"", "2620::3"),
    ];
    for (headers, client) in rows {
        assert_eq!(answer(&server, headers), format!("{client} http a"), "{headers}");
    }
}

#[test]
fn an_invalid_address_leaves_the_one_of_the_connection() {
    let server = trusting();
    let rows = [
        "X-Real-Ip: 4.4.4.4<script>",
        "X-Real-Ip: www.google.com",
        "X-Real-Ip: 4.4.4.4, 5.5.5.5",
        "X-Real-Ip: 4.4.4.4\nX-Real-Ip: 5.5.5.5",
        "X-Real-Ip: bad\nX-Forwarded-For: 4.4.4.4",
        "X-Real-Ip:",
        "X-Forwarded-For: foo",
        "X-Forwarded-For: 4.4.4.4, foo, 10.0.0.1",
        "X-Forwarded-For: caf\u{e9}",
        "Forwarded: for=unknown",
        "Forwarded: for=_hidden, for=10.0.0.1",
        "Forwarded: for=\"4.4.4.4",
        "Forwarded: \", for=4.4.4.4",
    ];
    for headers in rows {
        assert_eq!(answer(&server, headers), "127.0.0.1 http a", "{headers}");
    }
}

#[test]
fn the_nearest_proxy_names_the_protocol() {
    let server = trusting();
    let rows = [
        ("X-Scheme: https", "https"),
        ("X-Forwarded-Proto: https", "https"),
        ("X-Forwarded-Proto: https , http", "http"),
        ("X-Forwarded-Proto: http,https ", "https"),
        ("X-Forwarded-Proto: unknown", "http"),
        ("X-Scheme: unknown", "http"),
        ("Forwarded: proto=https;for=4.4.4.4", "https"),
    ];
    for (headers, protocol) in rows {
        let answer = answer(&server, headers);
        assert_eq!(answer.split(' ').nth(1), Some(protocol), "{headers}");
    }
}

#[test]
fn the_protocol_of_a_server_can_be_set_and_a_proxy_can_say_otherwise() {
    let server = Server::with(|| {
        server().protocol("https").unwrap().trusted_downstream(["127.0.0.1"]).unwrap()
    });
    assert_eq!(answer(&server, "X: y"), "127.0.0.1 https a");
    assert_eq!(answer(&server, "X-Scheme: http"), "127.0.0.1 http a");
    assert_eq!(answer(&server, "X-Scheme: unknown"), "127.0.0.1 https a");
}

#[test]
fn the_nearest_proxy_names_the_host() {
    let server = trusting();
    let rows = [
        ("X-Forwarded-Host: b", "b"),
        ("X-Forwarded-Host: evil, b:8080", "b:8080"),
        ("X-Forwarded-Host: b/c", "a"),
        ("X-Forwarded-Host: user@b", "a"),
        ("X-Forwarded-Host: b, ", "a"),
        ("Forwarded: host=\"b:8080\"", "b:8080"),
    ];
    for (headers, host) in rows {
        let answer = answer(&server, headers);
        assert_eq!(answer.split(' ').nth(2), Some(host), "{headers}");
    }
}

#[test]
fn the_next_request_of_a_connection_has_its_own_client() {
    let server = trusting();
    let mut client = server.connect();
    let rows = [
        ("X-Real-Ip: 4.4.4.4\r\nX-Scheme: https\r\nX-Forwarded-Host: b\r\n", "4.4.4.4 https b"),
        ("", "127.0.0.1 http a"),
        ("X-Real-Ip: 5.5.5.5\r\n", "5.5.5.5 http a"),
    ];
    for (headers, expected) in rows {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        assert_eq!(client.response().text(), expected);
    }
    client.send(rows.map(|row| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", row.0)).concat());
    for (_, expected) in rows {
        assert_eq!(client.response().text(), expected, "in a pipeline");
    }
}

#[test]
fn the_proxy_itself_can_still_be_asked_for() {
    let request = "GET /addresses HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 4.4.4.4:80\r\n\r\n";
    let response = trusting().serves("with a port", request);
    assert_eq!(response.text(), "Some(4.4.4.4:80) Some(127.0.0.1)");
}

#[test]
fn one_header_can_be_the_only_one_that_counts() {
    let server = Server::with(|| {
        let server = server().trusted_downstream(["127.0.0.1"]).unwrap();
        server.real_ip_header("X-Forwarded-For").unwrap()
    });
    let headers = "X-Real-Ip: 6.6.6.6\nX-Forwarded-For: 4.4.4.4\nForwarded: for=7.7.7.7";
    assert_eq!(answer(&server, headers), "4.4.4.4 http a");
    let headers = "X-Real-Ip: 6.6.6.6\nForwarded: for=7.7.7.7";
    assert_eq!(answer(&server, headers), "127.0.0.1 http a");
}

#[test]
fn the_access_log_names_the_client() {
    let server = trusting();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 4.4.4.4\r\nConnection: close\r\n\r\n");
    client.rest();
    let log = server.log();
    assert!(log.iter().any(|line| line.contains("200 GET / (4.4.4.4)")), "{log:#?}");
}

#[test]
fn the_peer_of_a_unix_socket_can_be_a_trusted_proxy() {
    let folder = std::env::temp_dir().join(format!("squall-proxies-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (proxies, expected) in [("unix:", "4.4.4.4 https a"), ("127.0.0.1", "- http a")] {
        let path = folder.join("a.sock");
        let (_running, ()) = Running::start({
            let path = path.clone();
            move || {
                let server = server().handle_signals(false).trusted_downstream([proxies]).unwrap();
                server.listen(path).unwrap();
            }
        });
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let headers = "X-Real-Ip: 4.4.4.4\r\nX-Scheme: https\r\nConnection: close\r\n";
        write!(stream, "GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{expected}")), "{proxies}: {response}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_address_of_ipv4_is_never_written_as_one_of_ipv6() {
    let server = server().trusted_downstream(["10.0.0.0/8"]).unwrap();
    let client = TestClient::of(&server);
    let client = client.peer_addr(([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1], 4711));
    let response = client.get("/addresses").send();
    assert_eq!(response.text(), "Some(10.0.0.1:4711) Some(10.0.0.1)");
    let response = client.get("/").header("X-Real-Ip", "::ffff:4.4.4.4").send();
    assert_eq!(response.text(), "4.4.4.4 http localhost");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_text() {
    let refused = |result: std::io::Result<HTTPServer>, text: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(text), "{error}");
    };
    for bad in ["localhost", "10.0.0.1/8", "10.0.0.0/33", "", "unix", "/run/a.sock", "::1/200"] {
        refused(server().trusted_downstream(["127.0.0.1", bad]), &format!("{bad:?}"));
    }
    refused(server().protocol("ftp"), "\"ftp\"");
    refused(server().real_ip_header("X Real"), "\"X Real\"");
}
