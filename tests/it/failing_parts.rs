use squall::{Application, Context, Error, HTTPError, RequestHandler, Result, route};

use crate::errors::{Act, acting, logged};
use crate::events::{Gate, Teller, events};
use crate::wire::Server;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A handler whose methods fail as the request demands, and report when they are called.
#[derive(Clone)]
struct Failing {
    teller: Teller,
    gate: Gate,
}

impl Failing {
    fn part(&self, cx: &mut Context, name: &'static str) -> Result {
        self.teller.tell(name);
        if cx.header("x-panic").as_deref() == Some(name) {
            panic!("panic in {name}");
        }
        if cx.header("x-fail").as_deref() == Some(name) {
            Err(HTTPError::CONFLICT.with_log_message(format!("error in {name}")))?;
        }
        Ok(())
    }
}

impl RequestHandler for Failing {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        self.part(cx, "prepare")
    }

    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("hello")?;
        self.part(cx, "get")?;
        if cx.header("x-flush").is_some() {
            cx.flush().await?;
        }
        squall_runtime::yield_now().await;
        self.part(cx, "get, later")
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        self.gate.passed().await;
        cx.write("waited")
    }

    fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.set_header("X-Page", "own")?;
        cx.write(format!("sorry, {}", error.status().as_u16()))?;
        self.part(cx, "write_error")
    }

    fn on_finish(&mut self, cx: &mut Context) {
        // `on_finish` cannot return an error.
        self.teller.tell("on_finish");
        if cx.header("x-panic").as_deref() == Some("on_finish") {
            panic!("panic in on_finish");
        }
    }
}

#[test]
fn the_parts_of_a_handler_are_called_as_far_as_it_gets() {
    let (teller, events) = events();
    let failing = Failing { teller, gate: Gate::default() };
    let server = Server::start(move || Application::new([route("/", failing)]));
    let hello = (200, "hello");
    let own = (409, "sorry, 409");
    let own_500 = (500, "sorry, 500");
    let whole = ["prepare", "get", "get, later", "on_finish"];
    let cases = [
        ("", hello, &whole[..]),
        ("X-Fail: prepare\r\n", own, &["prepare", "write_error", "on_finish"]),
        ("X-Fail: get\r\n", own, &["prepare", "get", "write_error", "on_finish"]),
        (
            "X-Fail: get, later\r\n",
            own,
            &["prepare", "get", "get, later", "write_error", "on_finish"],
        ),
        (
            "X-Fail: get\r\nX-Panic: write_error\r\n",
            (500, PAGE_500),
            &["prepare", "get", "write_error", "on_finish"],
        ),
        ("X-Panic: prepare\r\n", own_500, &["prepare", "write_error", "on_finish"]),
        ("X-Panic: get\r\n", own_500, &["prepare", "get", "write_error", "on_finish"]),
        (
            "X-Panic: get, later\r\n",
            own_500,
            &["prepare", "get", "get, later", "write_error", "on_finish"],
        ),
        ("X-Panic: on_finish\r\n", (500, PAGE_500), &whole),
    ];
    for (headers, (status, text), parts) in cases {
        let exchange = server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        let response = exchange.only();
        assert_eq!((response.status, response.text()), (status, text), "{headers:?}");
        assert_eq!(
            response.header("x-page"),
            text.starts_with("sorry").then_some("own"),
            "{headers:?}"
        );
        assert!(exchange.kept, "{headers:?}");
        assert_eq!(events.so_far(), [parts, parts].concat(), "{headers:?}, two requests");
        if headers.contains("X-Panic") {
            let panics = logged(&server);
            let panic = headers.rsplit(": ").next().unwrap().trim_end();
            let message = format!("panic: panic in {panic}, at {}:", file!());
            assert!(panics.last().unwrap().contains(&message), "{panics:?}");
        }
    }
}

const PAGE_500: &str = "<html><title>500: Internal Server Error</title>\
    <body>500: Internal Server Error</body></html>";

#[test]
fn an_error_after_a_flush_cuts_the_connection() {
    let (teller, events) = events();
    let failing = Failing { teller, gate: Gate::default() };
    let server = Server::start(move || Application::new([route("/", failing)]));
    for how in ["X-Fail", "X-Panic"] {
        let mut client = server.connect();
        let request =
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Flush: 1\r\n{how}: get, later\r\n\r\n");
        client.send(request.repeat(2));
        let text = String::from_utf8(client.rest_and_ending().0).unwrap();
        assert!(text.ends_with("\r\n\r\n5\r\nhello\r\n"), "{text}");
        let parts = ["prepare", "get", "get, later"];
        assert_eq!(events.so_far(), [&parts[..], &["on_finish"]].concat(), "{how}: no write_error");
    }
}

#[test]
fn a_panic_does_not_affect_other_tasks() {
    let (teller, _events) = events();
    let gate = Gate::default();
    let failing = Failing { teller, gate: gate.clone() };
    let server = Server::start(move || Application::new([route("/", failing)]));
    let mut waiting = server.connect();
    waiting.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut idle = server.connect();
    idle.send(GET);
    assert_eq!(idle.response().text(), "hello");
    for part in ["prepare", "get", "get, later", "on_finish"] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Panic: {part}\r\n\r\n");
        assert_eq!(server.exchange(request).statuses(), [500]);
    }
    gate.open();
    assert_eq!(waiting.response().text(), "waited");
    idle.send(GET);
    assert_eq!(idle.response().text(), "hello");
}

#[test]
fn a_panic_with_anything_is_a_500() {
    let acts: [Act; 4] = [
        |_| std::panic::panic_any(7),
        |cx| panic!("text {}", cx.path()),
        |cx| cx.write(cx.header("x-none").unwrap()),
        |cx| {
            cx.set_header("X-Dropped", "1")?;
            cx.write("thrown away")?;
            panic!("after all was written")
        },
    ];
    for act in acts {
        let server = acting(act);
        for path in ["/", "/handler"] {
            let exchange = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(exchange.only().text(), PAGE_500);
            assert_eq!(exchange.only().header("x-dropped"), None);
            assert!(exchange.kept);
        }
    }
}

#[test]
fn a_handler_that_cannot_even_begin_is_a_500() {
    struct NoClone;

    impl Clone for NoClone {
        fn clone(&self) -> Self {
            panic!("no clone")
        }
    }

    impl RequestHandler for NoClone {
        async fn get(&mut self, _: &mut Context) -> Result {
            Ok(())
        }
    }

    #[derive(Clone)]
    struct NoFuture;

    impl RequestHandler for NoFuture {
        fn get(&mut self, _: &mut Context) -> impl Future<Output = Result> {
            panic!("no future");
            #[expect(unreachable_code, reason = "it tells the type")]
            std::future::ready(Ok(()))
        }
    }
    let server =
        Server::start(|| Application::new([route("/clone", NoClone), route("/future", NoFuture)]));
    for path in ["/clone", "/future"] {
        let exchange = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.only().text(), PAGE_500, "{path}");
        assert!(exchange.kept);
    }
}
