use std::cell::Cell;
use std::io::Write;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures_lite::AsyncReadExt;
use squall::http::StatusCode;
use squall::testing::TestClient;
use squall::{
    Application, Context, HTTPServer, IOLoop, PeriodicCallback, Result, get, post, route, sleep,
    spawn_background,
};
use squall_runtime::TcpStream;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handler_that_never_answers_fails_the_test_with_its_line() {
    let app = Application::new([route("/hang", get(std::future::pending::<String>))]);
    let client = TestClient::new(app);
    let sent = catch_unwind(AssertUnwindSafe(|| client.get("/hang").send()));
    let line = line!() - 1;
    let message = sent.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("no response to GET /hang: deadlock: "), "{message}");
    assert!(message.contains(&format!("- a task spawned at {}:{line}:", file!())), "{message}");
}

/// Returns the message of the panic that ends `send` to this handler.
fn panics(app: Application) -> String {
    let client = TestClient::new(app);
    let sent = catch_unwind(AssertUnwindSafe(|| client.get("/").send()));
    *sent.unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn a_handler_that_sleeps_for_ever_in_a_loop_fails_the_test() {
    async fn circle() -> &'static str {
        loop {
            sleep(SECOND).await;
        }
    }
    let message = panics(Application::new([route("/", get(circle))]));
    assert!(message.starts_with("no response to GET /: the loop made 1000000 turns"), "{message}");
}

#[test]
fn an_endless_response_to_head_ends_with_its_head() {
    async fn stream(cx: &mut Context) -> Result {
        cx.send_informational(StatusCode::EARLY_HINTS, [("Link", "</a>")]).await?;
        loop {
            cx.write("tick")?;
            cx.flush().await?;
        }
    }
    let client = TestClient::new(Application::new([route("/", get(stream))]));
    let response = client.head("/").send();
    assert_eq!((response.status().as_u16(), response.body()), (200, &b""[..]));
    assert!(response.is_complete());
}

#[test]
fn a_periodic_callback_beside_a_handler_that_never_answers_does_not_hang_the_test() {
    PeriodicCallback::new(SECOND, async || {}).start();
    let app = Application::new([route("/", get(std::future::pending::<String>))]);
    let message = panics(app);
    assert!(message.starts_with("no response to GET /: the loop made 1000000 turns"), "{message}");
}

#[test]
fn a_large_body_is_sent_while_the_response_is_received() {
    async fn echo(cx: &mut Context) -> Result {
        let mut body = cx.body();
        while let Some(piece) = body.next().await {
            cx.write(piece?)?;
            cx.flush().await?;
        }
        Ok(())
    }
    let app = Application::new([route("/", post(echo)).stream_request_body()]);
    let body: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let client = TestClient::new(app);
    assert!(client.post("/").body(body.clone()).send().body() == body);
}

/// Answers each connection some time after it has come.
fn slow_peer() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            #[expect(
                clippy::disallowed_methods,
                reason = "this thread simulates a peer that works; no loop runs on this thread"
            )]
            thread::sleep(Duration::from_millis(50));
            stream.unwrap().write_all(b"from a socket").unwrap();
        }
    });
    port
}

async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(([127, 0, 0, 1], port).into()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[test]
fn a_handler_that_waits_for_a_socket_does_not_run_into_its_time_limit() {
    let port = slow_peer();
    let app = Application::new([route("/", get(async move || ask(port).await))]);
    let server = HTTPServer::new(app).handler_timeout(SECOND);
    assert_eq!(TestClient::of(&server).get("/").send().text(), "from a socket");
}

#[test]
fn a_client_on_real_time_waits_as_long_as_it_takes() {
    let port = slow_peer();
    let both = async move || {
        sleep(Duration::from_millis(5)).await;
        ask(port).await
    };
    let client = TestClient::new(Application::new([route("/", get(both))])).real_time();
    let begin = IOLoop::current().time();
    assert_eq!(client.get("/").send().text(), "from a socket");
    assert!(IOLoop::current().time() - begin >= Duration::from_millis(55));
}

/// Sends for ever, and says in the end that it has been dropped.
fn endless(dropped: Rc<Cell<bool>>) -> Application {
    struct Dropped(Rc<Cell<bool>>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    let stream = async move |cx: &mut Context| -> Result {
        let _dropped = Dropped(Rc::clone(&dropped));
        loop {
            cx.write(&[b'x'; 1000][..])?;
            cx.flush().await?;
            sleep(SECOND).await;
        }
    };
    Application::new([route("/", get(stream))])
}

#[test]
fn an_endless_stream_ends_at_the_most_that_a_client_receives() {
    let dropped = Rc::new(Cell::new(false));
    let client = TestClient::new(endless(Rc::clone(&dropped)));
    let response = client.get("/").send();
    assert!(!response.is_complete());
    let received = response.body().len();
    let most = TestClient::MAX_RESPONSE_SIZE;
    assert!((most / 10 * 9..=most).contains(&received), "{received}, without heads and chunks");
    IOLoop::current().run_sync(sleep(2 * SECOND)).unwrap();
    assert!(dropped.get(), "the client has gone");
}

#[test]
fn a_response_of_just_the_most_is_complete() {
    let app = Application::new([route("/", get(async || "x".repeat(100)))]);
    let client = TestClient::new(app);
    let length = client.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").len();
    let client = client.max_response_size(length);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(client.exchange(request).len(), length);
    let response = client.get("/").send();
    assert!(response.is_complete() && response.body().len() == 100);
    let response = client.max_response_size(length - 1).get("/").send();
    assert!(!response.is_complete() && response.body().len() == 99);
}

#[test]
fn a_graceful_shutdown_waits_for_requests_hooks_and_background_tasks() {
    let events = Rc::new(std::cell::RefCell::new(Vec::new()));
    let note = |event: &'static str| {
        let events = Rc::clone(&events);
        move || events.borrow_mut().push(event)
    };
    let (answered, done, called) = (note("answered"), note("background"), note("hook"));
    let (answered, done) = (Rc::new(answered), Rc::new(done));
    let handler = async move || {
        let done = Rc::clone(&done);
        spawn_background(async move {
            sleep(10 * SECOND).await;
            done();
        });
        sleep(5 * SECOND).await;
        answered();
        "answered"
    };
    let server = HTTPServer::new(Application::new([route("/", get(handler))]));
    server.on_drain(async move |_| called());
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    IOLoop::current().run_sync(sleep(SECOND)).unwrap();
    client.begin_shutdown();
    assert!(connection.receive_until("answered").contains("Connection: close\r\n"));
    client.finish_shutdown();
    assert_eq!(*events.borrow(), ["hook", "answered", "background"]);
}

#[test]
fn a_graceful_shutdown_cuts_what_takes_too_long() {
    let app = Application::new([route("/", get(std::future::pending::<String>))]);
    let client = TestClient::of(&HTTPServer::new(app).shutdown_timeout(30 * SECOND));
    let mut connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let begin = IOLoop::current().time();
    client.finish_shutdown();
    let took = IOLoop::current().time() - begin;
    assert!((30 * SECOND..32 * SECOND).contains(&took), "{took:?}");
    assert!(connection.receive_to_end().is_empty() || took >= 30 * SECOND);
}
