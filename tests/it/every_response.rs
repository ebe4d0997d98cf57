//! The middleware of these tests marks what it sees, and every response must be marked.

use std::time::Duration;

use squall::testing::TestClient;
use squall::{
    Application, Context, HTTPError, HTTPServer, Method, Next, RequestHandler, Result, StatusCode,
    get, post, route, sleep,
};

use crate::events::{Gate, Teller, events};
use crate::wire::Server;

const SECOND: Duration = Duration::from_secs(1);

/// Middleware as the documentation has it: it answers errors, and sets a header.
async fn mark(cx: &mut Context, next: Next<'_>) -> Result {
    if let Err(error) = next.run(cx).await {
        cx.send_error(&error);
    }
    cx.set_header("X-Marked", "1")
}

#[derive(Clone)]
struct Handler;

impl RequestHandler for Handler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.set_header("X-Lost", "1")?;
        misbehave(cx).await
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
}

async fn misbehave(cx: &mut Context) -> Result {
    match cx.header("x-do").as_deref() {
        Some("panic") => panic!("at once"),
        Some("panic later") => {
            sleep(SECOND).await;
            panic!("later")
        }
        Some("wait") => sleep(SECOND * 3600).await,
        Some("status") => {
            cx.write("a body")?;
            cx.set_status(StatusCode::NO_CONTENT);
        }
        Some("length") => {
            cx.write("a body")?;
            cx.set_header("Content-Length", "1")?;
        }
        Some("error") => Err(HTTPError::CONFLICT)?,
        _ => cx.write("hello")?,
    }
    Ok(())
}

fn application() -> Application {
    let echo = async |cx: &mut Context| cx.write(cx.body().await?);
    Application::new([
        route("/handler", Handler).max_body_size(4),
        route("/function", get(misbehave).post(echo)).max_body_size(4),
        route("/streamed", post(echo)).max_body_size(4).stream_request_body(),
    ])
}

