use std::cell::RefCell;
use std::rc::Rc;

use squall::testing::TestClient;
use squall::{
    Application, Context, HTTPError, Next, RequestHandler, Result, StatusCode, get, post, route,
    sleep,
};

use crate::wire::Server;

/// The events, in order.
type Trace = Rc<RefCell<Vec<&'static str>>>;

#[derive(Clone)]
struct Tracing(Trace);

impl RequestHandler for Tracing {
    async fn prepare(&mut self, _: &mut Context) -> Result {
        self.0.borrow_mut().push("prepare");
        Ok(())
    }

    async fn get(&mut self, cx: &mut Context) -> Result {
        self.0.borrow_mut().push("get");
        cx.write("hello")
    }

    fn on_finish(&mut self, _: &mut Context) {
        self.0.borrow_mut().push("on_finish");
    }
}

/// Middleware that pushes one word before and one after what it is around.
fn around(
    app: Application,
    trace: &Trace,
    before: &'static str,
    after: &'static str,
) -> Application {
    let trace = Rc::clone(trace);
    app.around(async move |cx: &mut Context, next: Next<'_>| {
        trace.borrow_mut().push(before);
        let result = next.run(cx).await;
        trace.borrow_mut().push(after);
        result
    })
}

#[test]
fn the_middleware_added_last_is_outermost() {
    let trace = Trace::default();
    let app = Application::new([route("/", Tracing(Rc::clone(&trace)))]);
    let app = around(app, &trace, "in 1", "out 1");
    let app = around(app, &trace, "in 2", "out 2");
    let app = around(app, &trace, "in 3", "out 3");
    let client = TestClient::new(app);
    let whole = ["in 3", "in 2", "in 1", "prepare", "get", "on_finish", "out 1", "out 2", "out 3"];
    for _ in 0..2 {
        assert_eq!(client.get("/").send().text(), "hello");
        assert_eq!(trace.take(), whole);
    }
    let around_nothing = ["in 3", "in 2", "in 1", "out 1", "out 2", "out 3"];
    assert_eq!(client.get("/nowhere").send().status(), 404);
    assert_eq!(trace.take(), around_nothing);
    let answer = client.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(trace.take(), around_nothing);
    // The handler finishes what it refuses.
    assert_eq!(client.post("/").send().status(), 405);
    let refused = ["in 3", "in 2", "in 1", "on_finish", "out 1", "out 2", "out 3"];
    assert_eq!(trace.take(), refused);
}

