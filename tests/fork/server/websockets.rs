//! How the WebSockets of a worker end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use nix::sys::signal::Signal;
use squall::websocket::WebSocket;
use squall::{Application, DrainReason, HTTPServer, Result, websocket};

use super::serve;
use super::stop::serving;
use crate::case::{Case, SOON};

const HANDSHAKE: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// An empty text message, as the client and as the server send it.
const MESSAGES: [&[u8]; 2] = [&[0x81, 0x80, 0, 0, 0, 0], &[0x81, 0]];

/// So many that each worker has some.
const SOCKETS: usize = 40;

async fn echo(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn echoing() -> io::Result<()> {
    serve(&HTTPServer::new(Application::new([websocket("/echo", echo)])), 2)
}

fn open(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    let [sent, echoed] = MESSAGES;
    stream.write_all(sent).unwrap();
    let mut received = [0; 2];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(received, echoed);
    stream
}

/// The server sends a close frame with this code, and ends the connection after the answer.
#[track_caller]
fn assert_closed(mut stream: TcpStream, reason: DrainReason) {
    let [high, low] = reason.close_code().to_be_bytes();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame, [0x88, 2, high, low]);
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, high, low]).unwrap();
    assert_eq!(stream.read(&mut frame).unwrap(), 0);
}

pub fn a_reload_closes_all_websockets_with_1012_and_the_end_with_1001(case: &Case) {
    let server = case.server(echoing);
    let port = server.port();
    serving(&server, 2);
    let sockets: Vec<_> = (0..SOCKETS).map(|_| open(port)).collect();
    server.signal(Signal::SIGHUP);
    sockets.into_iter().for_each(|socket| assert_closed(socket, DrainReason::Restart));
    serving(&server, 2);
    let sockets: Vec<_> = (0..SOCKETS).map(|_| open(port)).collect();
    server.signal(Signal::SIGTERM);
    sockets.into_iter().for_each(|socket| assert_closed(socket, DrainReason::Shutdown));
    assert_eq!(server.ended().0.code(), Some(0));
}
