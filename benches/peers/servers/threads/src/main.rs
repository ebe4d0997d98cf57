//! A thread for each connection, which blocks: what event loops were invented against.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde::Serialize;

/// Of a thread, in bytes: much less than usual, which favours it.
const STACK: usize = 64 << 10;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8000);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    for stream in listener.incoming().flatten() {
        // Without a thread for it, the connection is closed.
        let serve = move || drop(serve(stream));
        let _ = thread::Builder::new().stack_size(STACK).spawn(serve);
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut output) = (Vec::new(), Vec::new());
    let mut piece = [0; 8192];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        input.extend_from_slice(&piece[..count]);
        let (mut answered, mut kept) = (0, true);
        while let Some(request) = Request::parse(&input[answered..]) {
            answered += request.length;
            kept = request.kept;
            request.answer(&mut output)?;
        }
        input.drain(..answered);
        stream.write_all(&output)?;
        output.clear();
        if !kept {
            return Ok(());
        }
    }
}

struct Request<'a> {
    path: &'a str,
    body: &'a [u8],
    kept: bool,
    length: usize,
}

impl<'a> Request<'a> {
    /// The first one, if it is complete.
    fn parse(input: &'a [u8]) -> Option<Self> {
        let end = input.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let mut lines = str::from_utf8(&input[..end]).ok()?.split("\r\n");
        let line = lines.next()?;
        let (mut length, mut close) = (0, line.ends_with("HTTP/1.0"));
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match () {
                () if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
                () if name.eq_ignore_ascii_case("connection") => close = value != "keep-alive",
                () => {}
            }
        }
        let body = input.get(end + 4..end + 4 + length)?;
        let path = line.split(' ').nth(1)?;
        Some(Self { path, body, kept: !close, length: end + 4 + length })
    }

    fn answer(&self, output: &mut Vec<u8>) -> io::Result<()> {
        let respond = |output: &mut Vec<u8>, kind, body: &[u8]| {
            write!(
                output,
                "HTTP/1.1 200 OK\r\nServer: threads\r\nContent-Type: {kind}\r\n\
                 Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            output.extend_from_slice(body);
            Ok(())
        };
        match self.path {
            "/plaintext" => respond(output, "text/plain", b"Hello, World!"),
            "/json" => {
                let body = serde_json::to_vec(&Message { message: "Hello, World!" })?;
                respond(output, "application/json", &body)
            }
            "/echo" => respond(output, "application/octet-stream", self.body),
            path => {
                let (user, post) = numbers(path).ok_or(io::ErrorKind::NotFound)?;
                let body = format!("post {post} of user {user}\n");
                respond(output, "text/plain", body.as_bytes())
            }
        }
    }
}

/// Of `/user/{user}/posts/{post}`.
fn numbers(path: &str) -> Option<(u64, u64)> {
    let (user, post) = path.strip_prefix("/user/")?.split_once("/posts/")?;
    Some((user.parse().ok()?, post.parse().ok()?))
}
