//! A handler that takes a second, and a thousand of them at once.
//!
//! Run it: `cargo run --release --example slow`
//! Try it: `time curl localhost:8000`
//!         `h2load --h1 -n 1000 -c 1000 http://localhost:8000/` takes little more than a
//!         second in all, for the one thread sleeps in none of them. (`ab` takes two, because
//!         it sends a request of its own first.)
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;
use std::time::Duration;

use squall::{Application, Context, HTTPServer, IOLoop, RequestHandler, Result, route, sleep};

mod support;

#[derive(Clone)]
struct SlowHandler;

impl RequestHandler for SlowHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        sleep(Duration::from_secs(1)).await;
        cx.write("that took a second\n")
    }
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([route("/", SlowHandler)]);
    HTTPServer::new(app).bind(port)?.start(1)?;
    println!("http://localhost:{port}");
    IOLoop::current().start()
}
