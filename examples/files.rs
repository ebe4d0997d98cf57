//! Responses from files: whole ones, parts of them, and downloads with a name.
//!
//! Run it: `cargo run --example files`
//! Try it: `curl -i localhost:8000/source`
//!         `curl -i -H 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT' localhost:8000/source`
//!         `curl -i localhost:8000/pages/readme`
//!         `curl -i localhost:8000/pages/..%2FCargo.toml` finds nothing
//!         `curl -i localhost:8000/end` the last 60 bytes
//!         `curl -i localhost:8000/download`
//!
//! A path is opened as it is, so none is made of what a request holds: the pages are looked up in
//! a list.
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;
use std::path::{Path, PathBuf};

use squall::{
    Application, Context, HTTPError, HTTPServer, IOLoop, OpenFile, Result, StatusCode, get, route,
};

mod support;

fn at_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The type and the age of the file become headers. A client that has it is answered with 304.
async fn source(cx: &mut Context) -> Result {
    cx.set_header("Content-Type", "text/plain; charset=UTF-8")?;
    cx.send_file(at_root("examples/files.rs")).await
}

async fn page(cx: &mut Context, name: String) -> Result {
    let file = match name.as_str() {
        "readme" => "README.md",
        "changes" => "web/CHANGELOG.md",
        _ => Err(HTTPError::NOT_FOUND)?,
    };
    cx.send_file(at_root(file)).await
}

/// The properties of a file that its response needs.
async fn end(cx: &mut Context) -> Result {
    let file = OpenFile::open(at_root("examples/files.rs")).await?;
    let length = file.len();
    let begin = length.saturating_sub(60);
    cx.set_status(StatusCode::PARTIAL_CONTENT);
    cx.set_header("Content-Range", format!("bytes {begin}-{}/{length}", length - 1))?;
    cx.send_file(file.range(begin..length)?).await
}

async fn download(cx: &mut Context) -> Result {
    cx.set_header("Content-Disposition", "attachment; filename=\"squall.lock\"")?;
    cx.send_file(at_root("Cargo.lock")).await
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([
        route("/source", get(source)),
        route("/pages/{name}", get(page)),
        route("/end", get(end)),
        route("/download", get(download)),
    ]);
    HTTPServer::new(app).bind(port)?.start(1)?;
    println!("http://localhost:{port}");
    IOLoop::current().start()
}
