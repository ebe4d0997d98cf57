use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future;
use squall_runtime::{TcpListener, sleep};

use super::*;
use crate::http::StatusCode;
use crate::websocket::handshake::accept_key;
use crate::websocket::{CloseCode, Message, WebSocketOptions};

fn run<T>(test: impl Future<Output = T>) -> T {
    IOLoop::current().run_sync(test).unwrap()
}

/// A server that reads the head of one request after the other, each on a connection of its own.
struct Peer {
    listener: TcpListener,
    address: SocketAddr,
}

impl Peer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    async fn accept(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            head.push(byte[0]);
        }
        (stream, String::from_utf8(head).unwrap())
    }

    /// Answers one request with what `answer` makes of its head.
    async fn answer(&self, answer: impl Fn(&str) -> String) -> TcpStream {
        let (mut stream, head) = self.accept().await;
        stream.write_all(answer(&head).as_bytes()).await.unwrap();
        stream
    }
}

fn value<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The response that accepts the handshake, with `more` header lines.
fn accepting(head: &str, more: &str) -> String {
    let accept = accept_key(value(head, "Sec-WebSocket-Key").unwrap().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

fn plain() -> ConnectOptions {
    WebSocketOptions::new().compression(None).into()
}

/// The error of a client whose server answers with what `answer` makes of the request.
fn refused(options: ConnectOptions, answer: impl Fn(&str) -> String) -> ConnectError {
    run(async {
        let peer = Peer::new();
        let url = peer.url("/");
        let connect = websocket_connect(&url, options);
        let (found, _stream) = future::zip(connect, peer.answer(answer)).await;
        found.map(drop).unwrap_err()
    })
}

#[test]
fn the_request_asks_for_a_websocket() {
    run(async {
        let peer = Peer::new();
        let options = ConnectOptions::new()
            .header("Origin", "https://example.com")
            .header("Cookie", "a=b")
            .subprotocols(["v2", "v1"]);
        let url = peer.url("/chat?room=1");
        let connect = websocket_connect(&url, options);
        let ((_stream, head), _) = future::zip(peer.accept(), async {
            let _ = future::or(async { Some(connect.await) }, async {
                sleep(Duration::from_millis(50)).await;
                None
            })
            .await;
        })
        .await;
        let key = value(&head, "Sec-WebSocket-Key").unwrap();
        let expected = format!(
            "GET /chat?room=1 HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: v2, v1\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
             origin: https://example.com\r\ncookie: a=b\r\n\r\n",
            peer.address
        );
        assert_eq!(head, expected);
    });
}

#[test]
fn frames_right_behind_the_response_are_received() {
    run(async {
        let peer = Peer::new();
        let url = peer.url("/");
        let options = plain().subprotocols(["v2", "v1"]);
        let answer = |head: &str| {
            // An interim response goes before, and a text frame behind.
            let accepted = accepting(head, "Sec-WebSocket-Protocol: v1\r\n");
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{accepted}\u{1}\u{2}")
        };
        let (ws, mut stream) =
            future::zip(websocket_connect(&url, options), peer.answer(answer)).await;
        let mut ws = ws.unwrap();
        assert_eq!(ws.subprotocol(), Some("v1"));
        stream.write_all(b"hi").await.unwrap();
        // 0x81 is no text, so the frame of the answer was a fragment: this is its end.
        stream.write_all(b"\x80\x01!").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("hi!")));
    });
}

#[test]
fn a_message_reaches_the_server_masked() {
    run(async {
        let peer = Peer::new();
        let url = peer.url("/");
        let (ws, mut stream) =
            future::zip(websocket_connect(&url, plain()), peer.answer(|head| accepting(head, "")))
                .await;
        let mut ws = ws.unwrap();
        ws.send("hey").await.unwrap();
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[..2], [0x81, 0x83]);
        let unmasked: Vec<u8> = (0..3).map(|at| frame[6 + at] ^ frame[2 + at]).collect();
        assert_eq!(unmasked, b"hey");
        stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.close_frame().unwrap().code(), CloseCode::NORMAL);
    });
}

