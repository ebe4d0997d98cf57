use std::time::Duration;

use squall::{
    Application, Context, Error, HTTPError, HTTPServer, HeaderValue, Or500, RequestHandler, Result,
    StatusCode, get, route,
};

use crate::events::{Teller, events};
use crate::wire::Server;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An action of a handler under test.
pub type Act = fn(&mut Context) -> Result;

/// A server that does `act` in a function at `/`, and in a handler at `/handler`.
pub fn acting(act: Act) -> Server {
    #[derive(Clone)]
    struct Acting(Act);

    impl RequestHandler for Acting {
        async fn get(&mut self, cx: &mut Context) -> Result {
            self.0(cx)
        }
    }
    Server::start(move || {
        Application::new([
            route("/", get(async move |cx: &mut Context| act(cx))),
            route("/handler", Acting(act)),
        ])
    })
}

/// The lines that are not of the access log.
pub fn logged(server: &Server) -> Vec<String> {
    server.log().into_iter().filter(|line| !line.contains(" squall::access:")).collect()
}

fn page(status: &str) -> String {
    format!("<html><title>{status}</title><body>{status}</body></html>")
}

#[test]
fn an_error_with_a_status_is_answered_with_its_page() {
    let cases: [(Act, &str); 6] = [
        (|_| Err(HTTPError::NOT_FOUND)?, "404 Not Found"),
        (|_| Err(HTTPError::new(StatusCode::IM_A_TEAPOT))?, "418 I'm a teapot"),
        (|_| Err(HTTPError::SERVICE_UNAVAILABLE)?, "503 Service Unavailable"),
        (|_| Err(HTTPError::new(StatusCode::from_u16(599)?))?, "599 Unknown"),
        (|_| Err(HTTPError::GONE.with_reason("Sold <out>"))?, "410 Sold <out>"),
        (
            |cx| {
                cx.set_status(StatusCode::CREATED);
                cx.set_header("X-Dropped", "1")?;
                cx.set_header("Content-Length", "3")?;
                cx.set_header("Content-Type", "text/plain")?;
                cx.write("thrown away")?;
                Err(HTTPError::CONFLICT)?
            },
            "409 Conflict",
        ),
    ];
    for (act, line) in cases {
        let server = acting(act);
        let (code, reason) = line.split_once(' ').unwrap();
        let shown = reason.replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;");
        let page = page(&format!("{code}: {shown}"));
        for path in ["/", "/handler"] {
            let exchange = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let expected = format!(
                "HTTP/1.1 {line}\r\nServer: Squall/0.1.0\r\n\
                 Content-Type: text/html; charset=UTF-8\r\nDate:\r\nContent-Length: {}\r\n\r\n{page}",
                page.len(),
            );
            assert_eq!(exchange.only().raw, expected);
            assert!(exchange.kept);
        }
    }
}

#[test]
fn headers_of_an_error_are_sent_with_it() {
    let server = acting(|_| {
        Err(HTTPError::UNAUTHORIZED
            .with_header("WWW-Authenticate", "Basic realm=\"a\"")
            .with_header("WWW-Authenticate", "Bearer")
            .with_header("X-Own", HeaderValue::from_static("1")))?
    });
    for path in ["/", "/handler"] {
        let exchange = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = exchange.only();
        assert_eq!(response.header_values("www-authenticate"), ["Basic realm=\"a\"", "Bearer"]);
        assert_eq!(response.header("x-own"), Some("1"));
    }
}

#[test]
fn a_log_message_goes_to_the_log_alone() {
    let server = acting(|_| Err(HTTPError::FORBIDDEN.with_log_message("a secret"))?);
    let exchange = server.exchange(GET);
    assert_eq!(exchange.only().text(), page("403: Forbidden"));
    let line = "WARN squall::general: GET /: HTTP 403: Forbidden (a secret)";
    assert_eq!(logged(&server), [line; 2], "once for each of the two requests");
}

#[test]
fn an_error_of_the_client_without_a_message_is_only_in_the_access_log() {
    let server = acting(|_| Err(HTTPError::FORBIDDEN)?);
    server.exchange(GET);
    assert_eq!(logged(&server), Vec::<String>::new());
    let access = |line: &String| line.starts_with("WARN squall::access: 403 GET / (127.0.0.1) ");
    assert_eq!(server.log().iter().filter(|line| access(line)).count(), 2);
}

