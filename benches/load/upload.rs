//! A large upload that the handler does not read.

use std::io;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use squall::sleep;
use squall_runtime::TcpStream;

use crate::client::request;
use crate::server::{REST, Server};

const HEAD: &[u8] =
    b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n";

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let mut connection = TcpStream::connect(server.address).await?;
    request(&mut connection).await?;
    let (before, begin) = (server.memory()?, Instant::now());
    connection.write_all(HEAD).await?;
    let mut sent = 0;
    let send = async {
        let piece = vec![0; 64 * 1024];
        while let Ok(count) = (&connection).write(&piece).await {
            sent += count;
        }
    };
    let look = async {
        sleep(REST * 4 / 5).await;
        let grown = (server.memory()? - before) / 1024.0;
        println!("  after {:?}: grown by {grown:.0} KiB", begin.elapsed());
        let mut answer = [0; 1024];
        let count = (&connection).read(&mut answer).await?;
        let line = answer[..count].split(|&byte| byte == b'\r').next().unwrap_or_default();
        println!("  answered {} after {:?}", line.escape_ascii(), begin.elapsed());
        sleep(Duration::from_secs(3)).await;
        io::Result::Ok(())
    };
    future::or(
        async {
            send.await;
            future::pending().await
        },
        look,
    )
    .await?;
    println!("  the client could send {} KiB", sent / 1024);
    Ok(())
}
