//! Measures the loop's share of a request, with a server on it that does not parse HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::IOLoop;
use squall_runtime::{TcpListener, TcpStream};

/// Turns this program into that server, if a port follows it.
pub(crate) const ARGUMENT: &str = "floor";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

/// Answers whatever comes, until it is killed.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    IOLoop::current().run_sync(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
        loop {
            let (stream, _) = listener.accept().await?;
            IOLoop::current().spawn_callback(answer(stream));
        }
    })?
}

/// Until the client leaves.
async fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
