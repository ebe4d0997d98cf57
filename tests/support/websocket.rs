//! A WebSocket client that knows only short text messages.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::http::SOON;

/// An open WebSocket.
pub struct WebSocket(TcpStream);

impl WebSocket {
    /// Connects to a path on this machine.
    #[track_caller]
    pub fn open(port: u16, path: &str) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, SOON).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Sends a text message of at most 125 bytes.
    pub fn send(&mut self, text: &str) {
        assert!(text.len() < 126);
        // The masking key is zero.
        let frame = [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text.as_bytes()].concat();
        self.0.write_all(&frame).unwrap();
    }

    /// Receives a text message of at most 65,535 bytes.
    #[track_caller]
    pub fn receive(&mut self) -> String {
        let mut header = [0; 2];
        self.0.read_exact(&mut header).unwrap();
        assert!(header[0] == 0x81 && header[1] < 127, "{header:?}");
        let mut length = usize::from(header[1]);
        if length == 126 {
            self.0.read_exact(&mut header).unwrap();
            length = u16::from_be_bytes(header).into();
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        String::from_utf8(payload).unwrap()
    }
}
