use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use squall::testing::{TestClient, TestConnection};
use squall::{Application, Bytes, Context, HTTPServer, IOLoop, Result, get, route, sleep};

use crate::events::{Events, events};
use crate::wire::{Client, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The bytes of a response that a `TestClient` holds before the server has to wait.
const IN_MEMORY: usize = 64 * 1024;

/// Lets this much time pass, and all that can happen in it.
fn pass(seconds: u64) {
    IOLoop::current().run_sync(sleep(Duration::from_secs(seconds))).unwrap();
}

/// How long what is waited for took.
fn time(work: impl FnOnce()) -> Duration {
    let begin = IOLoop::current().time();
    work();
    IOLoop::current().time() - begin
}

/// How a handler that flushes piece after piece is getting on.
#[derive(Clone, Default)]
struct Progress {
    flushed: Rc<Cell<usize>>,
    ended: Rc<RefCell<Option<ErrorKind>>>,
}

impl Progress {
    /// Writes `count` pieces of `length` bytes, each of its own letter, and flushes each.
    fn application(&self, count: usize, length: usize) -> Application {
        let Self { flushed, ended } = self.clone();
        let flushing = async move |cx: &mut Context| -> Result {
            for number in 0..count {
                cx.write(vec![b'a' + (number % 26) as u8; length])?;
                if let Err(error) = cx.flush().await {
                    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                    ended.replace(kind);
                    return Err(error);
                }
                flushed.set(number + 1);
            }
            Ok(())
        };
        Application::new([route("/", get(flushing))])
    }
}

#[test]
fn a_handler_waits_for_a_client_that_does_not_read() {
    const PIECE: usize = 10_000;
    let progress = Progress::default();
    let client = TestClient::new(progress.application(usize::MAX, PIECE));
    let mut connection = client.connect();
    connection.send(GET);
    pass(1);
    let held = progress.flushed.get();
    assert!((5..=6).contains(&held), "{held} pieces fit in what is held of a connection");
    pass(50);
    assert_eq!(progress.flushed.get(), held, "it waits");
    connection.receive_until("aa");
    connection.receive_until("dd");
    pass(1);
    assert!((held + 2..=held + 4).contains(&progress.flushed.get()), "as far as there is room");
}

#[test]
fn flushed_bytes_have_left_the_memory_of_the_server() {
    const PIECE: usize = 256 * 1024;
    /// More than the sockets of both sides take by far.
    const MOST: usize = 64 << 20;
    let flushed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&flushed);
    let (teller, events) = events();
    let server = Server::start(move || {
        let flushing = async move |cx: &mut Context| -> Result {
            for _ in 0..MOST / PIECE {
                cx.write(vec![b'f'; PIECE])?;
                let mut flush = pin!(cx.flush());
                poll_fn(|task| {
                    let flushing = flush.as_mut().poll(task);
                    if flushing.is_pending() {
                        teller.tell("waits");
                    }
                    flushing
                })
                .await?;
                counter.fetch_add(PIECE, Ordering::Relaxed);
            }
            teller.tell("done");
            Ok(())
        };
        Application::new([route("/", get(flushing))])
    });
    let mut client = server.connect();
    client.send(CLOSE);
    // Until a client that does not read has made it wait, for good.
    events.expect("waits");
    while !events.so_far().is_empty() {
        client.let_server_run();
    }
    let held = flushed.load(Ordering::Relaxed);
    assert!(held < MOST / 2, "it went on to {held} bytes");

    // Others are not held up.
    let mut other = server.connect();
    other.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(other.response().status, 404);

    assert_eq!(client.responses()[0].body.len(), MOST);
    assert_eq!(last(&events), "done");
}

fn last(events: &Events) -> &'static str {
    events.so_far().pop().unwrap()
}

