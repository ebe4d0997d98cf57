//! A handler with path arguments, errors by `?`, and a page of its own for them.
//!
//! Run it: `cargo run --example stories`
//! Try it: `curl -i -X PUT -d 'Once upon a time' localhost:8000/story/7`
//!         `curl -i localhost:8000/story/7`
//!         `curl -i localhost:8000/story/8`                        (404: there is none)
//!         `curl -i localhost:8000/story/seven`                    (404: no number)
//!         `curl -i -X PUT --data-binary $'\xff' localhost:8000/story/7` (400: not UTF-8)
//!         `curl -i -X DELETE localhost:8000/story/7`              (500: the log says why)
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use squall::{
    Application, Context, Error, HTTPError, HTTPServer, IOLoop, RequestHandler, Result, StatusCode,
    route,
};

mod support;

type Stories = Rc<RefCell<HashMap<u64, String>>>;

/// Shows and changes one story.
#[derive(Clone)]
struct StoryHandler {
    /// Shared by all requests.
    stories: Stories,
    /// The request's own: `prepare` sets it.
    id: u64,
}

impl RequestHandler for StoryHandler {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        self.id = cx.path_argument("id")?; // Not a number: 404.
        Ok(())
    }

    async fn get(&mut self, cx: &mut Context) -> Result {
        let stories = self.stories.borrow();
        let story = stories.get(&self.id).ok_or(HTTPError::NOT_FOUND)?;
        cx.write(story)
    }

    async fn put(&mut self, cx: &mut Context) -> Result {
        let story = cx.body().text().await?; // Not UTF-8: 400.
        let old = self.stories.borrow_mut().insert(self.id, story);
        cx.set_status(if old.is_none() { StatusCode::CREATED } else { StatusCode::OK });
        cx.write("stored\n")
    }

    async fn delete(&mut self, cx: &mut Context) -> Result {
        let archive = std::fs::read_to_string("/nowhere/archive")?; // Any other error: 500.
        cx.write(archive)
    }

    fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.set_header("Content-Type", "text/plain; charset=UTF-8")?;
        cx.write(format!("no luck with story {}: {}\n", self.id, error.status()))
    }
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let stories = Stories::default();
    let app = Application::new([route("/story/{id}", StoryHandler { stories, id: 0 })]);
    HTTPServer::new(app).bind(port)?.start(1)?;
    println!("http://localhost:{port}");
    IOLoop::current().start()
}