/// Serves `application` with a time limit, and `inner` inside the middleware that marks.
fn client(inner: impl AsyncFn(&mut Context, Next<'_>) -> Result + 'static) -> TestClient {
    let app = application().around(inner).around(mark);
    TestClient::of(&HTTPServer::new(app).handler_timeout(10 * SECOND))
}

async fn pass(cx: &mut Context, next: Next<'_>) -> Result {
    next.run(cx).await
}

#[test]
fn the_response_to_a_panic_or_time_out_passes_through_middleware() {
    let client = client(pass);
    let cases = [
        ("panic", 500),
        ("panic later", 500),
        ("wait", 503),
        ("status", 500),
        ("length", 500),
        ("error", 409),
        ("nothing", 200),
    ];
    for (what, status) in cases {
        for path in ["/handler", "/function"] {
            let response = client.get(path).header("X-Do", what).send();
            assert_eq!(response.status(), status, "{what}, {path}");
            assert_eq!(response.header("x-marked"), Some("1"), "{what}, {path}");
            let is_lost = status == 200 && path == "/handler";
            assert_eq!(response.header("x-lost").is_some(), is_lost, "{what}, {path}");
            let page = format!("<html><title>{status}");
            assert_eq!(response.text().starts_with(&page), status != 200, "{what}, {path}");
        }
    }
}

#[test]
fn the_response_to_failing_middleware_passes_through_outer_middleware() {
    let client = client(async |cx, next| match cx.header("x-when").as_deref() {
        Some("before") => misbehave(cx).await,
        Some("after") => {
            next.run(cx).await?;
            match cx.header("x-do").as_deref() {
                Some("status") => cx.set_status(StatusCode::NO_CONTENT),
                Some("length") => cx.set_header("Content-Length", "1")?,
                _ => misbehave(cx).await?,
            }
            Ok(())
        }
        _ => next.run(cx).await,
    });
    let cases = [
        ("panic", 500),
        ("panic later", 500),
        ("wait", 503),
        ("status", 500),
        ("length", 500),
        ("error", 409),
    ];
    for (what, status) in cases {
        for when in ["before", "after"] {
            let request = client.post("/handler").body("hi");
            let response = request.header("X-Do", what).header("X-When", when).send();
            assert_eq!(response.status(), status, "{what}, {when}");
            assert_eq!(response.header("x-marked"), Some("1"), "{what}, {when}");
        }
    }
}

#[test]
fn refused_requests_pass_through_middleware() {
    let server = Server::start(|| application().around(mark));
    for path in ["/handler", "/function"] {
        let request =
            |line: &str, rest: &str| format!("{line} {path} HTTP/1.1\r\nHost: a\r\n{rest}");
        let chunked = "Transfer-Encoding: chunked\r\n\r\n";
        let cases = [
            (404, request("GET /nowhere?", "\r\n")),
            (405, request("DELETE", "\r\n")),
            (405, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
            (204, request("OPTIONS", "\r\n")),
            (204, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
            (413, request("POST", "Content-Length: 5\r\n\r\n12345")),
            (413, request("POST", &format!("{chunked}5\r\n12345\r\n0\r\n\r\n"))),
            (413, request("POST", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")),
            (400, request("POST", &format!("{chunked}x\r\n"))),
            (417, request("GET", "Expect: a miracle\r\n\r\n")),
            (417, request("POST", "Expect: a miracle\r\nContent-Length: 1\r\n\r\n1")),
        ];
        for (status, request) in cases {
            let request = request.replace(&format!("/nowhere? {path}"), "/nowhere");
            let exchange = server.exchange(&request);
            assert_eq!(exchange.only().status, status, "{request:?}");
            assert_eq!(exchange.only().header("x-marked"), Some("1"), "{request:?}");
        }
    }
    let streamed = "POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
    let exchange = server.exchange(streamed);
    assert_eq!(exchange.only().status, 413);
    assert_eq!(exchange.only().header("x-marked"), Some("1"));
}

#[test]
fn a_body_that_comes_too_slowly_passes_through_middleware() {
    for path in ["/handler", "/function", "/streamed"] {
        let mut connection = client(pass).connect();
        connection.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n12"));
        let answer = String::from_utf8(connection.receive_to_end()).unwrap();
        let expected = if path == "/streamed" { "503" } else { "408" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer}");
        assert!(answer.contains("\r\nX-Marked: 1\r\n"), "{answer}");
    }
}

#[test]
fn a_panic_in_the_search_for_the_methods_passes_through_middleware() {
    #[derive(Clone)]
    struct Bad;

    impl RequestHandler for Bad {
        fn get(&mut self, _: &mut Context) -> impl Future<Output = Result> {
            panic!("no future");
            #[expect(unreachable_code, reason = "it tells the type")]
            std::future::ready(Ok(()))
        }
    }
    let client = TestClient::new(Application::new([route("/", Bad)]).around(mark));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.header("x-marked")), (500, Some("1")));
}

#[test]
fn middleware_has_as_long_again_after_the_time_limit() {
    let (teller, events) = events();
    let inner = async move |cx: &mut Context, next: Next<'_>| -> Result {
        let _dropped = teller.at_drop("dropped");
        let result = next.run(cx).await;
        assert_eq!(result.as_ref().unwrap_err().status(), 503);
        let seconds: u32 = cx.argument_as("seconds")?;
        sleep(seconds * SECOND).await;
        teller.tell("done");
        result
    };
    let client = client(inner);
    let ask = |seconds: u32| {
        let target = format!("/function?seconds={seconds}");
        client.get(&target).header("X-Do", "wait").send()
    };
    for (seconds, told) in [(9, &["done", "dropped"][..]), (11, &["dropped"])] {
        let response = ask(seconds);
        assert_eq!((response.status().as_u16(), response.header("x-marked")), (503, Some("1")));
        assert_eq!(events.so_far(), told);
    }
}

#[test]
fn a_time_limit_does_not_depend_on_the_budget_of_the_handler() {
    let (teller, events) = events();
    let server = Server::with(move || {
        let busy = async move |cx: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            loop {
                cx.write("x")?;
                cx.flush().await?;
            }
        };
        let app = Application::new([route("/", get(busy))]).around(pass);
        HTTPServer::new(app).handler_timeout(Duration::from_millis(50))
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.rest_and_ending();
    events.expect("dropped");
}

#[test]
fn a_handler_that_panics_when_it_is_dropped_keeps_its_503() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let waits = async || {
        let _bomb = Bomb;
        sleep(SECOND * 3600).await;
    };
    let app = Application::new([route("/", get(waits))]).around(mark);
    let client = TestClient::of(&HTTPServer::new(app).handler_timeout(SECOND));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.header("x-marked")), (503, Some("1")));
}

/// Malformed requests, and the status of each response.
fn no_requests() -> Vec<(u16, String)> {
    vec![
        (400, "junk\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n".to_owned()),
        (414, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000))),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(100_000))),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned()),
        (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned()),
    ]
}

