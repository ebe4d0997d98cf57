//! Sends every message back: at `/`, compressed if the client offers it. `/page` is a page for
//! browsers that tests the echo and shows the result.
//!
//! The argument is the port.

use std::io;

use squall::websocket::{WebSocket, WebSocketCompression, WebSocketOptions};
use squall::{Application, HTTPServer, IOLoop, Result, get, route, websocket};

async fn echo(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    // Group 9 of Autobahn sends messages of 16 MiB.
    let options = WebSocketOptions::new()
        .max_message_size(64 * 1024 * 1024)
        .compression(WebSocketCompression::new().min_size(0).binary(true));
    let page = include_str!("../../clients/browser.html");
    let app = Application::new([
        websocket("/", echo).websocket_options(options),
        route("/page", get(async move || page)),
    ]);
    let server = HTTPServer::new(app);
    server.bind(format!("127.0.0.1:{port}").as_str())?.start(1)?;
    IOLoop::current().start()
}
