//! A client that makes requests as fast as they are answered.
//!
//! It uses as little of the machine as it can: it sends bytes that were prepared before, and
//! recognises a response by its length, which equals the length of the first one.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::latencies::Latencies;

/// How many connections are opened at a time: fewer than wait in any server's backlog.
const OPENING: usize = 100;

/// A server that sends no response for this long has failed.
const PATIENCE: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

/// How many addresses of this machine are connected to in turn, because each has no more than
/// 28,000 ports for its clients.
const ADDRESSES: usize = 8;

/// More than the longest answer.
const BUFFER: usize = 256 << 10;

/// The requests, and the server that receives them.
#[derive(Clone, Debug)]
pub struct Load {
    /// Of a server on all addresses of this machine.
    pub port: u16,
    /// How many at a time.
    pub connections: usize,
    /// How many requests are sent together.
    pub depth: usize,
    /// One request, or one frame of a WebSocket.
    pub request: Vec<u8>,
    /// The path of a WebSocket that echoes messages. `None`: the requests are HTTP.
    pub websocket: Option<&'static str>,
}

/// When to end.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many requests were sent.
    Requests(usize),
    /// So much time has passed.
    Elapsed(Duration),
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many were answered.
    pub requests: usize,
    /// From the first one sent to the last one answered.
    pub elapsed: Duration,
    /// Of each request; of those that are sent together, how long all of them took.
    pub latencies: Latencies,
}

/// Connections on which a request was answered, to go on with.
#[derive(Debug)]
pub struct Connections {
    list: Vec<Connection>,
    epoll: OwnedFd,
    depth: usize,
    /// As many requests as are sent together.
    request: Vec<u8>,
    /// The server that answers them.
    answer: Answer,
}

/// The server that answers the requests that are sent together.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// In bytes, all of them together.
    length: usize,
    is_http: bool,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    sent: Instant,
    /// Bytes of the answers that have not come yet.
    missing: usize,
}

/// Lets this process have as many descriptors as it may; returns how many those are.
///
/// # Errors
///
/// Those of the system.
pub fn allow_many_descriptors() -> io::Result<usize> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |maximum| maximum as usize))
}

impl Load {
    /// Opens the connections and makes one request on each.
    ///
    /// # Errors
    ///
    /// Those of the connections, and answers that are not as they should be: see
    /// [`Connections::run`].
    pub fn open(&self) -> io::Result<Connections> {
        let mut list = Vec::with_capacity(self.connections);
        // A server sends the same frame without the mask.
        let mut answer = self.websocket.map(|_| self.request.len() - MASK.len());
        for start in (0..self.connections).step_by(OPENING) {
            for number in start..self.connections.min(start + OPENING) {
                let mut stream = connect(self.port, number)?;
                if let Some(path) = self.websocket {
                    open_websocket(&mut stream, path)?;
                }
                stream.write_all(&self.request)?;
                list.push(Connection { stream, sent: Instant::now(), missing: 0 });
            }
            for connection in &mut list[start..] {
                match answer {
                    None => answer = Some(first_answer(&mut connection.stream)?),
                    Some(length) => wait_for(&mut connection.stream, length)?,
                }
            }
        }
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, connection) in list.iter().enumerate() {
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, &connection.stream, data, EventFlags::IN)?;
        }
        Ok(Connections {
            list,
            epoll,
            depth: self.depth,
            request: self.request.repeat(self.depth),
            answer: Answer {
                length: answer.unwrap_or(0) * self.depth,
                is_http: self.websocket.is_none(),
            },
        })
    }

    /// Makes each request on a connection of its own, which the server closes.
    ///
    /// # Errors
    ///
    /// As [`Connections::run`].
    pub fn run_closing(&self, until: Until) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let begin = Instant::now();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut buffer = vec![0; BUFFER];
        let mut events = Vec::with_capacity(self.connections.max(1));
        let mut opened = 0;
        let mut list = Vec::new();
        while list.len() < self.connections && until.allows(opened, begin.elapsed()) {
            list.push(Some(self.open_closing(&epoll, list.len(), opened)?));
            opened += 1;
        }
        let mut open = list.len();
        while open > 0 {
            wait(&epoll, &mut events)?;
            let now = Instant::now();
            for event in events.drain(..) {
                let number = event.data.u64() as usize;
                let Some(connection) = &mut list[number] else { continue };
                // `missing` counts what has come here.
                let count = connection.stream.read(&mut buffer)?;
                if connection.missing == 0 {
                    check(&buffer[..count])?;
                }
                connection.missing += count;
                if count > 0 {
                    continue;
                }
                outcome.latencies.add(now - connection.sent);
                outcome.requests += 1;
                list[number] = None;
                if until.allows(opened, now - begin) {
                    list[number] = Some(self.open_closing(&epoll, number, opened)?);
                    opened += 1;
                } else {
                    open -= 1;
                }
            }
        }
        outcome.elapsed = begin.elapsed();
        Ok(outcome)
    }

    fn open_closing(
        &self,
        epoll: &OwnedFd,
        number: usize,
        opened: usize,
    ) -> io::Result<Connection> {
        let sent = Instant::now();
        let mut stream = connect(self.port, opened)?;
        stream.write_all(&self.request)?;
        epoll::add(epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        Ok(Connection { stream, sent, missing: 0 })
    }
}

