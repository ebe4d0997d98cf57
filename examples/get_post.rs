//! `GET` and `POST` on one handler, with state that the requests of a worker share.
//!
//! Run it: `cargo run --example get_post`
//! Try it: `curl -d message=hi localhost:8000` a few times, then `curl localhost:8000`
//!
//! Nothing here is `Send`, and nothing needs to be: a worker is one thread, and the state an
//! `Rc<RefCell<_>>`. With `start(0)` each worker would have a list of its own.
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use squall::{
    Application, Context, HTTPError, HTTPServer, IOLoop, RequestHandler, Result, StatusCode, route,
};

mod support;

/// More messages than this are not kept.
const MAX_MESSAGES: usize = 1000;

#[derive(Clone)]
struct MessagesHandler {
    messages: Rc<RefCell<Vec<String>>>,
}

impl RequestHandler for MessagesHandler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.json(&*self.messages.borrow())
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        let message = cx.argument("message")?; // Missing: 400.
        let mut messages = self.messages.borrow_mut();
        if messages.len() == MAX_MESSAGES {
            Err(HTTPError::SERVICE_UNAVAILABLE)?;
        }
        messages.push(message.to_string());
        cx.set_status(StatusCode::CREATED);
        cx.write(format!("message {} is noted\n", messages.len()))
    }
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([route("/", MessagesHandler { messages: Rc::default() })]);
    HTTPServer::new(app).bind(port)?.start(1)?; // This process itself serves.
    println!("http://localhost:{port}");
    IOLoop::current().start()
}
