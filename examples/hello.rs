//! Hello, world, in one process for each core.
//!
//! Run it: `cargo run --example hello`
//! Try it: `curl -i localhost:8000`
//!
//! The port is the first argument, or `PORT`, or 8000. ^C ends it gracefully.

use std::io;

use squall::{Application, Context, HTTPServer, IOLoop, RequestHandler, Result, route};

mod support;

#[derive(Clone)]
struct MainHandler;

impl RequestHandler for MainHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([route("/", MainHandler)]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(0)?; // One worker for each core; what follows runs in each of them.
    IOLoop::current().start()
}
