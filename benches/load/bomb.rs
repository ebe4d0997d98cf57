//! Bodies that are small as they come, and large as they come out.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::IOLoop;
use squall_runtime::TcpStream;

use crate::client::Times;
use crate::server::{INFLATED, Server};

/// How large it would become.
const SIZE: usize = 1 << 30;
const CLIENTS: usize = 20;
const MEASURED: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(2);

pub(crate) async fn run() -> io::Result<()> {
    let bomb = bomb()?;
    let server = Server::spawn()?;
    println!("  {} KiB that become {} MiB", bomb.len() / 1024, SIZE >> 20);
    for path in ["/inflated", "/inflated-pieces"] {
        let before = server.peak()?;
        let (begin, cpu) = (Instant::now(), server.cpu()?);
        let mut connection = TcpStream::connect(server.address).await?;
        let answer = throw(&mut connection, path, &bomb).await?;
        let (took, grown) = (begin.elapsed(), (server.peak()? - before) / 1024.0);
        let cpu = server.cpu()? - cpu;
        let limit = INFLATED / 1024;
        println!("  {path}, limit {limit} KiB: {answer} after {took:?}, {cpu:?} at work");
        println!("    at most {grown:.0} KiB more than before");
    }
    let times = Times::default();
    times.measure(server.address, MEASURED, PACE).await?;
    times.report("a normal client alone");
    let throwing: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (bomb, address) = (bomb.clone(), server.address);
            IOLoop::current().spawn(async move {
                loop {
                    let mut connection = TcpStream::connect(address).await?;
                    throw(&mut connection, "/inflated-pieces", &bomb).await?;
                }
                #[expect(unreachable_code, reason = "it says what the type is")]
                io::Result::Ok(())
            })
        })
        .collect();
    times.measure(server.address, MEASURED, PACE).await?;
    times.report(&format!("beside {CLIENTS} that throw one after another"));
    drop(throwing);
    Ok(())
}

fn bomb() -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let zeros = vec![0; 1 << 20];
    (0..SIZE >> 20).try_for_each(|_| encoder.write_all(&zeros))?;
    encoder.finish()
}

/// Sends it, as far as it is taken, and returns the first line of the answer.
async fn throw(connection: &mut TcpStream, path: &str, bomb: &[u8]) -> io::Result<String> {
    let length = bomb.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    // It is refused before it has been sent.
    let _ = connection.write_all(bomb).await;
    let mut answer = [0; 1024];
    let count = connection.read(&mut answer).await?;
    let line = answer[..count].split(|&byte| byte == b'\r').next().unwrap_or_default();
    Ok(line.escape_ascii().to_string())
}
