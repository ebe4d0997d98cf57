//! axum, as its documentation shows it, on one thread.

use std::net::Ipv4Addr;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{HeaderValue, header::SERVER};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn posts(Path((user, post)): Path<(u64, u64)>) -> String {
    format!("post {post} of user {user}\n")
}

/// The others name themselves as well.
async fn name(mut response: Response) -> Response {
    response.headers_mut().insert(SERVER, HeaderValue::from_static("axum"));
    response
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8000);
    let app = Router::new()
        .route("/plaintext", get(async || "Hello, World!"))
        .route("/json", get(async || Json(Message { message: "Hello, World!" })))
        .route("/echo", post(async |body: Bytes| body))
        .route("/user/{user}/posts/{post}", get(posts))
        .layer(DefaultBodyLimit::max(16 << 20))
        .layer(map_response(name));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        axum::serve(listener, app).await
    })
}
