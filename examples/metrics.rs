//! A server that tells what it is doing: to Prometheus, to a load balancer, to who runs it.
//!
//! Run it: `cargo run --example metrics`
//! Try it: `curl -d 'Dear Ada' localhost:8000/mails` counts something of our own;
//!         `curl localhost:8000/slow/300` takes its time, as the log says;
//!         `curl localhost:8000/metrics` tells Prometheus all that was counted, by all workers;
//!         `curl -i localhost:8000/readyz` tells a load balancer whether all of them are ready.
//!
//! In a browser, <http://localhost:8000/status> shows it. In a terminal,
//! `cargo run --example top` does, over a socket that only you may connect to:
//!
//! ```text
//! curl --unix-socket /tmp/squall-8000.sock http://localhost/
//! ```
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;
use std::time::{Duration, Instant};

use squall::metrics::{self, Counter, Histogram};
use squall::{Application, Context, HTTPServer, IOLoop, Result, control, get, health, post, route};

mod support;

/// Made before the fork, and counted in each worker.
#[derive(Clone)]
struct Mails {
    sent: Counter,
    empty: Counter,
    lengths: Histogram,
}

impl Mails {
    fn new() -> Result<Self, metrics::MetricError> {
        let help = "Mails that were given to us.";
        let count = |result| Counter::with_labels("mails_total", help, &[("result", result)]);
        let lengths = Histogram::new("mail_duration_seconds", "How long sending a mail took.")?;
        Ok(Self { sent: count("sent")?, empty: count("empty")?, lengths })
    }

    async fn send(&self, cx: &mut Context) -> Result {
        let begin = Instant::now();
        let mail = cx.body().await?;
        if mail.is_empty() {
            self.empty.inc();
            return cx.write("there is nothing to send\n");
        }
        self.sent.inc();
        self.lengths.observe(begin.elapsed());
        cx.write("sent\n")
    }
}

/// Keeps its worker busy, which a handler should not do.
async fn slow(_cx: &mut Context, milliseconds: u64) -> &'static str {
    let end = Instant::now() + Duration::from_millis(milliseconds.min(10_000));
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    "that took its time\n"
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let mails = Mails::new()?;
    let app = Application::new([
        route("/", get(async || "try /metrics, /readyz and /status\n")),
        route("/mails", post(async move |cx: &mut Context| mails.send(cx).await)),
        route("/slow/{milliseconds}", get(slow)),
        // Not for everybody, in earnest: put middleware around them, or use the socket only.
        route("/metrics", metrics::handler()),
        route("/status", control::page()),
        route("/livez", health::livez()),
        route("/readyz", health::readyz()),
    ]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    server.control(std::env::temp_dir().join(format!("squall-{port}.sock")))?;
    println!("http://localhost:{port}");
    server.start(2)?;
    IOLoop::current().start()
}
