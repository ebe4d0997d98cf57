use super::*;

#[test]
fn the_example_of_the_standard_is_answered() {
    let server = server();
    let mut client = server.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.response().raw, SWITCHING);
    let mut client = server.connect();
    client.send(
        HANDSHAKE
            .replace("Connection: Upgrade", "connection: keep-alive, UPGRADE")
            .replace("Upgrade: websocket", "upgrade: h2c, WebSocket"),
    );
    assert_eq!(client.response().raw, SWITCHING);
}

#[test]
fn an_invalid_handshake_is_refused_and_the_connection_is_kept() {
    let server = server();
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let version = "Sec-WebSocket-Version: 13";
    for (status, text, request) in [
        (400, "`Upgrade` must be", "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "`Upgrade` must be", HANDSHAKE.replace("Upgrade: websocket", "Upgrade: h2c")),
        (
            400,
            "`Connection` must be",
            HANDSHAKE.replace("Connection: Upgrade", "Connection: close, x").replace("close, ", ""),
        ),
        (400, "Sec-WebSocket-Key", HANDSHAKE.replace("Sec-WebSocket-Key", "X-Key")),
        (400, "Sec-WebSocket-Key", HANDSHAKE.replace(key, "")),
        (400, "Sec-WebSocket-Key", HANDSHAKE.replace(key, "AAAA")),
        (
            400,
            "Sec-WebSocket-Key",
            HANDSHAKE.replace(key, &format!("{key}\r\nSec-WebSocket-Key: {key}")),
        ),
        (
            400,
            "Extensions",
            HANDSHAKE.replace(version, &format!("{version}\r\nSec-WebSocket-Extensions: a b")),
        ),
        (
            403,
            "other origins",
            HANDSHAKE.replace(version, &format!("{version}\r\nOrigin: http://b")),
        ),
        (405, "405", HANDSHAKE.replace("GET", "PUT")),
    ] {
        let exchange = server.exchange(&request);
        let response = exchange.only();
        assert_eq!(response.status, status, "{request}");
        assert!(response.text().contains(text), "{request}: {}", response.text());
        assert!(exchange.kept, "{request}");
    }
    assert_eq!(
        server.exchange(HANDSHAKE.replace("GET", "POST")).only().header("allow"),
        Some("GET, OPTIONS")
    );
}

#[test]
fn another_version_of_the_protocol_is_answered_with_426() {
    let server = server();
    for version in ["12", "8", "7", "013", "13, 8", ""] {
        let request = HANDSHAKE.replace("Version: 13", &format!("Version: {version}"));
        let exchange = server.exchange(request);
        let response = exchange.only();
        assert_eq!((response.status, response.text()), (426, ""), "{version}");
        assert_eq!(response.header("sec-websocket-version"), Some("13"));
        assert!(exchange.kept);
    }
    let request = HANDSHAKE.replace("Sec-WebSocket-Version: 13\r\n", "");
    assert_eq!(server.exchange(request).only().status, 426);
}

#[test]
fn an_old_version_of_http_and_a_body_are_refused() {
    let server = server();
    let request = HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0");
    let response = server.exchange(request).responses.remove(0);
    assert_eq!((response.status, response.text()), (400, "A WebSocket needs HTTP/1.1.\n"));
    let request = HANDSHAKE.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi");
    let response = server.exchange(request).responses.remove(0);
    assert_eq!((response.status, response.text()), (400, "A WebSocket handshake has no body.\n"));
}

#[test]
fn only_pages_of_the_same_or_an_allowed_origin_may_connect() {
    let server = Server::start(|| {
        let allowed = WebSocketOptions::new().allowed_origins(["https://friend.example:8443"]);
        Application::new([
            websocket("/echo", echo),
            websocket("/allowed", echo).websocket_options(allowed),
        ])
    });
    let status = |path: &str, origin: &str| {
        let mut client = server.connect();
        let request = HANDSHAKE.replace("/echo", path).replace("Host: a", "Host: Example.com:80");
        client.send(request.replace("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n")));
        client.response().status
    };
    for origin in ["http://example.com", "http://EXAMPLE.com:80", "http://example.com/page"] {
        assert_eq!(status("/echo", origin), 101, "{origin}");
    }
    for origin in ["null", "", "example.com", "http://www.example.com", "http://evil.example"] {
        assert_eq!(status("/echo", origin), 403, "{origin}");
        assert_eq!(status("/allowed", origin), 403, "{origin}");
    }
    assert_eq!(status("/allowed", "https://friend.example:8443"), 101);
    assert_eq!(status("/allowed", "https://friend.example"), 403);
}