#[test]
fn malformed_requests_do_not_pass_through_middleware() {
    let trace = Trace::default();
    let client = TestClient::new(around(Application::new([]), &trace, "in", "out"));
    assert!(client.exchange("junk\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert_eq!(*trace.borrow(), Vec::<&str>::new());
}

#[test]
fn middleware_may_answer_instead_of_the_endpoint() {
    let trace = Trace::default();
    let app = Application::new([route("/", Tracing(Rc::clone(&trace)))]);
    let app = around(app, &trace, "inside", "inside");
    let app = app.around(async |cx, next| match cx.header("x-how").as_deref() {
        Some("write") => cx.write("instead"),
        Some("finish") => {
            cx.write("instead")?;
            cx.finish()
        }
        Some("redirect") => cx.redirect("/elsewhere"),
        Some("error") => Err(HTTPError::FORBIDDEN)?,
        Some("nothing") => Ok(()),
        Some("panic") => panic!("in middleware"),
        _ => next.run(cx).await,
    });
    let server_cases = [
        ("write", 200, "instead"),
        ("finish", 200, "instead"),
        ("redirect", 302, ""),
        ("error", 403, "<html><title>403: Forbidden</title><body>403: Forbidden</body></html>"),
        ("nothing", 200, ""),
        (
            "panic",
            500,
            "<html><title>500: Internal Server Error</title>\
             <body>500: Internal Server Error</body></html>",
        ),
    ];
    let client = TestClient::new(app);
    for path in ["/", "/nowhere"] {
        for (how, status, text) in server_cases {
            let response = client.get(path).header("X-How", how).send();
            assert_eq!((response.status().as_u16(), &*response.text()), (status, text), "{how}");
            assert_eq!(*trace.borrow(), Vec::<&str>::new(), "{how}");
        }
    }
    assert_eq!(client.get("/").send().text(), "hello");
}

#[test]
fn middleware_may_change_the_response_of_a_handler() {
    async fn flushing(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await
    }
    let app = Application::new([
        route("/", Tracing(Trace::default())),
        route("/function", get(async || "hello")),
        route("/flushing", get(flushing)),
    ]);
    let client = TestClient::new(app.around(async |cx, next| {
        let result = next.run(cx).await;
        // A flushed head cannot change, and the error says so.
        let changed = cx.set_header("X-After", "1").is_ok();
        if changed {
            cx.set_status(StatusCode::ACCEPTED);
        }
        result
    }));
    for path in ["/", "/function"] {
        let response = client.get(path).send();
        assert_eq!((response.status().as_u16(), response.text()), (202, "hello".to_owned()));
        assert_eq!(response.header("x-after"), Some("1"));
    }
    let response = client.get("/flushing").send();
    assert_eq!((response.status().as_u16(), response.text()), (200, "part".to_owned()));
    assert!(response.is_complete());
    assert_eq!(response.header("x-after"), None);
}

#[test]
fn a_response_that_middleware_makes_impossible_is_a_500() {
    let app = Application::new([route("/", Tracing(Trace::default()))]);
    let app = app.around(async |cx, next| {
        let status = cx.header("x-status").unwrap_or_default();
        let length = cx.header("x-length").unwrap_or_default();
        next.run(cx).await?;
        if !length.is_empty() {
            cx.set_header("Content-Length", &*length)?;
        }
        if !status.is_empty() {
            cx.set_status(StatusCode::from_bytes(status.as_bytes())?);
        }
        Ok(())
    });
    let client = TestClient::new(app);
    for (name, value) in
        [("X-Status", "204"), ("X-Status", "304"), ("X-Status", "100"), ("X-Length", "4")]
    {
        let pipelined = client.exchange(format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        let statuses: Vec<&str> =
            pipelined.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(statuses, ["500", "200"], "{name}: {value}");
    }
}

#[test]
fn an_error_of_a_function_passes_through_and_that_of_a_handler_is_answered_inside() {
    #[derive(Clone)]
    struct Failing;

    impl RequestHandler for Failing {
        async fn get(&mut self, _: &mut Context) -> Result {
            Err(HTTPError::GONE)?
        }

        fn write_error(&mut self, cx: &mut Context, _: &squall::Error) -> Result {
            cx.write("own page")
        }
    }
    let fails = async || Err::<(), _>(HTTPError::GONE.with_header("X-Inner", "1"));
    let app = Application::new([route("/handler", Failing), route("/function", get(fails))]);
    let client = TestClient::new(app.around(async |cx, next| match next.run(cx).await {
        Ok(()) => cx.set_header("X-Saw", cx.status().as_str().to_owned()),
        Err(error) if cx.header("x-catch").is_some() => {
            cx.set_status(StatusCode::OK);
            cx.write(format!("caught {}", error.status().as_u16()))
        }
        Err(error) => Err(error),
    }));
    let response = client.get("/handler").send();
    assert_eq!((response.status().as_u16(), response.text()), (410, "own page".to_owned()));
    assert_eq!(response.header("x-saw"), Some("410"));
    for path in ["/function", "/nowhere"] {
        let response = client.get(path).send();
        assert_eq!(response.header("x-saw"), None);
        let status = response.status().as_u16();
        assert_eq!(status, if path == "/function" { 410 } else { 404 });
        assert_eq!(response.header("x-inner").is_some(), path == "/function");
        let caught = client.get(path).header("X-Catch", "1").send();
        assert_eq!((caught.status().as_u16(), caught.text()), (200, format!("caught {status}")));
    }
}

#[test]
fn headers_set_after_an_error_are_part_of_its_response() {
    async fn fails(cx: &mut Context) -> Result {
        cx.set_header("X-Of-Handler", "lost")?;
        cx.write("lost")?;
        Err(HTTPError::FORBIDDEN.with_header("X-Of-Error", "kept"))?
    }
    async fn panics() -> Result {
        panic!("in the handler")
    }
    async fn sleeps() -> Result {
        squall::sleep(std::time::Duration::from_secs(10)).await;
        Ok(())
    }
    async fn inner(cx: &mut Context, next: Next<'_>) -> Result {
        let result = next.run(cx).await;
        cx.set_header("X-Inner", "kept")?;
        result
    }
    async fn outer(cx: &mut Context, next: Next<'_>) -> Result {
        let result = next.run(cx).await;
        cx.set_header("X-Outer", "kept")?;
        result
    }
    let app = Application::new([
        route("/fails", get(fails)),
        route("/panics", get(panics)),
        route("/sleeps", get(sleeps)).handler_timeout(std::time::Duration::from_secs(1)),
    ]);
    let client = TestClient::new(app.around(inner).around(outer));
    for (method, path, status) in [
        ("GET", "/fails", 403),
        ("GET", "/panics", 500),
        ("GET", "/sleeps", 503),
        ("GET", "/nowhere", 404),
        ("POST", "/fails", 405),
    ] {
        let response = client.request(method.parse().unwrap(), path).send();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.header("x-inner"), Some("kept"), "{path}");
        assert_eq!(response.header("x-outer"), Some("kept"), "{path}");
        assert_eq!(response.header("x-of-handler"), None, "{path}");
        assert!(!response.text().contains("lost"), "{path}");
        assert_eq!(response.header("x-of-error").is_some(), path == "/fails" && status == 403);
    }
}

#[test]
fn an_error_of_middleware_discards_the_headers_set_before_it() {
    async fn replaces(cx: &mut Context, next: Next<'_>) -> Result {
        let _ = next.run(cx).await;
        cx.set_header("X-Lost", "yes")?;
        Err(HTTPError::CONFLICT)?
    }
    let client = TestClient::new(Application::new([]).around(replaces));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.header("x-lost")), (409, None));
}

