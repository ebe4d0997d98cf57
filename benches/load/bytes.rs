//! A head of 64 KiB that comes byte by byte.

use std::io;
use std::time::{Duration, Instant};

use futures_lite::AsyncWriteExt;
use squall_runtime::TcpStream;

use crate::client::{answer, request};
use crate::server::Server;

/// Less than the server's limit by a little.
const SIZE: usize = 64 * 1024 - 64;

/// From byte to byte, so that the server does not receive several at once.
const PAUSE: Duration = Duration::from_micros(20);

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let mut head = b"GET / HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    while head.len() < SIZE {
        let value = (SIZE - head.len()).min(1000);
        head.extend_from_slice(b"X-Field: ");
        head.resize(head.len() + value, b'a');
        head.extend_from_slice(b"\r\n");
    }
    head.truncate(SIZE);
    head.extend_from_slice(b"\r\n\r\n");
    let count = head.len();
    let alone = trickle(&server, b"", &head).await?;
    println!("  a head of {count} bytes: {alone:.1} ms on a core");
    // The cost of receiving a byte, without parsing it.
    let before = format!("POST /discard HTTP/1.1\r\nHost: a\r\nContent-Length: {count}\r\n\r\n");
    let beside = trickle(&server, before.as_bytes(), &head).await?;
    println!("  a body of as many, which is thrown away: {beside:.1} ms on a core");
    println!("  so the head itself, about {:.1} ms", alone - beside);
    Ok(())
}

/// Sends `before` at once and `bytes` one by one; returns how long the server was busy.
async fn trickle(server: &Server, before: &[u8], bytes: &[u8]) -> io::Result<f64> {
    let mut connection = TcpStream::connect(server.address).await?;
    connection.set_nodelay(true)?;
    request(&mut connection).await?;
    connection.write_all(before).await?;
    let cpu = server.cpu()?;
    for byte in bytes {
        connection.write_all(std::slice::from_ref(byte)).await?;
        let next = Instant::now() + PAUSE;
        while Instant::now() < next {
            // A sleep would be a hundred times as long.
            std::hint::spin_loop();
        }
    }
    answer(&mut connection).await?;
    Ok((server.cpu()? - cpu).as_secs_f64() * 1000.0)
}
