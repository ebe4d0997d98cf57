//! All on virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use squall::testing::{TestClient, TestConnection};
use squall::{Application, Body, Bytes, Context, HTTPServer, IOLoop, Result, get, post, route};
use squall::{sleep, timeout};

const KIB: usize = 1024;

/// More than the connection in memory takes at once, together with the next.
async fn sixty(cx: &mut Context) -> Result {
    cx.write("s".repeat(60 * KIB))
}

async fn thirty(cx: &mut Context) -> Result {
    cx.write("t".repeat(30 * KIB))
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn pass(seconds: u64) {
    IOLoop::current().run_sync(sleep(Duration::from_secs(seconds))).unwrap();
}

/// A connection with a first response that the client has not read.
fn filled(app: Application) -> TestConnection {
    let mut connection = TestClient::new(app).connect();
    connection.send(request("/sixty"));
    pass(1);
    connection
}

#[test]
fn a_client_that_neither_sends_nor_reads_is_disconnected() {
    let app = Application::new([
        route("/sixty", get(sixty)),
        route("/thirty", get(thirty)),
        route("/", post(async || "taken")),
    ]);
    let mut connection = filled(app);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    connection.send(request("/thirty") + post);
    pass(24 * 3600);
    let began = IOLoop::current().time();
    connection.receive_to_end();
    assert!(IOLoop::current().time() - began < Duration::from_secs(10), "it had been let go");
}

/// The one timer went off for the body. That what was sent is not taken has its own limit.
#[test]
fn a_client_that_does_not_read_the_response_to_its_slow_body_is_disconnected() {
    let app = Application::new([route("/sixty", get(sixty)), route("/", post(async || "taken"))]);
    let second = Duration::from_secs(1);
    let server = HTTPServer::new(app).body_timeout(second).write_timeout(second * 10);
    let mut connection = TestClient::of(&server).connect();
    connection.send(request("/sixty"));
    pass(1);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    connection.send(request("/sixty") + post);
    pass(3600);
    let taken = connection.receive_to_end();
    assert!(taken.len() < 100 * KIB, "{} bytes: it had been let go", taken.len());
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_although_it_sent_in_time() {
    let dropped = Rc::new(Cell::new(false));
    let seen = Rc::clone(&dropped);
    let echo = async move |cx: &mut Context| -> Result {
        let _dropped = AtDrop(Rc::clone(&seen));
        cx.write("s".repeat(100 * KIB))?;
        // It is then sent while the handler waits for another event.
        let _ = timeout(Duration::from_secs(1), cx.flush()).await;
        let mut body = cx.body();
        while let Ok(Some(piece)) = timeout(Duration::from_secs(5), body.next()).await {
            drop(piece?);
        }
        cx.flush().await
    };
    let app = Application::new([
        route("/sixty", get(sixty)),
        route("/", post(echo)).stream_request_body(),
    ]);
    let second = Duration::from_secs(1);
    let server = HTTPServer::new(app).body_timeout(second * 10).write_timeout(second * 20);
    let mut connection = TestClient::of(&server).connect();
    connection.send(request("/sixty"));
    pass(1);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    connection.send(request("/sixty") + post);
    pass(2);
    connection.send("f");
    pass(3600);
    assert!(dropped.get(), "the handler still waits for it");
}

struct AtDrop(Rc<Cell<bool>>);

impl Drop for AtDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn a_task_that_waits_for_a_body_sees_its_time_out_although_another_task_sends() {
    let told = Rc::new(Cell::new(None));
    let tell = Rc::clone(&told);
    let relay = async move |cx: &mut Context| -> Result {
        cx.write("s".repeat(100 * KIB))?;
        let _ = timeout(Duration::from_secs(1), cx.flush()).await;
        let (mut body, tell) = (cx.body(), Rc::clone(&tell));
        let reader = IOLoop::current().spawn(async move {
            let piece = body.next().await;
            tell.set(Some(piece.is_some_and(|piece| piece.is_err())));
        });
        sleep(Duration::from_secs(1000)).await;
        drop(reader.await);
        Ok(())
    };
    let app = Application::new([route("/", post(relay)).stream_request_body()]);
    let server = HTTPServer::new(app).body_timeout(Duration::from_secs(10));
    let mut connection = TestClient::of(&server).connect();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    pass(3);
    connection.receive_until(&"s".repeat(100));
    pass(30);
    assert_eq!(told.get(), Some(true), "it still waits");
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_although_another_task_waits_for_its_body() {
    let dropped = Rc::new(Cell::new(false));
    let seen = Rc::clone(&dropped);
    let relay = async move |cx: &mut Context| -> Result {
        let _dropped = AtDrop(Rc::clone(&seen));
        cx.write("s".repeat(100 * KIB))?;
        let _ = timeout(Duration::from_secs(1), cx.flush()).await;
        let mut body = cx.body();
        let reader = IOLoop::current().spawn(async move { body.next().await.is_some() });
        sleep(Duration::from_secs(1000)).await;
        drop(reader.await);
        Ok(())
    };
    let app = Application::new([route("/", post(relay)).stream_request_body()]);
    let server = HTTPServer::new(app).write_timeout(Duration::from_secs(10));
    let mut connection = TestClient::of(&server).connect();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    pass(30);
    assert!(dropped.get(), "its handler still waits");
}

/// Old clients send one behind a body (RFC 9112 §2.2).
#[test]
fn a_blank_line_begins_no_request() {
    let app = Application::new([route("/", post(async || "taken"))]);
    let server = HTTPServer::new(app).header_timeout(Duration::from_secs(1));
    let mut connection = TestClient::of(&server).connect();
    for _ in 0..3 {
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n");
        assert!(connection.receive_until("taken").starts_with("HTTP/1.1 200 OK\r\n"));
        pass(10);
    }
    connection.send("\r\nGET");
    assert!(connection.receive_until("\r\n").starts_with("HTTP/1.1 408 "), "that begins one");
}

#[test]
fn finished_responses_reach_a_client_that_disconnects_within_a_body() {
    let app = Application::new([
        route("/thirty", get(thirty)),
        route("/", post(async || "taken")),
        route(
            "/streamed",
            post(async |cx: &mut Context| -> Result {
                while let Some(piece) = cx.body().next().await {
                    drop(piece?);
                }
                Ok(())
            }),
        )
        .stream_request_body(),
    ]);
    let client = TestClient::new(app);
    for path in ["/", "/streamed"] {
        let post = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfo");
        let answers = client.exchange(request("/thirty") + &post);
        let thirty = "t".repeat(30 * KIB);
        assert!(answers.contains(&thirty), "{path}: {} bytes", answers.len());
    }
}

#[test]
fn finished_responses_reach_a_client_that_half_closes() {
    let slow = async || sleep(Duration::from_secs(5)).await;
    let app = Application::new([
        route("/sixty", get(sixty)),
        route("/thirty", get(thirty)),
        route("/slow", get(slow)),
    ]);
    let mut connection = filled(app);
    connection.send(request("/thirty") + &request("/slow"));
    connection.finish();
    pass(1);
    let answers = String::from_utf8(connection.receive_to_end()).unwrap();
    assert!(answers.ends_with(&"t".repeat(30 * KIB)), "{} bytes", answers.len());
}

#[test]
fn the_time_after_a_handler_stops_waiting_does_not_count() {
    async fn take(cx: &mut Context) -> Result {
        let mut body = cx.body();
        let mut total = 0;
        let limit = Duration::from_secs(1);
        while let Ok(Some(piece)) = timeout(limit, body.next()).await {
            total += piece?.len();
        }
        sleep(Duration::from_secs(300)).await;
        while let Some(piece) = body.next().await {
            total += piece?.len();
        }
        cx.write(format!("total {total}"))
    }
    let app = Application::new([route("/", post(take)).stream_request_body()]);
    let mut connection = TestClient::new(app).connect();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    pass(3);
    connection.send("567");
    pass(301);
    connection.send("89");
    assert!(connection.receive_until("total 10").ends_with("total 10"));
}

#[test]
fn a_time_out_of_forever_is_none() {
    let app = Application::new([route("/", get(async || "hello"))]);
    let server = HTTPServer::new(app).idle_connection_timeout(Duration::MAX);
    assert_eq!(TestClient::of(&server).get("/").send().text(), "hello");
}

#[test]
fn a_body_that_is_kept_does_not_keep_the_connection() {
    async fn keep(cx: &mut Context) -> Result {
        let body = cx.body();
        IOLoop::current().spawn_callback(async move {
            sleep(Duration::from_secs(3600)).await;
            drop(body);
        });
        cx.write("hello")
    }
    let client = TestClient::new(Application::new([route("/", get(keep))]));
    let began = IOLoop::current().time();
    assert_eq!(client.get("/").send().text(), "hello");
    assert!(IOLoop::current().time() - began < Duration::from_secs(10));
}

thread_local! {
    /// A body that is polled wherever code of the application may run.
    static BODY: RefCell<Option<Body>> = const { RefCell::new(None) };
}

fn poll_body() {
    if let Some(mut body) = BODY.with_borrow_mut(Option::take) {
        let _ = block_on(poll_once(body.next()));
    }
}

#[test]
fn a_type_of_the_application_may_use_the_connection_while_it_is_parsed() {
    struct Id;
    impl FromStr for Id {
        type Err = ();
        fn from_str(_: &str) -> Result<Self, ()> {
            poll_body();
            Ok(Self)
        }
    }
    let show = async |cx: &mut Context, _: Id| {
        BODY.set(Some(cx.body()));
        let _: Id = cx.path_argument("id")?;
        cx.write("shown")
    };
    let client = TestClient::new(Application::new([route("/{id}", get(show))]));
    assert_eq!(client.get("/x").send().text(), "shown");
}

#[test]
fn an_owner_of_bytes_may_use_the_connection_when_they_are_sent() {
    struct Owner(Vec<u8>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            poll_body();
        }
    }
    let send = async |cx: &mut Context| {
        BODY.set(Some(cx.body()));
        cx.write(Bytes::from_owner(Owner(vec![b'x'; 20 * KIB])))?;
        cx.flush().await
    };
    let response = TestClient::new(Application::new([route("/", get(send))])).get("/").send();
    assert_eq!((response.body().len(), response.is_complete()), (20 * KIB, true));
}

#[test]
fn a_value_kept_with_a_request_may_panic_on_drop() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("when it is dropped");
        }
    }
    let keep = async |cx: &mut Context| {
        cx.set_extension(Panics);
        cx.write("kept")
    };
    let client = TestClient::new(Application::new([route("/", get(keep))]));
    assert_eq!(client.get("/").send().text(), "kept");
}
