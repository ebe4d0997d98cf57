//! Clients that take their time, and one that does not.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use socket2::{Domain, Socket, Type};
use squall::{IOLoop, Task, sleep};
use squall_runtime::TcpStream;

use crate::client::{Times, open};
use crate::server::Server;

/// Of each kind.
const CLIENTS: usize = 2_000;
const MEASURED: Duration = Duration::from_secs(5);
const PACE: Duration = Duration::from_millis(2);

/// As over a real network, and with little room at the client's end: over a loopback interface
/// as it is, the system would take in whole responses.
const SEGMENT: u32 = 1400;
const ROOM: usize = 8 * 1024;

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const BODY: &[u8] = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
const READ: &[u8] = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let times = Times::default();
    times.measure(server.address, MEASURED, PACE).await?;
    times.report("one alone");
    let mut slow = Vec::new();
    for (what, bytes) in [("head", HEAD), ("body", BODY), ("response", READ)] {
        let before = server.memory()?;
        let connections = match bytes == READ {
            true => open_narrow(server.address, bytes)?,
            false => open(server.address, CLIENTS, bytes).await?,
        };
        slow.extend(connections.into_iter().enumerate().map(|(index, connection)| {
            let client = trickle(connection, index, bytes == READ);
            IOLoop::current().spawn(client)
        }));
        sleep(Duration::from_secs(2)).await;
        let each = (server.memory()? - before) / CLIENTS as f64;
        println!("  {CLIENTS} with a slow {what}: {each:.0} bytes each");
        if bytes == READ {
            let held = server.queued()? / CLIENTS as f64 / 1024.0;
            println!("  the system holds {held:.0} KiB for each of these");
        }
    }
    let cpu = server.cpu()?;
    times.measure(server.address, MEASURED, PACE).await?;
    times.report(&format!("one beside {}", slow.len()));
    let busy = (server.cpu()? - cpu).as_secs_f64() / MEASURED.as_secs_f64();
    println!("  the server was busy for {:.0} % of that", busy * 100.0);
    let gone = slow.iter().filter(|task| task.is_finished()).count();
    println!("  {gone} of the slow ones were cut off");
    drop::<Vec<Task<()>>>(slow);
    Ok(())
}

fn open_narrow(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<TcpStream>> {
    let open = |_| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_recv_buffer_size(ROOM)?;
        socket.set_tcp_mss(SEGMENT)?;
        socket.connect(&address.into())?;
        let mut stream = std::net::TcpStream::from(socket);
        stream.write_all(bytes)?;
        TcpStream::try_from(stream)
    };
    (0..CLIENTS).map(open).collect()
}

/// Sends a byte a second, or receives a few.
async fn trickle(mut connection: TcpStream, index: usize, reads: bool) {
    // Not all at the same moment.
    sleep(Duration::from_millis(index as u64 / 2)).await;
    loop {
        let done = match reads {
            true => connection.read(&mut [0; 256]).await.is_ok_and(|count| count > 0),
            false => connection.write_all(b"a").await.is_ok(),
        };
        if !done {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}
