use squall::websocket::{
    Message, WebSocket, WebSocketCompression, WebSocketHandler, WebSocketOptions,
};
use squall::{Application, Bytes, Context, HTTPError, Result, get, post, route, websocket};

use crate::wire::{Client, Server};

/// Pings, pongs, close frames, and what ends a connection.
mod control;
/// Messages: fragments, masks, reserved bits, UTF-8, limits, compression.
mod data;
/// The calls that handlers receive, and the handling of their errors.
mod handlers;
/// Which requests open a WebSocket, and what the others are answered.
mod handshake;

/// The example of the standard.
const HANDSHAKE: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nServer: Squall/0.1.0\r\n\
    Upgrade: websocket\r\nSec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nDate:\r\n\
    Connection: Upgrade\r\n\r\n";

async fn echo(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn server() -> Server {
    Server::start(|| {
        let small = WebSocketOptions::new().max_message_size(100).max_frame_size(80);
        let all = WebSocketCompression::new().min_size(0).binary(true);
        let compressed = WebSocketOptions::new().compression(all).max_message_size(10_000);
        Application::new([
            websocket("/echo", echo),
            websocket("/plain", echo).websocket_options(WebSocketOptions::new().compression(None)),
            websocket("/small", echo).websocket_options(small),
            websocket("/compressed", echo).websocket_options(compressed),
            websocket("/guarded", Guarded),
            route("/hello", get(async || "hello").put(async || "put")),
            route("/body", post(async || "posted")),
        ])
    })
}

#[derive(Clone)]
struct Guarded;

impl WebSocketHandler for Guarded {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        cx.set_header("X-Prepared", "yes")?;
        match cx.header("x-user").as_deref() {
            Some("ada") => Ok(()),
            Some(_) => cx.redirect("/login"),
            None => Err(HTTPError::UNAUTHORIZED)?,
        }
    }

    fn select_subprotocol<'a>(&mut self, offered: &[&'a str]) -> Option<&'a str> {
        match offered {
            ["other"] => Some("wrong"),
            _ => offered.get(1).copied(),
        }
    }

    async fn on_message(&mut self, ws: &WebSocket, message: Message) -> Result {
        ws.send(format!("{:?} {}", ws.subprotocol(), message.as_text()?)).await
    }

    async fn on_ping(&mut self, ws: &WebSocket, payload: Bytes) -> Result {
        ws.send(Message::Binary(payload)).await
    }
}

/// A frame of a client, masked.
fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame of the server.
fn plain(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut frame = masked(first, &payload);
    let start = frame.len() - payload.as_ref().len() - 4;
    frame.truncate(start);
    frame[1] &= 0x7f;
    frame.extend_from_slice(payload.as_ref());
    frame
}

/// A close frame of the server.
fn closing(code: u16, reason: &str) -> Vec<u8> {
    plain(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Opens a WebSocket on `path`, with further headers.
#[track_caller]
fn open(server: &Server, path: &str, headers: &str) -> Client {
    let mut client = server.connect();
    let request =
        HANDSHAKE.replace("/echo", path).replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
    client.send(request);
    assert_eq!(client.response().status, 101);
    client
}

/// All that the server sends to a client that sends `frames`: whole, and then byte by byte, which
/// makes no difference.
#[track_caller]
fn talk(server: &Server, path: &str, headers: &str, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut client = open(server, path, headers);
    client.send(frames.concat());
    let whole = client.rest();
    let bytes = frames.concat();
    if bytes.len() < 1000 {
        let mut client = open(server, path, headers);
        client.send_slowly(bytes);
        assert_eq!(client.rest(), whole, "whole, and then byte by byte");
    }
    whole
}