#[test]
fn any_other_error_is_a_500_that_tells_the_client_nothing() {
    let cases: [(Act, &str); 5] = [
        (|cx| cx.write("x".parse::<u8>()?.to_string()), "invalid digit found in string"),
        (|_| Err(std::io::Error::other("the disk is full"))?, "the disk is full"),
        (|cx| cx.write(std::fs::read("/nonexistent/file")?), "No such file or directory"),
        (|_| Err("just text").or_500(), "just text"),
        (
            |_| {
                let boxed: Result<(), Box<dyn std::error::Error>> = Err("boxed".into());
                boxed.or_500()
            },
            "boxed",
        ),
    ];
    for (act, text) in cases {
        let server = acting(act);
        for path in ["/", "/handler"] {
            let exchange = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(exchange.only().text(), page("500: Internal Server Error"));
            assert!(exchange.kept);
            assert!(!exchange.only().raw.contains(text));
        }
        let lines = logged(&server);
        assert_eq!(lines.len(), 4, "{lines:?}");
        for line in lines {
            let start = "ERROR squall::application: GET /";
            assert!(line.starts_with(start) && line.contains(text), "{line}");
            assert!(line.contains(", at tests/it/errors.rs:"), "the line of the `?`: {line}");
        }
    }
}

#[test]
fn an_error_tells_its_causes_to_the_log() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the table is broken")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let server = acting(|cx| cx.write("x".parse::<u8>().map_err(Outer)?.to_string()));
    server.exchange(GET);
    let causes = "the table is broken: invalid digit found in string";
    assert!(logged(&server)[0].contains(causes), "{:?}", server.log());
}

#[test]
fn a_write_error_that_fails_leaves_an_empty_500() {
    #[derive(Clone)]
    struct Twice(Teller);

    impl RequestHandler for Twice {
        async fn get(&mut self, _: &mut Context) -> Result {
            Err(HTTPError::NOT_FOUND.with_header("X-First", "1"))?
        }

        fn write_error(&mut self, cx: &mut Context, _: &Error) -> Result {
            cx.write("half a page")?;
            match cx.header("x-how").as_deref() {
                Some("http") => Err(HTTPError::CONFLICT.with_header("X-Second", "1"))?,
                Some("other") => Err(std::io::Error::other("a template is missing"))?,
                Some("length") => cx.set_header("Content-Length", "1")?,
                _ => cx.set_status(StatusCode::NO_CONTENT),
            }
            Ok(())
        }

        fn on_finish(&mut self, cx: &mut Context) {
            assert_eq!(cx.status(), 500);
            self.0.tell("on_finish");
        }
    }
    let (teller, events) = events();
    let server = Server::start(|| Application::new([route("/", Twice(teller))]));
    for how in ["http", "other", "length", "status"] {
        let exchange =
            server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\nX-How: {how}\r\n\r\n"));
        let expected = "HTTP/1.1 500 Internal Server Error\r\nServer: Squall/0.1.0\r\nDate:\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(exchange.only().raw, expected, "{how}");
        assert!(exchange.kept);
        assert_eq!(events.so_far(), ["on_finish"; 2]);
    }
    assert!(logged(&server).iter().any(|line| line.contains("a template is missing")));
}

#[test]
fn write_error_knows_the_error() {
    #[derive(Clone)]
    struct Curious;

    impl RequestHandler for Curious {
        async fn get(&mut self, cx: &mut Context) -> Result {
            match cx.header("x-how") {
                Some(_) => Err(HTTPError::GONE.with_reason("Sold").with_header("X-A", "1"))?,
                None => cx.write("x".parse::<u8>()?.to_string()),
            }
        }

        fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
            let what = match error.downcast_ref::<HTTPError>() {
                Some(error) => error.reason().unwrap_or_default(),
                None if error.downcast_ref::<std::num::ParseIntError>().is_some() => "a number",
                None => "unknown",
            };
            cx.json(&(what, error.status().as_u16(), cx.status().as_u16()))
        }
    }
    let server = Server::start(|| Application::new([route("/", Curious)]));
    let json = "application/json; charset=UTF-8";
    for (header, text) in [("", "[\"a number\",500,500]"), ("X-How: 1\r\n", "[\"Sold\",410,410]")] {
        let exchange = server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
        let response = exchange.only();
        assert_eq!((response.text(), response.header("content-type")), (text, Some(json)));
    }
}