#[test]
fn large_responses_arrive_whole_however_they_are_sent() {
    const LENGTH: usize = 8 << 20;
    fn whole() -> Bytes {
        Bytes::from((0..LENGTH).map(|at| (at % 251) as u8).collect::<Vec<_>>())
    }
    async fn in_pieces(cx: &mut Context, whole: &Bytes) -> Result {
        let mut at = 0;
        for length in [1, 100, 4095, 4096, 4097, 65_535, 1 << 20].into_iter().cycle() {
            let end = LENGTH.min(at + length);
            cx.write(whole.slice(at..end))?;
            at = end;
            if length != 4096 {
                cx.flush().await?;
            }
            if at == LENGTH {
                return Ok(());
            }
        }
        Ok(())
    }
    let server = Server::start(|| {
        let whole = whole();
        let (pieces, parts) = (whole.clone(), whole.clone());
        let in_pieces = async move |cx: &mut Context| in_pieces(cx, &pieces).await;
        let many_writes = async move |cx: &mut Context| {
            parts.chunks(50_000).try_for_each(|part| cx.write(part.to_vec()))
        };
        Application::new([
            route("/whole", get(async move || whole.clone())),
            route("/pieces", get(in_pieces)),
            route("/writes", get(many_writes)),
        ])
    });
    let whole = whole();
    for path in ["/whole", "/pieces", "/writes"] {
        for version in ["1.1\r\nHost: a\r\nConnection: close", "1.0"] {
            let mut client = server.connect();
            client.send(format!("GET {path} HTTP/{version}\r\n\r\n"));
            let body = client.responses().remove(0).body;
            assert!(body == whole, "{path} {version}: {} bytes", body.len());
        }
    }
}

/// A client of a server that waits at most `seconds` for it.
fn impatient(app: Application, seconds: u64) -> TestClient {
    TestClient::of(&HTTPServer::new(app).write_timeout(Duration::from_secs(seconds)))
}

#[test]
fn flush_fails_if_the_client_does_not_read() {
    let progress = Progress::default();
    let client = impatient(progress.application(usize::MAX, 10_000), 7);
    let mut connection = client.connect();
    connection.send(GET);
    pass(6);
    assert_eq!(*progress.ended.borrow(), None);
    pass(2);
    assert_eq!(*progress.ended.borrow(), Some(ErrorKind::TimedOut));
    let received = String::from_utf8(connection.receive_to_end()).unwrap();
    assert!(!received.ends_with("\r\n0\r\n\r\n"), "cut short");
}

#[test]
fn a_client_that_does_not_read_has_60_seconds_by_default() {
    let progress = Progress::default();
    let client = TestClient::new(progress.application(usize::MAX, 10_000));
    let mut connection = client.connect();
    connection.send(GET);
    pass(59);
    assert_eq!(*progress.ended.borrow(), None);
    pass(2);
    assert_eq!(*progress.ended.borrow(), Some(ErrorKind::TimedOut));
}

#[test]
fn without_a_time_out_a_client_may_take_all_the_time_there_is() {
    let progress = Progress::default();
    let server = HTTPServer::new(progress.application(20, 10_000)).write_timeout(None);
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    connection.send(CLOSE);
    pass(1_000_000);
    assert!(progress.flushed.get() < 10);
    connection.receive_to_end();
    assert_eq!(progress.flushed.get(), 20);
}

#[test]
fn a_client_that_reads_a_little_now_and_then_is_waited_for() {
    const LETTERS: usize = 26;
    let progress = Progress::default();
    let client = impatient(progress.application(LETTERS, IN_MEMORY), 10);
    let mut connection = client.connect();
    connection.send(CLOSE);
    for letter in (b'a'..=b'z').map(char::from) {
        pass(9);
        // Up to the middle of the piece.
        let received = connection.receive_until(&letter.to_string().repeat(IN_MEMORY / 2));
        assert!(received.len() >= IN_MEMORY / 2, "{letter} did not come");
    }
    let end = String::from_utf8(connection.receive_to_end()).unwrap();
    assert!(end.ends_with("z\r\n0\r\n\r\n"));
    assert_eq!((progress.flushed.get(), *progress.ended.borrow()), (LETTERS, None));
}

#[test]
fn an_unread_response_is_given_up() {
    let large = async || vec![b'l'; 4 * IN_MEMORY];
    let client = impatient(Application::new([route("/", get(large))]), 7);
    for request in [GET, CLOSE, "GET / HTTP/1.0\r\n\r\n"] {
        let mut connection = client.connect();
        connection.send(request);
        pass(6);
        // Nothing of it was taken, so that the time does not begin anew.
        pass(2);
        let received = connection.receive_to_end();
        assert!(received.len() <= IN_MEMORY, "{} bytes", received.len());
    }
}