fn with_hook(teller: Teller) -> Application {
    application().around(mark).on_error(move |cx, error| {
        teller.tell("hook");
        assert_eq!(cx.status(), error.status());
        if cx.has_request() {
            return cx.write_error_page();
        }
        assert_eq!((cx.method(), &*cx.path(), &*cx.query()), (&Method::GET, "", ""));
        assert!(cx.headers().is_empty() && cx.header("host").is_none());
        assert!(cx.argument("a").is_err() && cx.route_pattern().is_none());
        assert_eq!((&*cx.host(), cx.extension::<u8>()), ("", None));
        let _ = (cx.remote_ip(), cx.protocol(), cx.is_http11(), cx.is_draining());
        cx.set_header("Content-Type", "application/problem+json")?;
        cx.write(format!("{{\"status\":{}}}", error.status().as_u16()))
    })
}

#[test]
fn a_malformed_request_is_answered_by_the_hook_of_the_application() {
    let (teller, events) = events();
    let server = Server::start(move || with_hook(teller));
    for (status, bytes) in no_requests() {
        for before in ["", "GET /function HTTP/1.1\r\nHost: a\r\nX-Do: nothing\r\n\r\n"] {
            let exchange = server.exchange(format!("{before}{bytes}"));
            assert!(!exchange.kept);
            let response = exchange.responses.last().unwrap();
            assert_eq!(response.text(), format!("{{\"status\":{status}}}"));
            assert_eq!(response.status, status);
            assert_eq!(response.header("content-type"), Some("application/problem+json"));
            assert_eq!(response.header("connection"), Some("close"));
            assert_eq!(
                response.header("x-marked"),
                None,
                "there is no middleware without a request"
            );
            assert_eq!(events.so_far(), ["hook"; 2], "two exchanges");
        }
    }
    let exchange = server.exchange("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [404]);
    assert_eq!(events.so_far(), ["hook"; 2], "two exchanges");
}

#[test]
fn a_head_that_comes_too_slowly_is_answered_by_the_hook_of_the_application() {
    let (teller, events) = events();
    let mut connection = TestClient::new(with_hook(teller)).connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let answer = String::from_utf8(connection.receive_to_end()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("{\"status\":408}"),
        "{answer}"
    );
    assert_eq!(events.so_far(), ["hook"]);
}

#[test]
fn a_malformed_proxy_protocol_header_is_answered_by_the_hook() {
    let (teller, events) = events();
    let server = Server::with(move || HTTPServer::new(with_hook(teller)).proxy_protocol(true));
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let responses = client.responses();
    assert_eq!((responses[0].status, responses[0].text()), (400, "{\"status\":400}"));
    assert_eq!((responses.len(), events.so_far()), (1, vec!["hook"]));
}

#[test]
fn a_hook_that_fails_is_a_500_without_a_body() {
    let hooks: [fn(&mut Context, &squall::Error) -> Result; 4] = [
        |_, _| Err(HTTPError::CONFLICT)?,
        |_, _| panic!("in the hook"),
        |cx, _| {
            cx.set_status(StatusCode::NO_CONTENT);
            cx.write("a body")
        },
        |cx, _| {
            cx.set_header("Upgrade", "echo")?;
            cx.upgrade(async |_| ())
        },
    ];
    for hook in hooks {
        let server = Server::start(move || Application::new([]).on_error(hook));
        let exchange = server.exchange("junk\r\n\r\n");
        assert_eq!((exchange.only().status, exchange.only().text()), (500, ""));
        assert!(!exchange.kept);
        let lines = server.log();
        let lines: Vec<_> = lines.iter().filter(|line| line.contains(": no request: ")).collect();
        assert_eq!(lines.len(), 2, "one line for each exchange: {lines:?}");
    }
}

#[test]
fn a_hook_may_finish_the_response_and_change_its_status() {
    let server = Server::start(|| {
        Application::new([]).on_error(|cx, _| {
            cx.set_status(StatusCode::IM_A_TEAPOT);
            cx.write("short")?;
            cx.finish()
        })
    });
    let exchange = server.exchange("junk\r\n\r\n");
    assert_eq!((exchange.only().status, exchange.only().text()), (418, "short"));
    assert!(!exchange.kept);
}

/// A handler that is dropped after a disconnect has no response to send.
#[test]
fn after_a_disconnect_middleware_runs_to_its_next_await() {
    let (teller, events) = events();
    let gate = Gate::default();
    let server = Server::start(move || {
        let waits = async move |_: &mut Context| {
            gate.passed().await;
        };
        let told = async move |cx: &mut Context, next: Next<'_>| -> Result {
            let _dropped = teller.at_drop("dropped");
            teller.tell("begins");
            assert_eq!(next.run(cx).await.unwrap_err().status().as_u16(), 499);
            teller.tell("goes on");
            std::future::pending().await
        };
        Application::new([route("/", get(waits))]).around(told)
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    events.expect("begins");
    client.reset();
    events.expect("goes on");
    events.expect("dropped");
}