#[test]
fn another_status_is_an_error_with_the_headers() {
    let error = refused(plain(), |_| {
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".into()
    });
    let ConnectError::Rejected { status, headers } = error else { panic!("{error}") };
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers["www-authenticate"], "Basic");
}

#[test]
fn a_response_that_breaks_the_protocol_is_an_error_with_the_reason() {
    let offering = || ConnectOptions::new().subprotocols(["v1"]);
    let with = |more: &'static str| move |head: &str| accepting(head, more);
    let without =
        |line: &'static str| move |head: &str| accepting(head, "").replace(line, "X: y\r\n");
    let reason = |error: ConnectError| match error {
        ConnectError::InvalidResponse(reason) => reason,
        error => panic!("{error}"),
    };
    let refused = |answer: &dyn Fn(&str) -> String| reason(refused(offering(), answer));
    assert_eq!(refused(&|_| "SSH-2.0\r\n\r\n".into()), "it is not HTTP/1.1");
    assert_eq!(refused(&without("Upgrade: WebSocket\r\n")), "it does not upgrade to WebSocket");
    assert_eq!(
        refused(&without("Connection: keep-alive, Upgrade\r\n")),
        "its Connection header does not have `Upgrade`"
    );
    assert_eq!(
        refused(&|head| accepting(head, "").replace("Accept: ", "Accept: x")),
        "its Sec-WebSocket-Accept header does not fit the key"
    );
    for more in ["Sec-WebSocket-Protocol: v3\r\n", "Sec-WebSocket-Protocol: v1, v1\r\n"] {
        assert_eq!(refused(&with(more)), "its subprotocol was not offered");
    }
    let extensions = [
        ("Sec-WebSocket-Extensions: x-webkit\r\n", "its extension was not offered"),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; a\r\n",
            "its parameters of permessage-deflate do not fit the offer",
        ),
    ];
    for (more, expected) in extensions {
        assert_eq!(refused(&with(more)), expected);
    }
    let error = self::refused(plain(), with("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    assert_eq!(reason(error), "its extension was not offered");
}

#[test]
fn a_server_that_ends_the_connection_or_sends_too_much_is_an_error() {
    run(async {
        let peer = Peer::new();
        let url = peer.url("/");
        let cut = async {
            let head = "HTTP/1.1 101 Switching Protocols\r\n";
            drop(peer.answer(|_| head.to_owned()).await);
        };
        let (error, ()) = future::zip(websocket_connect(&url, plain()), cut).await;
        let error = error.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Io(_)) && error.is_temporary(), "{error}");
    });
    let endless = format!("HTTP/1.1 101 A\r\nX: {}", "y".repeat(MAX_HEAD_SIZE));
    let error = refused(plain(), |_| endless.clone());
    assert!(matches!(error, ConnectError::InvalidResponse(_)), "{error}");
}

#[test]
fn a_silent_server_times_out() {
    let options = plain().connect_timeout(Duration::from_millis(20));
    run(async {
        let peer = Peer::new();
        let error = websocket_connect(&peer.url("/"), options).await.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut), "{error}");
    });
}

#[test]
fn reconnecting_goes_on_after_temporary_failures_and_stops_at_others() {
    run(async {
        let peer = Peer::new();
        let mut server = Reconnect::new(peer.url("/"), plain())
            .first_delay(Duration::from_millis(4))
            .max_delay(Duration::from_millis(8));
        let attempts = Rc::new(Cell::new(0));
        let answers = async {
            let mut streams = Vec::new();
            for status in ["503 A", "429 B", "500 C"] {
                attempts.set(attempts.get() + 1);
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                streams.push(peer.answer(|_| answer.clone()).await);
            }
            streams.push(peer.answer(|head| accepting(head, "")).await);
            streams.push(peer.answer(|_| "HTTP/1.1 403 D\r\n\r\n".into()).await);
            streams
        };
        let client = async {
            drop(server.connect().await.unwrap());
            assert_eq!(attempts.get(), 3);
            server.connect().await.map(drop).unwrap_err()
        };
        let (error, _streams) = future::zip(client, answers).await;
        assert!(!error.is_temporary(), "{error}");
    });
}
