use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::testing::TestClient;
use squall::{Application, Context, Result, get, post, route, sleep};

use crate::events::{Gate, events};
use crate::wire::{Response, Server, split};

/// Requests of HTTP/1.1, one behind the other.
fn gets(paths: &[&str]) -> String {
    paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).collect()
}

fn bodies(responses: &[Response]) -> Vec<(u16, &str)> {
    responses.iter().map(|response| (response.status, response.text())).collect()
}

/// The lines of the server's log, without those of served requests.
fn complaints(server: &Server) -> Vec<String> {
    let is_usual = |line: &String| {
        line.starts_with("INFO squall::access") || line.starts_with("WARN squall::access: 499 ")
    };
    server.log().into_iter().filter(|line| !is_usual(line)).collect()
}

const NOT_FOUND: &str = "<html><title>404: Not Found</title><body>404: Not Found</body></html>";
const BAD_REQUEST: &str =
    "<html><title>400: Bad Request</title><body>400: Bad Request</body></html>";

#[test]
fn requests_are_answered_in_order_one_after_the_other() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let (slow_log, fast_log) = (Rc::clone(&log), Rc::clone(&log));
    let slow = async move || {
        slow_log.borrow_mut().push("slow begins");
        sleep(Duration::from_secs(9)).await;
        slow_log.borrow_mut().push("slow ends");
        "slow"
    };
    let fast = async move || {
        fast_log.borrow_mut().push("fast");
        "fast"
    };
    let app = Application::new([route("/slow", get(slow)), route("/fast", get(fast))]);
    let client = TestClient::new(app);
    let mut connection = client.connect();
    connection.send(gets(&["/slow", "/fast", "/none", "/fast", "/slow"]));
    let responses = split(&connection.receive_to_end());
    let expected = [(200, "slow"), (200, "fast"), (404, NOT_FOUND), (200, "fast"), (200, "slow")];
    assert_eq!(bodies(&responses), expected);
    let expected = ["slow begins", "slow ends", "fast", "fast", "slow begins", "slow ends"];
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn a_response_does_not_wait_for_a_slow_request_behind_it() {
    let gate = Gate::default();
    let opened = gate.clone();
    let server = Server::start(|| {
        let slow = async move || {
            gate.passed().await;
            "slow"
        };
        Application::new([route("/slow", get(slow)), route("/fast", get(async || "fast"))])
    });
    let mut client = server.connect();
    client.send(gets(&["/fast", "/fast", "/slow", "/fast"]));
    assert_eq!(client.response().text(), "fast");
    assert_eq!(client.response().text(), "fast");
    opened.open();
    assert_eq!(client.response().text(), "slow");
    assert_eq!(client.response().text(), "fast");
}

#[test]
fn responses_of_a_pipeline_leave_together() {
    // The socket of the client: what has left the server can be seen in it at once.
    let socket = Arc::new(Mutex::new(None::<std::net::TcpStream>));
    let looked_at = Arc::clone(&socket);
    let (teller, events) = events();
    let server = Server::start(|| {
        let look = async move || {
            let socket = looked_at.lock().unwrap();
            let socket = socket.as_ref().unwrap();
            socket.set_nonblocking(true).unwrap();
            let nothing = socket
                .peek(&mut [0])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            socket.set_nonblocking(false).unwrap();
            teller.tell(if nothing { "nothing has left" } else { "something has left" });
            "seen"
        };
        Application::new([route("/", get(async || "hello")), route("/look", get(look))])
    });
    let mut client = server.connect();
    *socket.lock().unwrap() = Some(client.socket());
    client.send(gets(&["/", "/none", "/", "/look"]));
    events.expect("nothing has left");
    for text in ["hello", NOT_FOUND, "hello", "seen"] {
        assert_eq!(client.response().text(), text);
    }
}

