//! More clients than descriptors.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use squall::{IOLoop, sleep};
use squall_runtime::TcpStream;

use crate::client::{Times, request};
use crate::server::Server;

const LIMIT: u32 = 256;
const CLIENTS: usize = 1_000;

/// How long each client keeps its connection once it was answered.
const KEPT: Duration = Duration::from_secs(2);

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::with_descriptors(LIMIT)?;
    let answered = Rc::new(Cell::new(0));
    let (begin, cpu) = (Instant::now(), server.cpu()?);
    let clients = (0..CLIENTS).map(|_| client(server.address, Rc::clone(&answered)));
    let clients: Vec<_> = clients.map(|client| IOLoop::current().spawn(client)).collect();
    sleep(KEPT / 2).await;
    println!("  {} of {CLIENTS} answered at first", answered.get());
    let (descriptors, busy) = (server.descriptors()?, (server.cpu()? - cpu).as_secs_f64());
    println!("  {descriptors} descriptors in use, {busy:.2} s on a core in {:?}", KEPT / 2);
    let mut failed = 0;
    for client in clients {
        failed += usize::from(client.await.map_err(io::Error::other)?.is_err());
    }
    let took = begin.elapsed().as_secs_f64();
    println!("  {} answered and {failed} failed in {took:.1} s", answered.get());
    let busy = (server.cpu()? - cpu).as_secs_f64();
    println!("  {busy:.2} s on a core; {} descriptors in use afterwards", server.descriptors()?);
    let times = Times::default();
    times.measure(server.address, Duration::from_secs(1), Duration::ZERO).await?;
    times.report("one afterwards");
    Ok(())
}

async fn client(address: SocketAddr, answered: Rc<Cell<usize>>) -> io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    request(&mut connection).await?;
    answered.set(answered.get() + 1);
    sleep(KEPT).await;
    Ok(())
}
