//! Requests of clients that disconnect before the response: their log lines and counts, and their
//! effect on middleware and handlers.

use std::time::Duration;

use squall::{
    Application, Context, Error, HTTPServer, Next, RequestHandler, Result, get, metrics, post,
    route, sleep,
};

use crate::events::{Events, Gate, Teller, events};
use crate::wire::{Client, Response, Server};

/// A handler that reports which methods run, and the status that `on_finish` sees.
#[derive(Clone)]
struct Slow {
    teller: Teller,
    gate: Gate,
}

impl RequestHandler for Slow {
    async fn get(&mut self, cx: &mut Context) -> Result {
        let _dropped = self.teller.at_drop("dropped");
        self.teller.tell("get");
        match cx.argument("how").ok().as_deref() {
            Some("streams") => {
                cx.write("begun")?;
                cx.flush().await?;
            }
            Some("panics") => panic!("no luck"),
            _ => {}
        }
        self.gate.passed().await;
        cx.write("whole")
    }

    async fn put(&mut self, cx: &mut Context) -> Result {
        self.teller.tell("put");
        cx.body().await?;
        Ok(())
    }

    fn write_error(&mut self, cx: &mut Context, _: &Error) -> Result {
        self.teller.tell("write_error");
        cx.write_error_page()
    }

    fn on_finish(&mut self, cx: &mut Context) {
        self.teller.tell(told(cx));
    }
}

fn told(cx: &Context) -> &'static str {
    match cx.status().as_u16() {
        200 => "200",
        413 => "413",
        499 => "499",
        500 => "500",
        503 => "503",
        _ => "another status",
    }
}

/// A server with every kind of endpoint. With middleware, it also reports the status that the
/// middleware sees.
fn server(with_middleware: bool) -> (Server, Events) {
    let (teller, events) = events();
    let server = Server::with(move || {
        let gate = Gate::default();
        let slow = Slow { teller: teller.clone(), gate: gate.clone() };
        let told_by_function = teller.clone();
        let wait = async move || {
            let _dropped = told_by_function.at_drop("dropped");
            told_by_function.tell("get");
            gate.passed().await;
        };
        let app = Application::new([
            route("/handler", slow.clone()),
            route("/limited", slow.clone()).handler_timeout(Duration::from_millis(10)),
            route("/small", slow.clone()).max_body_size(2),
            route("/streamed", slow).stream_request_body(),
            route("/function", get(wait).put(async |cx: &mut Context| cx.write(cx.body().await?))),
            route("/endless", get(endless)),
            route("/metrics", metrics::handler()),
            route("/", post(async || "answered")),
        ]);
        HTTPServer::new(match with_middleware {
            false => app,
            true => app.around(async move |cx: &mut Context, next: Next<'_>| {
                let result = next.run(cx).await;
                let status = result.as_ref().err().map(|error| error.status().as_u16());
                teller.tell(match status {
                    Some(499) => "middleware: error 499",
                    Some(_) => "middleware: another error",
                    None if cx.status().as_u16() == 499 => "middleware: 499",
                    None => "middleware",
                });
                assert!(
                    status.is_none_or(|status| status == cx.status().as_u16() || status != 499)
                );
                result
            }),
        })
    });
    (server, events)
}

/// Writes for as long as its client reads.
async fn endless(cx: &mut Context) -> Result {
    loop {
        cx.write(vec![b'e'; 4096])?;
        cx.flush().await?;
    }
}

/// The lines of the access log since the previous call.
#[track_caller]
fn access_lines(server: &Server, events: &Events) -> Vec<String> {
    // Served after the lines of the previous call.
    ask(server, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = events.so_far();
    let lines = server.log().into_iter().filter(|line| line.contains("squall::access"));
    lines.filter(|line| !line.contains("200 POST / ")).collect()
}

#[track_caller]
fn assert_is_499(line: &str, request: &str) {
    // The system does not know the address of a client that has reset the connection.
    let starts = ["127.0.0.1", "-"].map(|ip| format!("WARN squall::access: 499 {request} ({ip}) "));
    let rest = starts.iter().find_map(|start| line.strip_prefix(start));
    let time = rest.and_then(|rest| rest.strip_suffix("ms"));
    let time: f64 = time.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    assert!(time > 0.0, "{line}");
}

fn ask(server: &Server, request: &str) -> Response {
    let mut client = server.connect();
    client.send(request);
    client.response()
}

fn send(server: &Server, head: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("{head} HTTP/1.1\r\nHost: a\r\n"));
    client
}

#[test]
fn a_client_that_leaves_while_the_handler_waits_is_logged_once_with_499() {
    for resets in [false, true] {
        for (path, with_middleware, parts) in [
            ("/function", false, &["dropped"][..]),
            ("/function", true, &["dropped", "middleware: error 499"]),
            ("/handler", false, &["dropped", "499"]),
            ("/handler", true, &["dropped", "499", "middleware: 499"]),
            ("/handler?how=streams", true, &["dropped", "499", "middleware: 499"]),
        ] {
            let (server, events) = server(with_middleware);
            let mut client = send(&server, &format!("GET {path}"));
            client.send("\r\n");
            events.expect("get");
            match resets {
                true => client.reset(),
                false => client.finish(),
            }
            parts.iter().for_each(|part| events.expect(part));
            let [line] = &access_lines(&server, &events)[..] else { panic!("{path}") };
            assert_is_499(line, &format!("GET {path}"));
        }
    }
}

