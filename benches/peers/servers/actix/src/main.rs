//! actix-web, as its documentation shows it, with one worker.

use std::net::Ipv4Addr;

use actix_web::middleware::DefaultHeaders;
use actix_web::web::{Bytes, Json, Path, PayloadConfig, get, post};
use actix_web::{App, HttpServer};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn plaintext() -> &'static str {
    "Hello, World!"
}

async fn json() -> Json<Message> {
    Json(Message { message: "Hello, World!" })
}

async fn echo(body: Bytes) -> Bytes {
    body
}

async fn posts(path: Path<(u64, u64)>) -> String {
    let (user, post) = path.into_inner();
    format!("post {post} of user {user}\n")
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8000);
    let app = || {
        App::new()
            .wrap(DefaultHeaders::new().add(("Server", "actix-web")))
            .app_data(PayloadConfig::new(16 << 20))
            .route("/plaintext", get().to(plaintext))
            .route("/json", get().to(json))
            .route("/echo", post().to(echo))
            .route("/user/{user}/posts/{post}", get().to(posts))
    };
    HttpServer::new(app)
        .workers(1)
        .backlog(4096)
        // More than any scenario has.
        .max_connections(100_000)
        .bind((Ipv4Addr::UNSPECIFIED, port))?
        .run()
        .await
}
