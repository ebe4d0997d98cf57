use std::time::Duration;

use squall::{
    Application, Context, Endpoint, Error, HTTPServer, IntoEndpoint, LocalBoxFuture, Method,
    Result, route,
};

use crate::events::{Events, Teller, events};
use crate::wire::Server;

/// An endpoint that is neither a `RequestHandler` nor functions. It checks nothing itself.
#[derive(Clone)]
struct Own {
    teller: Teller,
    writes_refusals: bool,
}

impl Endpoint for Own {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::GET, Method::POST]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        self.teller.tell("call");
        Box::pin(async {
            let length = cx.body().await?.len();
            cx.write(length.to_string())
        })
    }

    fn refuse<'a>(&'a self, cx: &'a mut Context, error: Error) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move {
            if !self.writes_refusals {
                return Err(error);
            }
            cx.send_error(&error);
            cx.clear_body()?;
            cx.write(format!("own page of {}", error.status().as_u16()))
        })
    }
}

struct Kind;

impl IntoEndpoint<Kind> for Own {
    fn into_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(self)
    }
}

/// Each way in which an endpoint can be reached.
fn servers() -> Vec<(&'static str, Server, Events)> {
    let serve = |change: fn(Application) -> HTTPServer| {
        let (teller, events) = events();
        let server = Server::with(move || {
            let own = |writes_refusals| Own { teller: teller.clone(), writes_refusals };
            change(Application::new([
                route("/", own(false)).max_body_size(4),
                route("/streamed", own(false)).max_body_size(4).stream_request_body(),
                route("/page", own(true)).max_body_size(4),
            ]))
        });
        (server, events)
    };
    let named = |name, (server, events)| (name, server, events);
    vec![
        named("alone", serve(HTTPServer::new)),
        named(
            "with middleware",
            serve(|app| HTTPServer::new(app.around(async |cx, next| next.run(cx).await))),
        ),
        named(
            "with a time limit",
            serve(|app| HTTPServer::new(app).handler_timeout(Duration::from_secs(60))),
        ),
    ]
}

#[test]
fn the_framework_refuses_requests_that_a_users_endpoint_does_not_accept() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\n12345\r\n0\r\n\r\n";
    let cases = [
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, true),
        ("HEAD2 / HTTP/1.1\r\nHost: a\r\n\r\n", 405, true),
        ("DELETE /streamed HTTP/1.1\r\nHost: a\r\n\r\n", 405, true),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", 204, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", 413, false),
        (chunked, 413, false),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nContent-Length: 1\r\n\r\n1",
            417,
            false,
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n", 417, true),
        ("GET /streamed HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n", 417, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, false),
    ];
    for (name, server, events) in servers() {
        for (request, status, is_kept) in cases {
            // Also on a connection, and of a row, that has answered before.
            for before in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
                let exchange = server.exchange(format!("{before}{request}"));
                let last = exchange.responses.last().unwrap();
                assert_eq!(last.status, status, "{name}: {request:?}");
                assert_eq!(exchange.kept, is_kept, "{name}: {request:?}");
                let allow = matches!(status, 405 | 204).then_some("GET, POST, OPTIONS");
                assert_eq!(last.header("allow"), allow, "{name}: {request:?}");
                let calls = if before.is_empty() { 0 } else { 2 };
                assert_eq!(events.so_far(), vec!["call"; calls], "{name}: {request:?}");
            }
        }
        let taken = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234";
        assert_eq!(server.serves(name, taken).text(), "4");
    }
}

#[test]
fn an_endpoint_may_write_the_page_of_a_refused_request() {
    for (name, server, events) in servers() {
        let exchange = server.exchange("DELETE /page HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = exchange.only();
        assert_eq!((response.status, response.text()), (405, "own page of 405"), "{name}");
        assert_eq!(response.header("allow"), Some("GET, POST, OPTIONS"), "{name}");
        assert_eq!(events.so_far(), Vec::<&str>::new(), "{name}");
    }
}
