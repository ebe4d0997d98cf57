use squall::http::header;
use squall::{Application, Context, HTTPError, HTTPServer, HeaderValue, RequestHandler, Result};
use squall::{StatusCode, get, post, route};

use crate::wire::Server;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

async fn echo(cx: &mut Context) -> Result {
    cx.write(cx.body().await?)
}

/// Decides before the body is read.
#[derive(Clone)]
struct Guarded;

impl RequestHandler for Guarded {
    async fn prepare(&mut self, _: &mut Context) -> Result {
        Err(HTTPError::UNAUTHORIZED)?
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        echo(cx).await
    }
}

fn server() -> Server {
    async fn ignore() -> &'static str {
        "ignored"
    }
    async fn hint_then_echo(cx: &mut Context) -> Result {
        let link = HeaderValue::from_static("</a>");
        cx.send_informational(StatusCode::EARLY_HINTS, [(header::LINK, link)]).await?;
        echo(cx).await
    }
    async fn answer_then_read(cx: &mut Context) -> Result {
        cx.write("before ")?;
        cx.flush().await?;
        echo(cx).await
    }
    Server::with(|| {
        let application = Application::new([
            route("/", post(echo).get(ignore)),
            route("/streamed", post(echo)).stream_request_body(),
            route("/ignored", post(ignore)).stream_request_body(),
            route("/guarded", Guarded).stream_request_body(),
            route("/guarded-late", Guarded),
            route("/hint", post(hint_then_echo)).stream_request_body(),
            route("/answer", post(answer_then_read)).stream_request_body(),
            route("/get", get(ignore)),
        ]);
        HTTPServer::new(application).max_body_size(1000)
    })
}

fn head(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn a_client_that_waits_gets_100_continue() {
    let length = "Content-Length: 3\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let rows = [
        ("100-continue", length, "abc"),
        ("100-Continue", length, "abc"),
        ("100-CONTINUE", length, "abc"),
        ("\t100-continue ", length, "abc"),
        ("100-continue", chunked, "3\r\nabc\r\n0\r\n\r\n"),
    ];
    let server = server();
    for (expectation, framing, body) in rows {
        for path in ["/", "/streamed"] {
            let mut client = server.connect();
            client.send(head(path, &format!("{framing}Expect: {expectation}\r\n")));
            assert_eq!(client.response().raw, CONTINUE, "{expectation:?}");
            client.send_slowly(body);
            assert_eq!(client.response().text(), "abc", "{expectation:?}");
            // Once is enough, and the connection goes on.
            client.send(head(path, length));
            client.send("def");
            assert_eq!(client.response().text(), "def", "{expectation:?}");
        }
    }
}

#[test]
fn a_request_without_a_body_gets_no_100_continue() {
    let rows = [
        ("no body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
        (
            "a body of length zero",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        ),
    ];
    let server = server();
    for (what, request) in rows {
        server.serves(what, request);
    }
}

#[test]
fn a_client_that_has_sent_its_body_gets_no_100_continue() {
    let server = server();
    for path in ["/", "/streamed"] {
        let mut client = server.connect();
        client.send(head(path, "Content-Length: 3\r\nExpect: 100-continue\r\n") + "abc");
        assert_eq!(client.response().text(), "abc");
    }
}

#[test]
fn http_1_0_knows_no_expectations() {
    let server = server();
    for expectation in ["100-continue", "something"] {
        let request =
            format!("POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: {expectation}\r\n\r\nabc");
        let exchange = server.exchange(request);
        assert_eq!(exchange.statuses(), [200], "{expectation}");
        assert_eq!(exchange.only().text(), "abc", "{expectation}");
    }
}

#[test]
fn a_refused_request_gets_no_100_continue() {
    let rows = [
        (404, "no such page", "/nowhere", "Content-Length: 3\r\nExpect: 100-continue\r\n"),
        (405, "no such method", "/get", "Content-Length: 3\r\nExpect: 100-continue\r\n"),
        (413, "too large", "/", "Content-Length: 1001\r\nExpect: 100-continue\r\n"),
        (413, "too large", "/streamed", "Content-Length: 1001\r\nExpect: 100-continue\r\n"),
        (401, "refused by prepare", "/guarded", "Content-Length: 3\r\nExpect: 100-continue\r\n"),
        (
            401,
            "refused by prepare, in chunks",
            "/guarded",
            "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
        ),
        (200, "not read", "/ignored", "Content-Length: 3\r\nExpect: 100-continue\r\n"),
        (417, "unknown", "/", "Content-Length: 3\r\nExpect: something\r\n"),
        (417, "unknown", "/streamed", "Content-Length: 3\r\nExpect: something\r\n"),
        (417, "one of two is unknown", "/", "Content-Length: 3\r\nExpect: 100-continue, a=b\r\n"),
        (
            417,
            "one of two lines is unknown",
            "/",
            "Content-Length: 3\r\nExpect: a\r\nExpect: 100-continue\r\n",
        ),
        (417, "with a parameter", "/", "Content-Length: 3\r\nExpect: 100-continue;q=1\r\n"),
        (417, "another number", "/", "Content-Length: 3\r\nExpect: 200-ok\r\n"),
    ];
    let server = server();
    for (status, what, path, lines) in rows {
        let mut client = server.connect();
        client.send(head(path, lines));
        // The client may send the body or leave it, so that nothing can follow.
        let responses = client.responses();
        assert_eq!(responses.len(), 1, "{what}: {responses:#?}");
        assert_eq!(responses[0].status, status, "{what}");
        assert_eq!(responses[0].header("connection"), Some("close"), "{what}");
    }
}

#[test]
fn an_unknown_expectation_without_a_body_is_refused_and_the_connection_kept() {
    let server = server();
    let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n");
    assert_eq!(exchange.statuses(), [417]);
    assert!(exchange.kept);
}

#[test]
fn a_handler_of_a_collected_body_runs_after_the_body_has_arrived() {
    let server = server();
    let mut client = server.connect();
    client.send(head("/guarded-late", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
    assert_eq!(client.response().raw, CONTINUE);
    client.send("abc");
    assert_eq!(client.response().status, 401);
}

#[test]
fn the_first_read_of_the_body_sends_100_continue() {
    let server = server();
    let mut client = server.connect();
    client.send(head("/hint", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
    assert_eq!(client.response().status, 103);
    assert_eq!(client.response().raw, CONTINUE);
    client.send("abc");
    assert_eq!(client.response().text(), "abc");
}

#[test]
fn nothing_comes_between_a_response_and_its_body() {
    let server = server();
    let mut client = server.connect();
    client.send(head("/answer", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
    client.until("before \r\n");
    client.send("abc");
    let rest = String::from_utf8(client.rest()).unwrap();
    assert_eq!(
        rest, "3\r\nabc\r\n0\r\n\r\n",
        "the final response has begun: it is too late for 100"
    );
}

#[test]
fn the_response_before_comes_first() {
    let server = server();
    let mut client = server.connect();
    let expecting = head("/", "Content-Length: 3\r\nExpect: 100-continue\r\n");
    client.send(format!("GET /get HTTP/1.1\r\nHost: a\r\n\r\n{expecting}"));
    assert_eq!(client.response().text(), "ignored");
    assert_eq!(client.response().raw, CONTINUE);
    client.send("abc");
    assert_eq!(client.response().text(), "abc");
}