#[test]
fn a_handler_that_waits_for_something_else_is_cancelled_with_its_connection() {
    let (teller, events) = events();
    let finishing = async move |cx: &mut Context| -> Result {
        let _dropped = teller.at_drop("dropped");
        cx.write(vec![b'f'; 4 * IN_MEMORY])?;
        cx.finish()?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    };
    let client = impatient(Application::new([route("/", get(finishing))]), 7);
    let mut connection = client.connect();
    connection.send(GET);
    pass(6);
    assert_eq!(events.so_far(), Vec::<&str>::new());
    pass(2);
    assert_eq!(events.so_far(), ["dropped"]);
    assert!(connection.receive_to_end().len() <= IN_MEMORY);
}

#[test]
fn a_flush_may_be_given_up_and_tried_again() {
    let (teller, events) = events();
    let trying = async move |cx: &mut Context| -> Result {
        cx.write(vec![b'a'; 2 * IN_MEMORY])?;
        while squall::timeout(Duration::from_secs(5), cx.flush()).await.is_err() {
            teller.tell("not yet");
        }
        cx.write("the end")
    };
    let client = TestClient::new(Application::new([route("/", get(trying))]));
    let mut connection = client.connect();
    connection.send(CLOSE);
    pass(12);
    assert_eq!(events.so_far(), ["not yet"; 2]);
    let received = String::from_utf8(connection.receive_to_end()).unwrap();
    let expected =
        format!("\r\n20000\r\n{}\r\n7\r\nthe end\r\n0\r\n\r\n", "a".repeat(2 * IN_MEMORY));
    assert!(received.ends_with(&expected), "nothing is sent twice, and nothing is left out");
}

#[test]
fn a_client_that_only_asks_is_not_served_for_ever() {
    const RESPONSE: usize = 10_000;
    let served = Rc::new(Cell::new(0));
    let count = Rc::clone(&served);
    let hello = async move || {
        count.set(count.get() + 1);
        vec![b'h'; RESPONSE]
    };
    let client = impatient(Application::new([route("/", get(hello))]), 7);
    let mut connection = client.connect();
    let took = time(|| connection.send(GET.repeat(10_000)));
    assert_eq!(took, Duration::from_secs(7), "nothing more is read of it, until it is cut off");
    // The bytes that the client holds, those that the server holds, and one response in between.
    let most = (IN_MEMORY + 64 * 1024) / RESPONSE + 2;
    assert!(served.get() <= most, "{} requests were served, {most} would be enough", served.get());
}

#[test]
fn bytes_that_a_client_did_not_read_are_not_sent_to_another() {
    async fn secret(cx: &mut Context) -> Result {
        cx.write("secret".repeat(IN_MEMORY))?;
        if cx.query() == "flush" {
            cx.flush().await?;
        }
        Ok(())
    }
    let client =
        TestClient::new(Application::new([route("/", get(secret)), route("/hello", get(hello))]));
    async fn hello() -> &'static str {
        "hello"
    }
    for target in ["/", "/?flush"] {
        let mut connection = client.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        pass(1);
        drop(connection);
        pass(1);
        for _ in 0..3 {
            let answer = client.exchange("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{:?}", &answer[..50]);
            assert!(answer.ends_with("\r\n\r\nhello"));
        }
    }
}

#[test]
fn a_client_that_stops_reading_does_not_delay_others() {
    let progress = Progress::default();
    let client = TestClient::new(progress.application(100, 10_000));
    let mut stuck: Vec<TestConnection> = (0..10).map(|_| client.connect()).collect();
    stuck.iter_mut().for_each(|connection| connection.send(GET));
    pass(1);
    let took = time(|| assert_eq!(client.get("/").send().body().len(), 1_000_000));
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn a_client_that_closes_during_a_download_is_dropped_quietly() {
    let server = Server::start(|| {
        // So large that it does not fit into the sockets, and no larger: a tag is made of it all.
        let large = Bytes::from(vec![b'l'; 8 << 20]);
        Application::new([route("/", get(async move || large.clone()))])
    });
    for leave in [drop, Client::reset] {
        let mut client = server.connect();
        client.send(GET);
        client.until("lll");
        leave(client);
    }
    assert_eq!(server.exchange("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n").statuses(), [204]);
    let mut lines = server.log();
    lines.retain(|line| !line.starts_with("INFO squall::access: "));
    assert_eq!(lines, Vec::<String>::new());
}