#[test]
fn a_hundred_requests_are_answered() {
    let server = Server::start(|| {
        let number = async |cx: &mut Context, number: u32| cx.write(number.to_string());
        Application::new([route("/{number}", get(number))])
    });
    let paths: Vec<String> = (0..100).map(|number| format!("/{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let exchange = server.exchange(gets(&paths));
    assert!(exchange.kept);
    let numbers: Vec<String> = exchange.responses.iter().map(|r| r.text().to_owned()).collect();
    assert_eq!(numbers, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn large_responses_of_a_pipeline_arrive_whole() {
    const LENGTH: usize = 300_000;
    let server = Server::start(|| {
        let large = async |cx: &mut Context, number: usize| {
            cx.write(vec![b'0' + (number % 10) as u8; LENGTH + number])
        };
        Application::new([route("/{number}", get(large))])
    });
    let paths: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut client = server.connect();
    client.send(gets(&paths));
    for number in 0..30 {
        let body = client.response().body;
        assert_eq!(body.len(), LENGTH + number);
        assert!(body.iter().all(|&byte| byte == b'0' + (number % 10) as u8));
    }
}

#[test]
fn bodies_lie_between_the_requests() {
    async fn echo(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
    let server = Server::start(|| {
        Application::new([
            route("/echo", post(echo)),
            route("/stream", post(echo)).stream_request_body(),
            route("/", get(async || "hello")),
        ])
    });
    let exchange = server.exchange(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\
         POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n\
         GET / HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
         POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour",
    );
    let expected = [(200, "one"), (200, "two"), (200, "hello"), (200, ""), (200, "four")];
    assert_eq!(bodies(&exchange.responses), expected);
    assert!(exchange.kept);
}

#[test]
fn a_malformed_request_is_refused_after_the_requests_before_it() {
    let server = Server::start(|| Application::new([route("/", get(async || "hello"))]));
    for bad in
        ["asdf\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nb c: d\r\n\r\n"]
    {
        let requests = gets(&["/", "/none"]) + bad + &gets(&["/"]);
        let exchange = server.exchange(&requests);
        let expected = [(200, "hello"), (404, NOT_FOUND), (400, BAD_REQUEST)];
        assert_eq!(bodies(&exchange.responses), expected, "{bad:?}");
        assert_eq!(exchange.responses[2].header("connection"), Some("close"));
        assert!(!exchange.kept, "{bad:?}");
    }
}

#[test]
fn nothing_is_served_behind_a_request_that_ends_the_connection() {
    let (teller, events) = events();
    let server = Server::start(|| {
        let count = async move |cx: &mut Context| {
            teller.tell("served");
            if cx.header("x-end").is_some() {
                cx.set_header("Connection", "close")?;
            }
            Ok::<_, squall::Error>("hello")
        };
        Application::new([route("/", get(count))])
    });
    let last = [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-End: 1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ];
    for last in last {
        let exchange = server.exchange(gets(&["/"]) + last + &gets(&["/", "/"]));
        assert_eq!(exchange.statuses(), [200, 200], "{last:?}");
        assert!(!exchange.kept);
        // It was sent twice: whole, and byte by byte.
        assert_eq!(events.so_far(), ["served"; 4], "{last:?}");
    }
}

#[test]
fn a_disconnect_in_the_middle_of_a_pipeline_does_no_harm() {
    let gate = Gate::default();
    let opened = gate.clone();
    let (teller, events) = events();
    let server = Server::start(|| {
        let slow = async move || {
            let _dropped = teller.at_drop("dropped");
            gate.passed().await;
            "slow"
        };
        Application::new([route("/slow", get(slow)), route("/", get(async || "hello"))])
    });
    let mut client = server.connect();
    client.send(gets(&["/", "/slow", "/", "/"]));
    assert_eq!(client.response().text(), "hello");
    drop(client);
    events.expect("dropped");
    opened.open();
    assert_eq!(server.exchange(gets(&["/", "/slow"])).statuses(), [200, 200]);
    assert_eq!(complaints(&server), Vec::<String>::new());
}
