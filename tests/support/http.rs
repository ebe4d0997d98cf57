//! A blocking HTTP/1.1 client, for tests with servers in other processes. It reads only the
//! responses that these servers send.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The time limit of an operation that should finish at once, on a machine that may be busy.
pub const SOON: Duration = Duration::from_secs(30);

/// A connection, for one request after the other.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// To a port of this machine.
    pub fn open(port: u16) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, SOON)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The whole of one request without a body.
    pub fn get(&mut self, target: &str) -> io::Result<Response> {
        self.send("GET", target, "", b"")?;
        self.response()
    }

    /// Sends a request; `headers` are lines that end with CR and LF.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<()> {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n");
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())
    }

    /// Receives a response. One that is cut short is `UnexpectedEof`, as is none.
    pub fn response(&mut self) -> io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.0.read_until(b'\n', &mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let mut response =
            Response { head: String::from_utf8_lossy(&head).into(), body: Vec::new() };
        if let Some(length) = response.header("Content-Length") {
            response.body = vec![0; length.parse().map_err(io::Error::other)?];
            self.0.read_exact(&mut response.body)?;
        }
        Ok(response)
    }
}

/// A response of the server.
#[derive(Debug)]
pub struct Response {
    /// The lines up to the empty one, which belongs to it.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    #[track_caller]
    pub fn status(&self) -> u16 {
        let status = self.head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.filter(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1).next()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into()
    }
}
