//! may_minihttp: a coroutine with a stack for each connection. It has no routes and does not
//! close connections: the former is done here by hand, the latter is left out.

use std::fmt::Write as _;
use std::io::{self, Read as _};

use bytes::BufMut as _;
use may_minihttp::{HttpServer, HttpService, Request, Response};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

#[derive(Clone)]
struct Routes;

impl HttpService for Routes {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        match request.path() {
            "/plaintext" => {
                response.header("Content-Type: text/plain").body("Hello, World!");
            }
            "/json" => {
                response.header("Content-Type: application/json");
                let message = Message { message: "Hello, World!" };
                serde_json::to_writer(response.body_mut().writer(), &message)?;
            }
            "/echo" => {
                response.header("Content-Type: application/octet-stream");
                let mut body = Vec::new();
                request.body().read_to_end(&mut body)?;
                response.body_mut().extend_from_slice(&body);
            }
            path => match numbers(path) {
                Some((user, post)) => {
                    response.header("Content-Type: text/plain");
                    let _ = writeln!(response.body_mut(), "post {post} of user {user}");
                }
                None => {
                    response.status_code(404, "Not Found");
                }
            },
        }
        Ok(())
    }
}

/// Of `/user/{user}/posts/{post}`.
fn numbers(path: &str) -> Option<(u64, u64)> {
    let (user, post) = path.strip_prefix("/user/")?.split_once("/posts/")?;
    Some((user.parse().ok()?, post.parse().ok()?))
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8000".to_owned());
    may::config().set_workers(1).set_pool_capacity(1000).set_stack_size(0x1000);
    let server = HttpServer(Routes).start(format!("0.0.0.0:{port}"))?;
    server.join().map_err(|_| io::Error::other("the server has panicked"))
}
