//! `differential squall|hyper|tiny_http`: a server that answers each request with what it has
//! read of it, one line: method, target, and the body in hexadecimal digits. It prints the port
//! that it listens on, of the loopback interface.
//!
//! `differential websocket` compares frames with tungstenite; `differential websocket-filter` serves
//! `deflate.py`.

mod websocket;

use std::convert::Infallible;
use std::fmt::Write;
use std::io;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use squall::{Application, Context, HTTPServer, IOLoop, get, regex};

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("squall") => squall(),
        Some("hyper") => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(hyper())
        }
        Some("tiny_http") => tiny_http(),
        Some("websocket") => websocket::compare(),
        Some("websocket-filter") => websocket::filter(),
        _ => Err(io::Error::other("squall, hyper, tiny_http or websocket?")),
    }
}

fn describe(method: &str, target: &str, body: &[u8]) -> String {
    let mut line = format!("{method} {target} ");
    for byte in body {
        let _ = write!(line, "{byte:02x}");
    }
    line
}

fn squall() -> io::Result<()> {
    let functions = get(answer).post(answer).put(answer).delete(answer).patch(answer);
    let server = HTTPServer::new(Application::new([regex("/.*", functions)])).half_close(true);
    server.listen("127.0.0.1:0")?;
    println!("{}", server.local_addrs()[0].port());
    IOLoop::current().start()
}

async fn answer(cx: &mut Context) -> squall::Result {
    let body = cx.body().await?;
    let mut target = cx.path().as_str().to_owned();
    let query = cx.query();
    if !query.as_str().is_empty() {
        target = format!("{target}?{}", query.as_str());
    }
    let line = describe(cx.method().as_str(), &target, &body);
    cx.write(line)
}

async fn hyper() -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        let service = service_fn(|request: hyper::Request<Incoming>| async {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await else {
                // Its body is not one: end the connection.
                let mut refused = hyper::Response::new(Full::new(Bytes::new()));
                *refused.status_mut() = hyper::StatusCode::BAD_REQUEST;
                return Ok::<_, Infallible>(refused);
            };
            let target = head.uri.path_and_query().map_or("*", |target| target.as_str());
            let line = describe(head.method.as_str(), target, &body.to_bytes());
            Ok(hyper::Response::new(Full::new(Bytes::from(line))))
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        // A current-thread runtime: the connections are served side by side.
        let connection = builder.half_close(true).serve_connection(stream, service);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

fn tiny_http() -> io::Result<()> {
    let server = tiny_http::Server::http("127.0.0.1:0").map_err(io::Error::other)?;
    println!("{}", server.server_addr().to_ip().map_or(0, |address| address.port()));
    for mut request in server.incoming_requests() {
        let mut body = Vec::new();
        let whole = request.as_reader().read_to_end(&mut body).is_ok();
        let line = describe(request.method().as_str(), request.url(), &body);
        let response = tiny_http::Response::from_string(line);
        let status = if whole { 200 } else { 400 };
        let _ = request.respond(response.with_status_code(status));
    }
    Ok(())
}
