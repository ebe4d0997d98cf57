//! Reads the client's address when all connections come from nginx.
//!
//! Run it: `cargo run --example behind_nginx`
//! Try it, as nginx would ask: `curl -H 'X-Real-Ip: 203.0.113.7' -H 'X-Scheme: https' localhost:8000`
//!
//! In nginx:
//!
//! ```text
//! location / {
//!     proxy_pass http://127.0.0.1:8000;
//!     proxy_set_header Host             $host;
//!     proxy_set_header X-Real-Ip        $remote_addr;
//!     proxy_set_header X-Scheme         $scheme;
//!     proxy_set_header X-Forwarded-Host "";
//! }
//! ```
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;

use squall::{Application, Context, HTTPServer, IOLoop, Result, get, route};

mod support;

async fn who(cx: &mut Context) -> Result {
    let Some(client) = cx.remote_ip() else { return cx.write("I do not know who you are\n") };
    cx.write(format!("{client} asks for {}://{}\n", cx.protocol(), cx.host()))
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([route("/", get(who))]);
    // The server ignores the headers of any other peer.
    let server = HTTPServer::new(app).trusted_downstream(["127.0.0.1", "::1"])?;
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(0)?;
    IOLoop::current().start()
}
