use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use squall::testing::{TestClient, TestConnection};
use squall::{Application, Context, HTTPServer, IOLoop, get, post, route, sleep};

use crate::wire::{DEADLINE, Server};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Lets so much virtual time pass.
fn wait(time: Duration) {
    IOLoop::current().run_sync(sleep(time)).unwrap();
}

fn posting(server: HTTPServer, length: usize) -> TestConnection {
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    connection.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    connection
}

fn taking() -> Application {
    Application::new([route("/", post(async || "taken"))])
}

#[test]
fn a_body_that_trickles_in_is_too_slow_in_the_end() {
    let mut connection = posting(HTTPServer::new(taking()), 1000);
    for _ in 0..3 {
        wait(Duration::from_secs(25)); // Less than a pause may be.
        connection.send("x");
    }
    let answer = String::from_utf8(connection.receive_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
}

#[test]
fn a_body_that_is_fast_enough_on_average_may_pause() {
    let mut connection = posting(HTTPServer::new(taking()), 60_002);
    connection.send("x".repeat(60_000));
    for _ in 0..2 {
        wait(Duration::from_secs(59));
        connection.send("x");
    }
    assert!(connection.receive_until("taken").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn without_a_rate_only_pauses_count() {
    let mut connection = posting(HTTPServer::new(taking()).min_body_rate(0), 10);
    for _ in 0..10 {
        wait(Duration::from_secs(59));
        connection.send("x");
    }
    assert!(connection.receive_until("taken").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn the_time_of_a_handler_does_not_count_for_the_client() {
    async fn slowly(cx: &mut Context) -> squall::Result {
        let mut body = cx.body();
        while let Some(piece) = body.next().await {
            piece?;
            sleep(Duration::from_secs(100)).await;
        }
        cx.write("taken")
    }
    let app = Application::new([route("/", post(slowly)).stream_request_body()]);
    let mut connection = posting(HTTPServer::new(app), 4);
    for _ in 0..4 {
        connection.send("x");
        wait(Duration::from_secs(101));
    }
    assert!(connection.receive_until("taken").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_handler_that_takes_too_long_is_dropped_and_answered_for() {
    let app = || {
        Application::new([
            route("/", get(async || sleep(Duration::from_secs(60)).await)),
            route("/longer", get(async || sleep(Duration::from_secs(60)).await))
                .handler_timeout(Duration::from_secs(61)),
        ])
    };
    let client = TestClient::of(&HTTPServer::new(app()).handler_timeout(Duration::from_secs(59)));
    let mut connection = client.connect();
    connection.send(REQUEST);
    connection.send("GET /longer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answers = String::from_utf8(connection.receive_to_end()).unwrap();
    let lines: Vec<_> = answers.lines().filter(|line| line.contains("HTTP/1.1 ")).collect();
    assert_eq!(lines[0], "HTTP/1.1 503 Service Unavailable", "{answers}");
    assert!(answers.contains("</html>HTTP/1.1 200 OK"), "{answers}");
}

#[test]
fn a_response_that_has_begun_is_cut_when_its_handler_takes_too_long() {
    async fn endless(cx: &mut Context) -> squall::Result {
        loop {
            cx.write("more")?;
            cx.flush().await?;
            sleep(Duration::from_secs(1)).await;
        }
    }
    let app = Application::new([route("/", get(endless))]);
    let client = TestClient::of(&HTTPServer::new(app).handler_timeout(Duration::from_secs(3)));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.is_complete()), (200, false));
}

#[test]
fn a_handler_that_never_has_to_wait_is_ended_by_its_limit() {
    async fn endless(cx: &mut Context) -> squall::Result {
        let piece = "x".repeat(100);
        loop {
            cx.write(piece.clone())?;
            cx.flush().await?;
        }
    }
    let server = Server::with(|| {
        let app = Application::new([route("/", get(endless))]);
        HTTPServer::new(app).handler_timeout(Duration::from_millis(100))
    });
    let mut client = server.connect();
    client.send(REQUEST);
    assert!(client.until("\r\n\r\n").starts_with(b"HTTP/1.1 200 OK\r\n"));
    let (mut socket, mut buffer) = (client.socket(), vec![0; 64 * 1024]);
    let begin = Instant::now();
    while socket.read(&mut buffer).is_ok_and(|received| received > 0) {
        assert!(begin.elapsed() < DEADLINE, "it writes on");
    }
}

/// A server with a handler for each way to loop without ever waiting for a descriptor.
fn busy_loops() -> Server {
    async fn flush(cx: &mut Context) -> squall::Result {
        loop {
            // Whatever the result is, also after the client has left.
            let _ = cx.write("x");
            let _ = cx.flush().await;
        }
    }
    async fn body(cx: &mut Context) -> squall::Result {
        let mut body = cx.body();
        loop {
            let _ = body.next().await;
        }
    }
    async fn divided(cx: &mut Context) -> squall::Result {
        loop {
            let mut body = cx.body().chunk_size(1);
            while let Some(Ok(_)) = body.next().await {}
        }
    }
    Server::with(|| {
        let limit = Duration::from_millis(100);
        let app = Application::new([
            route("/flush", get(flush)).handler_timeout(limit),
            route("/divided", post(divided)).handler_timeout(limit),
            route("/body", post(body)).handler_timeout(limit),
            route("/", get(async || "served")),
        ]);
        HTTPServer::new(app)
    })
}

fn serves_others(server: &Server) -> bool {
    let mut client = server.connect();
    client.send(REQUEST);
    client.response().status == 200
}

#[test]
fn a_limit_ends_a_handler_that_flushes_in_answer_to_head() {
    let server = busy_loops();
    let mut client = server.connect();
    client.send("HEAD /flush HTTP/1.1\r\nHost: a\r\n\r\n");
    client.until("\r\n\r\n");
    assert!(serves_others(&server));
}

#[test]
fn a_limit_ends_a_handler_that_reads_its_body_again_and_again() {
    let server = busy_loops();
    for path in ["/body", "/divided"] {
        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
        assert!(client.until("\r\n\r\n").starts_with(b"HTTP/1.1 503 "), "{path}");
    }
}

#[test]
fn a_handler_that_ignores_that_its_client_has_left_does_not_hold_its_worker() {
    let server = busy_loops();
    let mut client = server.connect();
    client.send("GET /flush HTTP/1.1\r\nHost: a\r\n\r\n");
    client.until("\r\n\r\n");
    drop(client);
    assert!(serves_others(&server));
}

#[test]
fn the_last_response_of_a_connection_has_connection_close() {
    let app = Application::new([route("/", get(async || "served"))]);
    let client = TestClient::of(&HTTPServer::new(app).max_requests_per_connection(2));
    let mut connection = client.connect();
    connection.send(REQUEST.repeat(3));
    let answers = String::from_utf8(connection.receive_to_end()).unwrap();
    let responses: Vec<_> = answers.split("HTTP/1.1 200 OK").skip(1).collect();
    assert_eq!(responses.len(), 2, "{answers}");
    assert!(!responses[0].contains("Connection: close"), "{answers}");
    assert!(responses[1].contains("Connection: close"), "{answers}");
}

#[test]
fn more_connections_than_allowed_wait_until_one_ends() {
    let server = Server::with(|| {
        let app = Application::new([route("/", get(async || "served"))]);
        HTTPServer::new(app).max_connections(2)
    });
    let mut first = server.connect();
    let mut second = server.connect();
    for client in [&mut first, &mut second] {
        client.send(REQUEST);
        assert_eq!(client.response().body, b"served");
    }
    let mut third = server.connect();
    third.send(REQUEST);
    // The loop has had its turns, and the third is not among those it serves.
    first.send(REQUEST);
    assert_eq!(first.response().body, b"served");
    let waiting = third.socket();
    waiting.set_nonblocking(true).unwrap();
    assert_eq!(waiting.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    waiting.set_nonblocking(false).unwrap();
    drop(first);
    assert_eq!(third.response().body, b"served");
}