impl Connections {
    /// Makes requests on all of them at once, on each as soon as the last ones are answered.
    ///
    /// # Errors
    ///
    /// Those of the connections; an answer that is not 200, has another length than the others, or
    /// does not come within 20 seconds.
    pub fn run(&mut self, until: Until) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let begin = Instant::now();
        let mut sent = 0;
        let mut waiting = 0;
        for connection in &mut self.list {
            if until.allows(sent, Duration::ZERO) {
                connection.send(&self.request, self.answer, Instant::now())?;
                sent += self.depth;
                waiting += 1;
            }
        }
        let mut buffer = vec![0; BUFFER];
        let mut events = Vec::with_capacity(self.list.len().clamp(1, 1024));
        while waiting > 0 {
            wait(&self.epoll, &mut events)?;
            let now = Instant::now();
            for event in events.drain(..) {
                let connection = &mut self.list[event.data.u64() as usize];
                if !connection.receive(&mut buffer, self.answer)? {
                    continue;
                }
                outcome.latencies.add(now - connection.sent);
                outcome.requests += self.depth;
                if until.allows(sent, now - begin) {
                    connection.send(&self.request, self.answer, now)?;
                    sent += self.depth;
                } else {
                    waiting -= 1;
                }
            }
        }
        outcome.elapsed = begin.elapsed();
        Ok(outcome)
    }

    /// The number of connections that the server has closed, or on which it has sent unexpected
    /// bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn disturbed(&self) -> io::Result<usize> {
        let mut events = Vec::with_capacity(self.list.len().max(1));
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&none))?)
    }
}

impl Connection {
    fn send(&mut self, request: &[u8], answer: Answer, now: Instant) -> io::Result<()> {
        self.sent = now;
        self.missing = answer.length;
        self.stream.write_all(request)
    }

    /// Receives what is there, and says whether that is all.
    fn receive(&mut self, buffer: &mut [u8], answer: Answer) -> io::Result<bool> {
        let count = self.stream.read(buffer)?;
        if answer.is_http && self.missing == answer.length {
            check(&buffer[..count])?;
        }
        self.missing = match self.missing.checked_sub(count) {
            Some(missing) if count > 0 => missing,
            Some(_) => return Err(io::Error::other("the server has closed a connection")),
            None => return Err(io::Error::other("answers of different lengths")),
        };
        Ok(self.missing == 0)
    }
}

impl Until {
    fn allows(self, requests: usize, elapsed: Duration) -> bool {
        match self {
            Self::Requests(limit) => requests < limit,
            Self::Elapsed(limit) => elapsed < limit,
        }
    }
}

/// A request for `path`, as short clients send it.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A request with a body of `length` bytes.
pub fn post(path: &str, length: usize) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
    let mut request = (head + "\r\n").into_bytes();
    request.resize(request.len() + length, b'a');
    request
}

/// The key that masks all frames of the client.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// The frame of a text message of `length` bytes, at most 125, as a client sends it.
///
/// # Panics
///
/// If `length` is more than 125.
pub fn text_frame(length: u8) -> Vec<u8> {
    assert!(length <= 125, "a longer frame has another header");
    let payload = (0..usize::from(length)).map(|place| b'a' ^ MASK[place % MASK.len()]);
    [0x81, 0x80 | length].into_iter().chain(MASK).chain(payload).collect()
}

/// Makes a WebSocket of a connection.
fn open_websocket(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..count]);
    }
    if answer.starts_with(b"HTTP/1.1 101 ") {
        return Ok(());
    }
    Err(io::Error::other(format!("the server has answered `{}`", answer.escape_ascii())))
}

#[expect(clippy::disallowed_methods, reason = "no loop runs here")]
fn connect(port: u16, number: usize) -> io::Result<TcpStream> {
    let address = Ipv4Addr::new(127, 0, 0, (number % ADDRESSES) as u8 + 1);
    let stream = TcpStream::connect((address, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    match epoll::wait(epoll, spare_capacity(events), Some(&PATIENCE)) {
        Ok(0) => Err(io::Error::other("the server has stopped answering")),
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn check(answer: &[u8]) -> io::Result<()> {
    match answer {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'2', b'0', b'0', ..] => Ok(()),
        _ => {
            let answer = answer[..answer.len().min(200)].escape_ascii();
            Err(io::Error::other(format!("the server has answered `{answer}`")))
        }
    }
}

/// Receives the first answer, and returns its length.
fn first_answer(stream: &mut TcpStream) -> io::Result<usize> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let head = loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..count]);
        check(&answer)?;
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let Some(body) = length.map(|length: usize| length) else {
        return Err(io::Error::other("an answer without Content-Length"));
    };
    wait_for(stream, (head + body).saturating_sub(answer.len()))?;
    Ok(head + body)
}

fn wait_for(stream: &mut TcpStream, mut missing: usize) -> io::Result<()> {
    let mut piece = [0; 4096];
    while missing > 0 {
        let room = missing.min(piece.len());
        match stream.read(&mut piece[..room])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => missing -= count,
        }
    }
    Ok(())
}
