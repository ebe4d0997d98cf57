//! One socket for all workers.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::{must, server};

pub(crate) fn run() -> io::Result<()> {
    let (program, _) = server::start("unix")?;
    server::workers(&program, 2);
    let path = program.expect("path ");
    let mut counts = [0, 0];
    let mut kept = Vec::new();
    for _ in 0..64 {
        let mut stream = UnixStream::connect(&path)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..count]);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        counts[usize::from(body.starts_with('1'))] += 1;
        kept.push(stream);
    }
    println!("  64 kept connections: {} and {}", counts[0], counts[1]);
    std::fs::remove_file(path)?;
    must(counts.iter().all(|&count| count >= 16), "one worker has too few")
}
