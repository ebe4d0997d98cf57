//! The application behind the speed figures of the README. It uses the public API only.
//!
//! Run it: `cargo run --release --example bench`
//! Try it: `curl -i localhost:8000/plaintext`
//!         `curl localhost:8000/json`
//!         `curl -d 'whatever you like' localhost:8000/echo`
//!         `curl localhost:8000/user/123/posts/456`
//!
//! All limits, time-outs and headers are as they are by default. The port is the first argument,
//! or `PORT`, or 8000; the second is how many workers there are: 1 unless it is said, 0 for one on
//! each core. What is measured with it, and how, is in `benches/`.

use std::io;

use serde::Serialize;
use squall::http::header::CONTENT_TYPE;
use squall::websocket::WebSocket;
use squall::{
    Application, Context, HTTPServer, HeaderValue, IOLoop, RequestHandler, Result, route, websocket,
};

mod support;

// Checked when the program is built, and shared by all responses.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

#[derive(Clone)]
struct PlaintextHandler;

impl RequestHandler for PlaintextHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.set_header(CONTENT_TYPE, TEXT)?;
        cx.write("Hello, World!")
    }
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

#[derive(Clone)]
struct JsonHandler;

impl RequestHandler for JsonHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.json(&Message { message: "Hello, World!" })
    }
}

#[derive(Clone)]
struct EchoHandler;

impl RequestHandler for EchoHandler {
    async fn post(&mut self, cx: &mut Context) -> Result {
        let body = cx.body().await?;
        cx.set_header(CONTENT_TYPE, BYTES)?;
        cx.write(body)
    }
}

#[derive(Clone)]
struct PostHandler;

impl RequestHandler for PostHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        let user: u64 = cx.path_argument("user")?;
        let post: u64 = cx.path_argument("post")?;
        cx.set_header(CONTENT_TYPE, TEXT)?;
        writeln!(cx, "post {post} of user {user}")
    }
}

async fn echo(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let workers = std::env::args().nth(2).map_or(Ok(1), |workers| workers.parse());
    let app = Application::new([
        route("/plaintext", PlaintextHandler),
        route("/json", JsonHandler),
        route("/echo", EchoHandler),
        route("/user/{user}/posts/{post}", PostHandler),
        websocket("/ws", echo),
    ]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(workers.map_err(io::Error::other)?)?;
    IOLoop::current().start()
}
