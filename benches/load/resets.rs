//! Connections that are reset in the middle of anything.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::{IOLoop, sleep, timeout};
use squall_runtime::{TcpStream, yield_now};

use crate::client::{REQUEST, Times, all};
use crate::server::Server;

const CLIENTS: u64 = 64;
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: u64 = 4;
const PACE: Duration = Duration::from_millis(2);

const UPLOAD: &[u8] =
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n0123456789";
const DOWNLOAD: &[u8] = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UNREAD: &[u8] = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n0123";

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let show = |when: &str| {
        let (descriptors, memory) = (server.descriptors()?, server.memory()? / 1024.0);
        println!("  {when}: {descriptors} descriptors, {memory:.0} KiB");
        io::Result::Ok(())
    };
    show("before")?;
    let resets = Rc::new(Cell::new(0_usize));
    let (address, times) = (server.address, Times::default());
    for round in 0..ROUNDS {
        let end = Instant::now() + ROUND;
        let normal = {
            let times = times.clone();
            async move { times.measure(address, ROUND, PACE).await }
        };
        let normal = IOLoop::current().spawn(normal);
        let seeds = CLIENTS * round..CLIENTS * (round + 1);
        all(seeds.map(|seed| reset_many(address, seed, end, Rc::clone(&resets)))).await?;
        normal.await.map_err(io::Error::other)??;
        sleep(Duration::from_millis(500)).await;
        show(&format!("after {} resets", resets.get()))?;
    }
    times.report("one beside them");
    Ok(())
}

async fn reset_many(
    address: SocketAddr,
    seed: u64,
    end: Instant,
    resets: Rc<Cell<usize>>,
) -> io::Result<()> {
    let mut random = Random(seed + 1);
    while Instant::now() < end {
        let mut connection = TcpStream::connect(address).await?;
        let request = [REQUEST, UPLOAD, DOWNLOAD, UNREAD][random.below(4)];
        // The server may have closed already, or may never answer.
        let _ = connection.write_all(&request[..random.below(request.len() + 1)]).await;
        match random.below(4) {
            0 => {}
            1 => yield_now().await,
            2 => sleep(Duration::from_millis(random.below(20) as u64)).await,
            _ => {
                let mut some = [0; 4096];
                let _ = timeout(Duration::from_millis(20), connection.read(&mut some)).await;
            }
        }
        connection.reset()?;
        resets.set(resets.get() + 1);
    }
    Ok(())
}

/// Numbers that are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}
