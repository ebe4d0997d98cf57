//! Kept connections, each making requests in turn.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use crate::client::{Times, all, open, request};
use crate::server::Server;

const CONNECTIONS: usize = 10_000;
const REQUESTS: usize = 10;

pub(crate) async fn run() -> io::Result<()> {
    let server = Server::spawn()?;
    let before = server.memory()?;
    let connections = open(server.address, CONNECTIONS, b"").await?;
    let times = Times::default();
    let still_open = Rc::new(RefCell::new(Vec::new()));
    let (begin, cpu) = (Instant::now(), server.cpu()?);
    all(connections.into_iter().map(|mut connection| {
        let (times, open) = (times.clone(), Rc::clone(&still_open));
        async move {
            for _ in 0..REQUESTS {
                let begin = Instant::now();
                request(&mut connection).await?;
                times.add(begin);
            }
            open.borrow_mut().push(connection);
            Ok(())
        }
    }))
    .await?;
    let (took, cpu) = (begin.elapsed().as_secs_f64(), server.cpu()? - cpu);
    times.report(&format!("{CONNECTIONS} connections, all at once"));
    let each = (server.memory()? - before) / CONNECTIONS as f64;
    let busy = cpu.as_secs_f64();
    println!("  in {took:.1} s, {busy:.1} s of them on a core; then {each:.0} bytes each");
    Ok(())
}
