//! Functions instead of handlers, with the arguments of the path as their parameters.
//!
//! Run it: `cargo run --example functions`
//! Try it: `curl localhost:8000`
//!         `curl localhost:8000/sum/40/2`       (`/sum/40/two` is 404)
//!         `curl localhost:8000/archive/1999`   (a regular expression; `/archive/99` is 404)
//!         `curl -d 'once upon a time' localhost:8000/notes` and `curl localhost:8000/notes`
//!         `curl -i -X DELETE localhost:8000/notes` (405, and `Allow` names what is there)
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use squall::{Application, Context, HTTPServer, IOLoop, NoContent, Result, get, regex, route};

mod support;

async fn index() -> &'static str {
    "try /sum/40/2\n"
}

async fn sum(a: i64, b: i64) -> String {
    format!("{}\n", a.saturating_add(b))
}

async fn archive(year: u16) -> String {
    format!("what happened in {year}\n")
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    // Closures hold what they share.
    let note = Rc::new(RefCell::new(String::new()));
    let read = {
        let note = Rc::clone(&note);
        async move || note.borrow().clone()
    };
    let write = async move |cx: &mut Context| -> Result<NoContent> {
        *note.borrow_mut() = cx.body().text().await?;
        Ok(NoContent)
    };
    let app = Application::new([
        route("/", get(index)),
        route("/sum/{a}/{b}", get(sum)),
        regex(r"/archive/(\d{4})", get(archive)),
        route("/notes", get(read).post(write)),
    ]);
    HTTPServer::new(app).bind(port)?.start(1)?;
    println!("http://localhost:{port}");
    IOLoop::current().start()
}
