//! A WebSocket that sends every message back, and one that greets by name.
//!
//! Run it: `cargo run --example echo_websocket`
//! Try it: open http://localhost:8000 in a browser and type.
//!         `curl -i localhost:8000/echo`                  (400: this is no WebSocket handshake)
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;

use squall::websocket::{Message, WebSocket, WebSocketHandler};
use squall::{Application, Context, HTTPServer, IOLoop, Result, get, route, websocket};

mod support;

/// A function serves one connection from the first message to the last.
async fn echo(mut ws: WebSocket) -> Result {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Each connection gets a clone of the handler.
#[derive(Clone, Default)]
struct Greeter {
    name: String,
}

impl WebSocketHandler for Greeter {
    async fn open(&mut self, _: &WebSocket, cx: &mut Context) -> Result {
        self.name = cx.argument("name")?.to_string(); // Without it: the connection closes with 1008.
        Ok(())
    }

    async fn on_message(&mut self, ws: &WebSocket, message: Message) -> Result {
        ws.send(format!("{}: {}", self.name, message.as_text()?)).await
    }
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([
        route("/", get(async || PAGE)),
        websocket("/echo", echo),
        websocket("/greet", Greeter::default()),
    ]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(0)?;
    IOLoop::current().start()
}

const PAGE: &str = r#"<!doctype html>
<title>Echo</title>
<style>
  body { max-width: 40rem; margin: 3rem auto; font: 1rem/1.5 system-ui, sans-serif; }
  input { width: 100%; padding: .5rem; font: inherit; box-sizing: border-box; }
</style>
<h1>Echo</h1>
<input placeholder="Type, and press Enter" autofocus>
<pre></pre>
<script>
  const [input, output] = [document.querySelector("input"), document.querySelector("pre")];
  const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/greet?name=You`);
  const show = line => output.textContent += line + "\n";
  socket.onmessage = event => show(event.data);
  socket.onclose = event => show(`closed with ${event.code}`);
  input.onchange = () => { socket.send(input.value); input.value = ""; };
</script>
"#;