#[test]
fn an_error_behind_the_handler_takes_the_place_of_its_response() {
    let app = Application::new([route("/", Tracing(Trace::default()))]);
    let client = TestClient::new(app.around(async |cx, next| {
        next.run(cx).await?;
        match cx.header("x-how").as_deref() {
            Some("write") => cx.write("more"),
            Some("panic") => panic!("behind the handler"),
            _ => Err(HTTPError::BAD_GATEWAY)?,
        }
    }));
    for (how, status) in [("write", 500), ("panic", 500), ("error", 502)] {
        let response = client.get("/").header("X-How", how).send();
        assert_eq!(response.status(), status, "{how}");
        assert!(!response.text().contains("hello"));
    }
}

#[test]
fn middleware_may_wait_before_and_after() {
    let app = Application::new([route("/", Tracing(Trace::default()))]);
    let client = TestClient::new(app.around(async |cx, next| {
        sleep(std::time::Duration::from_secs(100)).await;
        next.run(cx).await?;
        sleep(std::time::Duration::from_secs(100)).await;
        cx.set_header("X-After", "1")
    }));
    let response = client.get("/").send();
    assert_eq!((response.text(), response.header("x-after")), ("hello".to_owned(), Some("1")));
}

#[test]
fn middleware_may_read_the_body() {
    async fn echo(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
    let server = Server::start(|| {
        let app = Application::new([
            route("/", post(echo)),
            route("/small", post(echo)).max_body_size(3),
            route("/streaming", post(echo)).stream_request_body(),
        ]);
        app.around(async |cx, next| {
            if cx.header("x-read").is_some() {
                let length = cx.body().await?.len();
                cx.set_header("X-Read", length.to_string())?;
            }
            next.run(cx).await
        })
    });
    let request = |path, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nX-Read: 1\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let exchange = server.exchange(request("/", "hello"));
    assert_eq!(exchange.only().header("x-read"), Some("5"));
    assert_eq!(exchange.only().text(), "hello");
    let exchange = server.exchange(request("/streaming", "hello"));
    assert_eq!(exchange.only().header("x-read"), Some("5"));

    // Without a route, the limit of the server applies to every request.
    let exchange = server.exchange(request("/small", "abc") + &request("/nowhere", "hello"));
    assert_eq!(exchange.statuses(), [200, 404]);
    assert!(exchange.kept);
}

#[test]
fn without_middleware_and_with_it_the_bytes_are_the_same() {
    let app = || Application::new([route("/", Tracing(Trace::default()))]);
    let plain = Server::start(app);
    let wrapped = Server::start(move || app().around(async |cx, next| next.run(cx).await));
    for request in ["GET /", "HEAD /", "POST /", "OPTIONS /", "GET /nowhere", "OPTIONS *"] {
        let request = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answers = [&plain, &wrapped].map(|server| {
            let mut client = server.connect();
            client.send(&request);
            let text = String::from_utf8(client.rest()).unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.into_iter().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>()
        });
        assert_eq!(answers[0], answers[1], "{request:?}");
    }
}

#[test]
fn middleware_may_replace_the_page_of_an_error_and_keep_its_headers() {
    #[derive(Clone)]
    struct Vault;

    impl RequestHandler for Vault {
        async fn get(&mut self, _: &mut Context) -> Result {
            Err(HTTPError::UNAUTHORIZED.with_header("WWW-Authenticate", "Basic realm=\"a\""))?
        }
    }
    let fails = async || Err::<(), _>(HTTPError::CONFLICT.with_reason("Taken"));
    let partly = async |cx: &mut Context| {
        cx.set_status(StatusCode::NOT_FOUND);
        cx.set_header("X-Kept", "1")?;
        for (name, value) in
            [("Content-Encoding", "gzip"), ("ETag", "\"1\""), ("Content-Length", "4")]
        {
            cx.set_header(name, value)?;
        }
        cx.add_trailer("X-Trailer", "1")?;
        cx.write("gzip")
    };
    let server = Server::start(move || {
        let routes =
            [route("/vault", Vault), route("/fails", get(fails)), route("/partly", get(partly))];
        Application::new(routes).around(async |cx, next| {
            if let Err(error) = next.run(cx).await {
                cx.send_error(&error);
            }
            if cx.status().is_client_error() {
                cx.clear_body()?;
                cx.write("own page")?;
            }
            Ok(())
        })
    });
    let cases = [
        ("GET /vault", 401, "Unauthorized", ("WWW-Authenticate", "Basic realm=\"a\"")),
        ("POST /vault", 405, "Method Not Allowed", ("Allow", "GET, HEAD, OPTIONS")),
        ("POST /fails", 405, "Method Not Allowed", ("Allow", "GET, HEAD, OPTIONS")),
        ("GET /fails", 409, "Taken", ("Content-Length", "8")),
        ("GET /partly", 404, "Not Found", ("X-Kept", "1")),
    ];
    for (request, status, reason, (name, value)) in cases {
        let exchange = server.exchange(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = exchange.only();
        assert_eq!((response.status, &*response.reason), (status, reason), "{request}");
        assert_eq!(response.header(name), Some(value), "{request}");
        assert_eq!(response.text(), "own page", "{request}");
        for gone in ["content-encoding", "etag", "trailer"] {
            assert_eq!(response.header(gone), None, "{request}");
        }
        assert!(exchange.kept, "{request}");
    }
}

#[test]
fn a_body_cannot_be_replaced_once_the_head_has_left() {
    let flushing = async |cx: &mut Context| {
        cx.write("part")?;
        cx.flush().await?;
        assert!(cx.clear_body().is_err());
        cx.write("s")
    };
    let client = TestClient::new(Application::new([route("/", get(flushing))]));
    assert_eq!(client.get("/").send().text(), "parts");
}

/// Bytes behind the head of such a response would be read as the next one.
#[test]
fn middleware_cannot_give_a_finished_body_a_status_that_forbids_one() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::CONTINUE] {
        let server = Server::start(move || {
            let refuse = async |cx: &mut Context| -> Result {
                cx.send_error(&HTTPError::NOT_FOUND.into());
                Ok(())
            };
            let routes = [route("/", get(refuse)), route("/next", get(async || "next"))];
            Application::new(routes).around(async move |cx, next| {
                let is_first = cx.path() == "/";
                next.run(cx).await?;
                if is_first {
                    cx.set_status(status);
                    cx.flush().await?;
                }
                Ok(())
            })
        });
        let two = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        let exchange = server.exchange(two);
        assert_eq!(exchange.statuses(), [500, 200], "{status}");
    }
}
