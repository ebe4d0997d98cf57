//! A page whose progress bar follows work on the server, over one WebSocket.
//!
//! The server counts primes, one block of numbers after the other, in its thread pool. After each
//! block it sends its progress to the page. A second message from the page stops the work, and so
//! does the end of the connection.
//!
//! Run it: `cargo run --release --example countdown`
//! Try it: open http://localhost:8000 in a browser and press Launch.
//!         `curl localhost:8000`
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use squall::websocket::{Message, WebSocket};
use squall::{Application, HTTPServer, IOLoop, Result, get, route, sleep, timeout, websocket};

mod support;

/// How many blocks there are, and how many numbers are in each.
const BLOCKS: u32 = 100;
const BLOCK: u32 = 20_000;

/// The shortest time for a block. A fast machine would be done before anybody sees it.
const PACE: Duration = Duration::from_millis(80);

/// The progress that the page receives after each block.
#[derive(Serialize)]
struct Progress {
    done: u32,
    of: u32,
    primes: u32,
    /// In seconds.
    left: f64,
    stopped: bool,
}

/// Waits for the page to ask for work, again and again.
async fn countdown(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        if message.as_text()? == "launch" {
            work(&mut ws).await?;
        }
    }
    Ok(())
}

async fn work(ws: &mut WebSocket) -> Result {
    let begin = Instant::now();
    let mut primes = 0;
    for block in 0..=BLOCKS {
        let left =
            begin.elapsed().as_secs_f64() * f64::from(BLOCKS - block) / f64::from(block.max(1));
        let left = if block == 0 { PACE.as_secs_f64() * f64::from(BLOCKS) } else { left };
        let mut progress = Progress { done: block, of: BLOCKS, primes, left, stopped: false };
        ws.send(json(&progress)?).await?;
        if block == BLOCKS {
            break;
        }
        let pace = sleep(PACE);
        primes += IOLoop::current().run_in_executor(move || count_primes(block)).await?;
        pace.await;
        // Has the page said anything?
        if let Ok(message) = timeout(Duration::ZERO, ws.recv()).await {
            if message?.is_some() {
                progress.stopped = true;
                ws.send(json(&progress)?).await?;
            }
            break;
        }
    }
    Ok(())
}

fn json(progress: &Progress) -> Result<Message> {
    Ok(serde_json::to_string(progress)?.into())
}

fn count_primes(block: u32) -> u32 {
    let is_prime =
        |n: &u32| *n > 1 && (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (block * BLOCK..(block + 1) * BLOCK).filter(is_prime).count() as u32
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([
        route("/", get(async || include_str!("pages/countdown.html"))),
        websocket("/countdown", countdown),
    ]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(0)?;
    IOLoop::current().start()
}
