//! On virtual time: nothing here waits, however long the client takes.

use std::time::Duration;

use squall::testing::{TestClient, TestConnection};
use squall::{Application, Bytes, Context, HTTPServer, IOLoop, Result, get, route, sleep};

/// The bytes of a response that a `TestClient` holds before the server has to wait.
const IN_MEMORY: usize = 64 * 1024;

const BODY: usize = 100 * IN_MEMORY;

/// `/whole` and `/pieces` are long, and the same.
fn server() -> HTTPServer {
    let whole = Bytes::from(vec![b'x'; BODY]);
    let parts = whole.clone();
    let pieces = async move |cx: &mut Context| -> Result {
        let mut parts = parts.clone();
        while !parts.is_empty() {
            cx.write(parts.split_to(1000.min(parts.len())))?;
            cx.flush().await?;
        }
        Ok(())
    };
    HTTPServer::new(Application::new([
        route("/whole", get(async move || whole.clone())),
        route("/pieces", get(pieces)),
    ]))
}

fn begin(server: &HTTPServer, path: &str) -> TestConnection {
    let mut connection = TestClient::of(server).connect();
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    connection.receive_until("\r\n\r\n");
    connection
}

/// Takes `bytes` each `pause` seconds, at most so many `times`. Returns how many times that
/// could be done.
fn take_slowly(connection: &mut TestConnection, bytes: usize, pause: u64, times: u32) -> u32 {
    let piece = "x".repeat(bytes);
    (0..times)
        .find(|_| {
            IOLoop::current().run_sync(sleep(Duration::from_secs(pause))).unwrap();
            !connection.receive_until(&piece).ends_with(&piece)
        })
        .unwrap_or(times)
}

#[test]
fn a_client_that_takes_a_byte_now_and_then_is_cut_off() {
    let server = server();
    for path in ["/whole", "/pieces"] {
        for (pause, most) in [(59, 2), (10, 7), (1, 62)] {
            let mut connection = begin(&server, path);
            let times = take_slowly(&mut connection, 1, pause, 1000);
            assert!((1..=most).contains(&times), "{path}: {times} times, each {pause} s");
        }
    }
}

/// Neither the beginning of a response nor what the system takes at once pays for the rest.
#[test]
fn a_client_that_was_fast_may_not_be_slow_later() {
    let server = server();
    for path in ["/whole", "/pieces"] {
        let mut connection = begin(&server, path);
        for _ in 0..50 {
            connection.receive_until(&"x".repeat(1000));
        }
        let times = take_slowly(&mut connection, 1, 59, 1000);
        assert!((1..=2).contains(&times), "{path}: {times} times");
    }
}

#[test]
fn a_client_that_keeps_up_with_the_rate_is_waited_for() {
    let server = server();
    for path in ["/whole", "/pieces"] {
        let mut connection = begin(&server, path);
        // For an hour.
        assert_eq!(take_slowly(&mut connection, 1000, 4, 900), 900, "{path}");
    }
}

#[test]
fn the_rate_is_a_setting() {
    for (rate, expected) in [(0, 200), (1, 200), (100, 1)] {
        let server = server().min_write_rate(rate).write_timeout(Duration::from_secs(20));
        let mut connection = begin(&server, "/whole");
        assert_eq!(take_slowly(&mut connection, 15, 15, 200), expected, "{rate} bytes a second");
    }
}

/// The client reads flushed bytes at once; the handler takes its time.
#[test]
fn a_handler_may_write_as_slowly_as_it_likes() {
    let tick = async |cx: &mut Context| -> Result {
        for _ in 0..20 {
            cx.write("x")?;
            cx.flush().await?;
            sleep(Duration::from_secs(59)).await;
        }
        Ok(())
    };
    let client = TestClient::new(Application::new([route("/", get(tick))]));
    let response = client.get("/").send();
    assert_eq!((response.text(), response.is_complete()), ("x".repeat(20), true));
}

/// Bytes that the client reads at once count as well: one slow stretch does not force it to be fast
/// for ever.
#[test]
fn a_client_that_has_caught_up_may_be_slow_again() {
    let events = async |cx: &mut Context| -> Result {
        for _ in 0..1000 {
            cx.write("x".repeat(1000))?;
            cx.flush().await?;
            sleep(Duration::from_secs(1)).await;
        }
        cx.write("end")
    };
    let client = TestClient::new(Application::new([route("/", get(events))]));
    let mut connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let pass = |seconds| IOLoop::current().run_sync(sleep(Duration::from_secs(seconds))).unwrap();
    // It takes about 64 s until there is no more room.
    for _ in 0..3 {
        pass(64 + 50);
        for _ in 0..200 {
            connection.receive_until(&"x".repeat(1000));
        }
    }
    let rest = connection.receive_to_end();
    assert!(rest.ends_with(b"end\r\n0\r\n\r\n"), "it was cut off");
}