#[test]
fn prepare_may_refuse_redirect_and_set_headers() {
    let server = server();
    let with_user = |user: &str| {
        let request = HANDSHAKE.replace("/echo", "/guarded");
        request.replace("\r\n\r\n", &format!("\r\nX-User: {user}\r\n\r\n"))
    };
    let exchange = server.exchange(HANDSHAKE.replace("/echo", "/guarded"));
    assert_eq!((exchange.only().status, exchange.kept), (401, true));
    let exchange = server.exchange(with_user("bob"));
    assert_eq!((exchange.only().status, exchange.kept), (302, true));
    let mut client = server.connect();
    client.send(with_user("ada"));
    let response = client.response();
    assert_eq!((response.status, response.header("x-prepared")), (101, Some("yes")));
    assert_eq!(response.header("content-type"), None);
}

#[test]
fn a_subprotocol_is_selected_from_those_offered() {
    let server = server();
    let selected = |offered: &str| {
        let mut client = open(&server, "/guarded", &format!("X-User: ada\r\n{offered}"));
        client.send(masked(0x81, "?"));
        client.send(masked(0x88, ""));
        String::from_utf8_lossy(&client.rest()[2..]).into_owned()
    };
    assert!(selected("Sec-WebSocket-Protocol: bad, good\r\n").starts_with("Some(\"good\") ?"));
    assert!(selected("").starts_with("None ?"));
    let mut client = server.connect();
    let headers =
        "\r\nX-User: ada\r\nSec-WebSocket-Protocol: bad\r\nSec-WebSocket-Protocol: good\r\n\r\n";
    client.send(HANDSHAKE.replace("/echo", "/guarded").replace("\r\n\r\n", headers));
    assert_eq!(client.response().header("sec-websocket-protocol"), Some("good"));
    // One that the client has not offered.
    let request = HANDSHAKE.replace("/echo", "/guarded");
    let request =
        request.replace("\r\n\r\n", "\r\nX-User: ada\r\nSec-WebSocket-Protocol: other\r\n\r\n");
    assert_eq!(server.exchange(request).only().status, 500);
    assert!(
        server.log().iter().any(|line| line.contains("returned \"wrong\"")),
        "{:?}",
        server.log()
    );
}

#[test]
fn compression_is_agreed_on_by_rfc_7692() {
    let server = server();
    let answer = |path: &str, offer: &str| {
        let mut client = server.connect();
        let header = format!("\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n");
        client.send(HANDSHAKE.replace("/echo", path).replace("\r\n\r\n", &header));
        let response = client.response();
        assert_eq!(response.status, 101, "{offer}");
        response.header("sec-websocket-extensions").map(str::to_owned)
    };
    let plain = Some("permessage-deflate".to_owned());
    assert_eq!(answer("/echo", "permessage-deflate"), plain);
    assert_eq!(answer("/echo", "permessage-deflate; client_max_window_bits"), plain);
    assert_eq!(
        answer("/echo", "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"),
        Some("permessage-deflate; client_max_window_bits=9; server_max_window_bits=10".to_owned())
    );
    assert_eq!(
        answer("/echo", "permessage-deflate; server_no_context_takeover"),
        Some("permessage-deflate; server_no_context_takeover".to_owned())
    );
    for declined in [
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-bzip2",
    ] {
        assert_eq!(answer("/echo", declined), None, "{declined}");
    }
    assert_eq!(answer("/plain", "permessage-deflate"), None);
}

#[test]
fn frames_behind_the_handshake_are_received() {
    let server = server();
    let frames = [masked(0x81, "early"), masked(0x88, "")].concat();
    let mut client = server.connect();
    client.send([HANDSHAKE.as_bytes(), &frames].concat());
    assert_eq!(client.response().raw, SWITCHING);
    assert_eq!(client.rest(), [plain(0x81, "early"), plain(0x88, "")].concat());
    let mut client = server.connect();
    client.send_slowly([HANDSHAKE.as_bytes(), &frames].concat());
    assert_eq!(client.response().raw, SWITCHING);
    assert_eq!(client.rest(), [plain(0x81, "early"), plain(0x88, "")].concat());
}

#[test]
fn other_routes_are_not_affected() {
    let server = server();
    let handshake = |path: &str| HANDSHAKE.replace("/echo", path);
    assert_eq!(server.exchange(handshake("/hello")).only().text(), "hello");
    assert_eq!(server.exchange(handshake("/nowhere")).only().status, 404);
    let mut client = server.connect();
    client.send(format!("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n{HANDSHAKE}"));
    assert_eq!(client.response().text(), "hello");
    assert_eq!(client.response().raw, SWITCHING);
}
