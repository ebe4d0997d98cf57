//! Connections that stop in the middle of a head.

use std::io;
use std::time::Duration;

use squall::sleep;

use crate::client::{Times, open};
use crate::server::Server;

const CONNECTIONS: usize = 10_000;

const HEAD: &[u8; 100] = b"GET /a/path/of/some/length HTTP/1.1\r\nHost: localhost\r\n\
    User-Agent: bench\r\nAccept: text/html,applicati";

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let times = Times::default();
    // The first requests make pools and tables, which are not what a connection costs.
    times.measure(server.address, Duration::from_millis(200), Duration::ZERO).await?;
    let before = server.memory()?;
    let connections = open(server.address, CONNECTIONS, HEAD).await?;
    sleep(Duration::from_secs(1)).await;
    let each = (server.memory()? - before) / CONNECTIONS as f64;
    println!("  {} with 100 bytes of a head: {each:.0} bytes each", connections.len());
    Ok(())
}