#[test]
fn an_upload_that_is_aborted_is_logged_with_499_and_answered_with_nothing() {
    for (path, with_middleware, parts) in [
        ("/function", true, &["middleware: error 499"][..]),
        ("/handler", false, &["499"]),
        ("/handler", true, &["499", "middleware: 499"]),
        ("/streamed", false, &["put", "499"]),
        ("/streamed", true, &["put", "499", "middleware: 499"]),
    ] {
        let (server, events) = server(with_middleware);
        let mut client = server.connect();
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "answered");
        let _ = events.so_far();
        client.send(format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
        client.let_server_run();
        client.finish();
        parts.iter().for_each(|part| events.expect(part));
        assert!(client.rest().is_empty());
        let [line] = &access_lines(&server, &events)[..] else { panic!("{path}") };
        assert_is_499(line, &format!("PUT {path}"));
    }
}

#[test]
fn responses_before_an_aborted_upload_arrive() {
    let (server, _events) = server(false);
    let mut client = server.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n\
         PUT /function HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
    );
    client.finish();
    let rest = client.rest();
    assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n") && rest.ends_with(b"\r\n\r\nanswered"));
}

#[test]
fn a_stream_is_logged_with_499_when_its_client_disconnects() {
    let (server, events) = server(true);
    let mut client = send(&server, "GET /endless");
    client.send("\r\n");
    client.until("\r\n\r\n");
    client.reset();
    events.expect("middleware: error 499");
    let [line] = &access_lines(&server, &events)[..] else { panic!("one line") };
    assert_is_499(line, "GET /endless");
    let lines = server.log();
    assert!(lines.iter().all(|line| !line.starts_with("ERROR")), "{lines:?}");
}

#[test]
fn the_metrics_count_disconnects_separately() {
    let (server, events) = server(false);
    for (path, last) in
        [("/function", "dropped"), ("/handler", "499"), ("/handler?how=streams", "499")]
    {
        let mut client = send(&server, &format!("GET {path}"));
        client.send("\r\n");
        events.expect("get");
        client.reset();
        events.expect("dropped");
        if last != "dropped" {
            events.expect(last);
        }
    }
    let page = ask(&server, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let page = page.text();
    for (route, count) in [("/function", 1), ("/handler", 2)] {
        let line = format!(
            "\nhttp_requests_total{{method=\"GET\",route=\"{route}\",status=\"499\"}} {count}\n"
        );
        assert!(page.contains(&line), "{page}");
    }
}

#[test]
fn on_finish_is_called_whatever_ends_the_handler() {
    for with_middleware in [false, true] {
        let (server, events) = server(with_middleware);
        for (request, status, parts) in [
            ("GET /handler?how=panics", 500, &["get", "dropped", "write_error", "500"][..]),
            ("GET /limited", 503, &["get", "dropped", "write_error", "503"]),
            ("PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 3", 413, &["write_error", "413"]),
        ] {
            let head = match request.contains("HTTP/1.1") {
                true => format!("{request}\r\n\r\nabc"),
                false => format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"),
            };
            assert_eq!(ask(&server, &head).status, status, "{request}");
            parts.iter().for_each(|part| events.expect(part));
            if with_middleware {
                events.expect("middleware");
            }
        }
    }
}

#[test]
fn a_client_that_leaves_while_middleware_waits_is_logged_with_499() {
    let (teller, events) = events();
    let server = Server::start(move || {
        let told = teller.clone();
        let app = Application::new([route(
            "/",
            get(async move || told.tell("get")).post(async || "answered"),
        )]);
        app.around(async move |cx: &mut Context, next: Next<'_>| {
            next.run(cx).await?;
            if cx.path() == "/" && *cx.method() == squall::Method::GET {
                let _dropped = teller.at_drop("dropped");
                teller.tell("waits");
                sleep(Duration::from_secs(3600)).await;
            }
            Ok(())
        })
    });
    let mut client = send(&server, "GET /");
    client.send("\r\n");
    events.expect("get");
    events.expect("waits");
    client.finish();
    events.expect("dropped");
    let [line] = &access_lines(&server, &events)[..] else { panic!("one line") };
    assert_is_499(line, "GET /");
}

/// A handler with a response that is complete at once.
#[derive(Clone)]
struct Quick;

impl RequestHandler for Quick {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("whole")
    }
}

#[test]
fn a_client_that_leaves_is_logged_with_499_also_if_middleware_drops_the_error() {
    let (teller, events) = events();
    let server = Server::start(move || {
        let app = Application::new([route("/quick", Quick), route("/", post(async || "answered"))]);
        let app = app.around(async move |cx: &mut Context, next: Next<'_>| {
            next.run(cx).await?;
            if cx.path() == "/quick" {
                teller.tell("waits");
                sleep(Duration::from_secs(3600)).await;
            }
            Ok(())
        });
        app.around(async |cx: &mut Context, next: Next<'_>| {
            let _dropped = next.run(cx).await;
            Ok(())
        })
    });
    let mut client = send(&server, "GET /quick");
    client.send("\r\n");
    events.expect("waits");
    client.finish();
    assert!(client.rest().is_empty());
    let [line] = &access_lines(&server, &events)[..] else { panic!("one line") };
    assert_is_499(line, "GET /quick");
}
