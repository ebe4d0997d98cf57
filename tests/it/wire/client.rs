use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use socket2::SockRef;
use squall_runtime::IOLoopHandle;

use super::response::{Response, parse};
use super::{DEADLINE, split};

/// Sending slowly takes at most so many steps: what is longer is not sent byte by byte but in
/// pieces.
const MOST_PIECES: usize = 1024;

/// One connection to a [`Server`](super::Server). Whatever takes too long fails the test.
pub struct Client {
    stream: TcpStream,
    io_loop: IOLoopHandle,
    /// Received, and not given out.
    received: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// With all that was sent (FIN).
    Closed,
    /// At once (RST): what was on its way may be lost.
    Reset,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr, io_loop: IOLoopHandle) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, io_loop, received: Vec::new() }
    }

    /// Sends `bytes`. What a server that has closed does not take is lost.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the server does not read")
            }
            // The connection is gone, which shows when its end is read.
            Ok(()) | Err(_) => {}
        }
    }

    /// Sends `bytes` one at a time, each after the server has seen the one before.
    #[track_caller]
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        for piece in bytes.chunks(bytes.len().div_ceil(MOST_PIECES).max(1)) {
            self.send(piece);
            self.let_server_run();
        }
    }

    /// Returns when the server has had time to deal with what was sent: after two turns of its
    /// loop, one in which it notices and one in which it acts.
    #[track_caller]
    pub fn let_server_run(&self) {
        for _ in 0..2 {
            let (turn, turned) = mpsc::channel();
            // It fails if the loop has ended, and then nothing comes of waiting for it.
            let _ = self.io_loop.add_callback(move || turn.send(()).unwrap());
            turned.recv_timeout(DEADLINE).expect("the loop of the server turns");
        }
    }

    /// Says that nothing more will be sent (FIN).
    pub fn finish(&mut self) {
        // It fails if the server has reset the connection.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection at once (RST).
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The socket, for a test that inspects it.
    pub fn socket(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Receives one response, interim ones included.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.receive_response(false)
    }

    /// Receives one response to `HEAD`.
    #[track_caller]
    pub fn response_to_head(&mut self) -> Response {
        self.receive_response(true)
    }

    #[track_caller]
    fn receive_response(&mut self, to_head: bool) -> Response {
        let mut ended = false;
        loop {
            if let Some((response, length)) = parse(&self.received, to_head, ended) {
                self.received.drain(..length);
                return response;
            }
            let received = String::from_utf8_lossy(&self.received);
            assert!(!ended, "the connection ended before the response: {received:?}");
            ended = self.receive().is_some();
        }
    }

    /// Receives until `end` has come, and gives out all up to there.
    #[track_caller]
    pub fn until(&mut self, end: &str) -> Vec<u8> {
        loop {
            let found = self.received.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                return self.received.drain(..at + end.len()).collect();
            }
            let ending = self.receive();
            let received = String::from_utf8_lossy(&self.received);
            assert_eq!(ending, None, "{end:?} is not in {received:?}");
        }
    }

    /// Receives `count` bytes.
    #[track_caller]
    pub fn exact(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            let ending = self.receive();
            assert_eq!(ending, None, "the end comes after {:?}", self.received);
        }
        self.received.drain(..count).collect()
    }

    /// Receives one response with a `Content-Length`, whatever its size, and calls `meanwhile` now
    /// and then. Only the head of it is looked at.
    #[track_caller]
    pub fn large_response(&mut self, mut meanwhile: impl FnMut()) -> Response {
        const STEP: usize = 1024 * 1024;
        let head = self.until("\r\n\r\n");
        let (mut response, _) = parse(&head, true, false).expect("a head");
        let length = response.header("content-length").map_or(0, |text| text.parse().unwrap());
        let begun = self.received.len().min(length);
        response.body = self.received.drain(..begun).collect();
        while response.body.len() < length {
            meanwhile();
            let begun = response.body.len();
            response.body.resize(length.min(begun + STEP), 0);
            self.stream.read_exact(&mut response.body[begun..]).expect("the body comes");
        }
        response
    }

    /// Receives until the server closes, which must not be by a reset.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let (bytes, ending) = self.rest_and_ending();
        assert_eq!(ending, Ending::Closed, "after {:?}", String::from_utf8_lossy(&bytes));
        bytes
    }

    /// Receives until the server closes, and splits it into responses.
    #[track_caller]
    pub fn responses(&mut self) -> Vec<Response> {
        split(&self.rest())
    }

    /// Receives until the connection ends.
    #[track_caller]
    pub fn rest_and_ending(&mut self) -> (Vec<u8>, Ending) {
        loop {
            if let Some(ending) = self.receive() {
                return (std::mem::take(&mut self.received), ending);
            }
        }
    }

    /// Receives once; says how the connection ended, if it has.
    #[track_caller]
    fn receive(&mut self) -> Option<Ending> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Some(Ending::Closed),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some(Ending::Reset),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let received = String::from_utf8_lossy(&self.received);
                panic!("nothing more came after {received:?}: {error}")
            }
        }
        None
    }
}