#[test]
fn each_request_has_a_line_in_the_access_log() {
    let server = acting(|cx| match cx.header("x-status") {
        Some(status) => Err(HTTPError::new(StatusCode::from_bytes(status.as_bytes())?))?,
        None => cx.write("hello"),
    });
    let mut client = server.connect();
    for (target, status) in [("/", "200"), ("/?a=b&c", "404"), ("/handler?", "503"), ("/x", "404")]
    {
        let header =
            if status == "200" { String::new() } else { format!("X-Status: {status}\r\n") };
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
        assert_eq!(client.response().status.to_string(), status);
    }
    // A malformed request has no line: there is no method and no path to show.
    client.send("junk\r\n\r\n");
    client.response();
    let lines = server.log().into_iter().filter(|line| line.contains("squall::access"));
    let lines: Vec<String> =
        lines.map(|line| line[..line.find(") ").unwrap() + 1].to_owned()).collect();
    let expected = [
        "INFO squall::access: 200 GET / (127.0.0.1)",
        "WARN squall::access: 404 GET /?a=b&c (127.0.0.1)",
        "ERROR squall::access: 503 GET /handler? (127.0.0.1)",
        "WARN squall::access: 404 GET /x (127.0.0.1)",
    ];
    assert_eq!(lines, expected);
}

/// A client that does not read, or has disconnected, is not a fault of the application.
#[test]
fn a_client_that_does_not_read_its_response_is_not_an_error() {
    let (teller, events) = events();
    let counted = teller.clone();
    let server = Server::with(move || {
        let endless = async move |cx: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            loop {
                cx.write(vec![b'x'; 64 * 1024])?;
                let sent = cx.flush().await;
                if let Err(error) = &sent {
                    assert_eq!(error.status().as_u16(), 499);
                    counted.tell("no error of the server");
                }
                sent?;
            }
        };
        let app = Application::new([route("/", get(endless)), route("/ok", get(async || "ok"))]);
        HTTPServer::new(app).write_timeout(Duration::from_millis(200))
    });
    let mut gone = server.connect();
    gone.send(GET);
    gone.until("\r\n\r\n");
    gone.reset();
    events.expect("no error of the server");
    events.expect("dropped");
    let mut slow = server.connect();
    slow.send(GET);
    events.expect("no error of the server");
    events.expect("dropped");
    server.serves("the next", "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
    let lines = logged(&server);
    assert!(lines.iter().all(|line| !line.starts_with("ERROR")), "{lines:?}");
    let slow = "WARN squall::general: GET / aborted: the client takes its response too slowly \
                (write_timeout 200ms, min_write_rate 240 bytes/s)";
    assert_eq!(lines.last().map(String::as_str), Some(slow), "{lines:?}");
}

#[test]
fn an_error_that_the_framework_raises_names_the_route() {
    async fn returns_behind_the_end(cx: &mut Context) -> &'static str {
        let _ = cx.finish();
        "more"
    }
    async fn flushes_behind_the_end(cx: &mut Context) -> Result {
        cx.set_status(StatusCode::NO_CONTENT);
        cx.write("a body that is not allowed")?;
        cx.flush().await
    }
    async fn promises_too_much(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "9")?;
        cx.write("four")
    }
    async fn fails() -> Result<&'static str, std::num::ParseIntError> {
        "x".parse::<u8>().map(|_| "a number")
    }
    let line = line!() + 3;
    let server = Server::start(|| {
        Application::new([
            route("/returns", get(returns_behind_the_end)),
            route("/flushes", get(flushes_behind_the_end)),
            route("/promises", get(promises_too_much)),
            route("/fails", get(fails)),
        ])
    });
    for (row, path) in (0..).zip(["/returns", "/flushes", "/promises", "/fails"]) {
        server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let lines = logged(&server);
        let place = format!(", in the handler of the route at {}:{}:", file!(), line + row);
        assert!(lines.last().unwrap().contains(&place), "{lines:?}");
    }
}

#[test]
fn a_loop_that_a_server_makes_names_the_line_of_the_user() {
    let begin: [fn(); 4] = [
        || HTTPServer::new(Application::new([])).listen("127.0.0.1:0").unwrap(),
        || {
            let server = HTTPServer::new(Application::new([]));
            server.bind("127.0.0.1:0").unwrap().start(1).unwrap();
        },
        || {
            let sockets = squall::bind_sockets("127.0.0.1:0").unwrap();
            HTTPServer::new(Application::new([])).add_sockets(sockets).unwrap();
        },
        || drop(squall::testing::TestClient::new(Application::new([]))),
    ];
    for begin in begin {
        std::thread::spawn(move || {
            begin();
            let made = format!("{:?}", squall::IOLoop::current());
            assert!(made.contains(file!()), "{made}");
        })
        .join()
        .unwrap();
    }
}
