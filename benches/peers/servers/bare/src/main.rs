//! The floor: what the system asks of any server on epoll. It receives once and sends once,
//! parses nothing that it can guess, and its answers are made before.
//!
//! `peer-bare PORT [close]`; with `close` it ends each connection after the first answer.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};

const LISTENER: u64 = u64::MAX;

struct Connection {
    fd: OwnedFd,
    /// What of a long request has come so far.
    begun: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(8000);
    let closing = arguments.next().is_some_and(|mode| mode == "close");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;

    let mut server = Server { connections: Vec::new(), closing, out: Vec::new() };
    let mut buffer = vec![0; 256 << 10];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => server.accept(&listener, &epoll)?,
                connection => server.serve(connection as usize, &mut buffer),
            }
        }
    }
}

struct Server {
    /// By the number of the descriptor.
    connections: Vec<Option<Connection>>,
    closing: bool,
    /// What is sent next.
    out: Vec<u8>,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, epoll: &OwnedFd) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let Ok(fd) = accept_with(listener, flags) else { return Ok(()) };
        rustix::net::sockopt::set_tcp_nodelay(&fd, true)?;
        let number = fd.as_raw_fd() as usize;
        let interest = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(epoll, &fd, EventData::new_u64(number as u64), interest)?;
        if self.connections.len() <= number {
            self.connections.resize_with(number + 1, || None);
        }
        self.connections[number] = Some(Connection { fd, begun: Vec::new() });
        Ok(())
    }

    fn serve(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[number] else { return };
        let count = match recv(&connection.fd, &mut *buffer, RecvFlags::empty()) {
            Ok((count, _)) if count > 0 => count,
            Err(Errno::AGAIN) => return,
            _ => return self.connections[number] = None,
        };
        self.out.clear();
        if connection.begun.is_empty() {
            let answered = answer(&buffer[..count], &mut self.out);
            connection.begun.extend_from_slice(&buffer[answered..count]);
        } else {
            connection.begun.extend_from_slice(&buffer[..count]);
            let answered = answer(&connection.begun, &mut self.out);
            connection.begun.drain(..answered);
        }
        if self.out.is_empty() {
            return;
        }
        let sent = send(&connection.fd, &self.out, SendFlags::NOSIGNAL);
        // The clients here take what they are sent, so that there is always room.
        if self.closing || sent != Ok(self.out.len()) {
            self.connections[number] = None;
        }
    }
}

/// Appends an answer to each request that is complete; returns how many bytes those are.
fn answer(requests: &[u8], out: &mut Vec<u8>) -> usize {
    let mut answered = 0;
    while let Some(length) = requests[answered..].windows(4).position(|end| end == b"\r\n\r\n") {
        let request = &requests[answered..];
        let head = length + 4;
        // Which of the paths it is, its second letter tells.
        match request.get(..6) {
            Some(b"GET /p") => out.extend_from_slice(PLAINTEXT),
            Some(b"GET /j") => out.extend_from_slice(JSON),
            Some(b"POST /") => {
                let body = content_length(&request[..head]);
                let Some(body) = request.get(head..head + body) else { break };
                out.extend_from_slice(ECHO);
                out.extend_from_slice(body.len().to_string().as_bytes());
                out.extend_from_slice(b"\r\n\r\n");
                out.extend_from_slice(body);
                answered += body.len();
            }
            _ => out.extend_from_slice(POST),
        }
        answered += head;
    }
    answered
}

/// It is the last field that the client sends.
fn content_length(head: &[u8]) -> usize {
    let digits = head[..head.len() - 4].rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

const PLAINTEXT: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: text/plain\r\n\
    Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 13\r\n\r\nHello, World!";

const JSON: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: application/json\r\n\
    Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 27\r\n\r\n\
    {\"message\":\"Hello, World!\"}";

const POST: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: text/plain\r\n\
    Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 21\r\n\r\npost 456 of user 123\n";

const ECHO: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: application/octet-stream\r\n\
    Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: ";
