use std::cell::RefCell;
use std::time::{Duration, Instant};

use squall::metrics::{Counter, Gauge, Histogram};
use squall::{
    Application, Context, HTTPServer, IOLoop, Result, control, get, health, metrics, regex, route,
};
use squall_runtime::yield_now;

use crate::events::{Gate, events};
use crate::exposition::Exposition;
use crate::wire::{Client, DEADLINE, Server};

const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

fn application() -> Application {
    async fn fails() -> Result {
        Err(std::io::Error::other("as it was asked to"))?
    }
    Application::new([
        route("/", get(async || "hello").post(async || "posted")),
        route("/users/{id}", get(async |cx: &mut Context, id: String| cx.write(id))),
        regex(r#"/"(\d+)\\"#, get(async |cx: &mut Context, id: String| cx.write(id))),
        route("/fails", get(fails)),
        route("/metrics", metrics::handler()),
        route("/livez", health::livez()),
        route("/readyz", health::readyz()),
        route("/status", control::page()),
    ])
}

async fn breaks(cx: &mut Context) -> Result {
    cx.write("a part")?;
    cx.flush().await?;
    panic!("as it was asked to")
}

fn server() -> Server {
    Server::start(application)
}

#[track_caller]
fn scrape(client: &mut Client) -> Exposition {
    client.send(METRICS);
    let response = client.response();
    let media_type = response.header("content-type");
    assert_eq!(media_type, Some("text/plain; version=0.0.4; charset=utf-8"));
    Exposition::parse(response.text())
}

fn requests(method: &str, route: &str, status: &str) -> String {
    let labels = format!(r#"method="{method}",route="{route}",status="{status}""#);
    format!("http_requests_total{{{labels}}}")
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let server = server();
    let mut client = server.connect();
    for (count, line) in [
        (3, "GET / HTTP/1.1"),
        (1, "POST / HTTP/1.1"),
        (2, "PUT / HTTP/1.1"),
        (1, "OPTIONS / HTTP/1.1"),
        (2, "GET /users/1 HTTP/1.1"),
        (1, "GET /users/2 HTTP/1.1"),
        (1, "GET /\"42\\ HTTP/1.1"),
        (1, "GET /fails HTTP/1.1"),
        (4, "GET /nothing HTTP/1.1"),
        (1, "BREW /pot HTTP/1.1"),
    ] {
        for _ in 0..count {
            client.send(format!("{line}\r\nHost: a\r\n\r\n"));
            client.response();
        }
    }
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response_to_head();
    let page = scrape(&mut client);
    for (count, method, route, status) in [
        (3, "GET", "/", "2xx"),
        (1, "HEAD", "/", "2xx"),
        (1, "POST", "/", "2xx"),
        (2, "PUT", "/", "4xx"),
        (1, "OPTIONS", "/", "2xx"),
        (3, "GET", "/users/{id}", "2xx"),
        (1, "GET", "/fails", "5xx"),
        (4, "GET", "", "4xx"),
        (1, "_OTHER", "", "4xx"),
        (1, "GET", r#"/\"(\\d+)\\\\"#, "2xx"),
    ] {
        assert_eq!(page.value(&requests(method, route, status)), f64::from(count), "{route}");
    }
    assert_eq!(page.sum("http_requests_total"), 18.0, "and nothing else");
    assert_eq!(page.sum("http_request_duration_seconds_count"), 18.0);
    assert_eq!(page.value("http_requests_in_flight"), 1.0, "the one that asks");
    assert_eq!(scrape(&mut client).sum("http_requests_total"), 19.0);
}

#[test]
fn each_of_a_pipeline_is_counted() {
    let server = server();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
    (0..100).for_each(|_| drop(client.response()));
    let page = scrape(&mut client);
    assert_eq!(page.value(&requests("GET", "/", "2xx")), 100.0);
    let times = r#"http_request_duration_seconds_count{method="GET",route="/"}"#;
    assert_eq!(page.value(times), 100.0);
}

#[test]
fn an_unfinished_response_is_499_or_incomplete() {
    let (teller, events) = events();
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move || {
        let wait = async move || {
            let _gone = teller.at_drop("gone");
            teller.tell("waits");
            held.passed().await;
        };
        let take = async |cx: &mut Context| cx.write(cx.body().await?);
        Application::new([
            route("/wait", get(wait).post(take)),
            route("/breaks", get(breaks)),
            route("/metrics", metrics::handler()),
        ])
    });
    let mut leaves = server.connect();
    leaves.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    events.expect("waits");
    let mut client = server.connect();
    assert_eq!(scrape(&mut client).value("http_requests_in_flight"), 2.0);
    leaves.reset();
    events.expect("gone");

    let mut stops = server.connect();
    stops.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    stops.let_server_run();
    stops.finish();
    stops.rest();
    let mut breaks = server.connect();
    breaks.send("GET /breaks HTTP/1.1\r\nHost: a\r\n\r\n");
    breaks.rest_and_ending();

    let page = scrape(&mut client);
    assert_eq!(page.value("http_requests_in_flight"), 1.0);
    for (method, route, status) in
        [("GET", "/wait", "499"), ("POST", "/wait", "499"), ("GET", "/breaks", "incomplete")]
    {
        assert_eq!(page.value(&requests(method, route, status)), 1.0, "{method} {route}");
    }
}

#[test]
fn a_panic_while_a_handler_is_dropped_leaves_nothing_in_flight() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("when it is dropped");
        }
    }
    let (teller, events) = events();
    let server = Server::start(move || {
        let wait = async move |_: &mut Context| -> Result {
            let _kept = Panics;
            teller.tell("waits");
            std::future::pending().await
        };
        Application::new([route("/wait", get(wait)), route("/metrics", metrics::handler())])
    });
    let mut leaves = server.connect();
    leaves.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    events.expect("waits");
    leaves.finish();
    leaves.rest();

    let page = scrape(&mut server.connect());
    assert_eq!(page.value("http_requests_in_flight"), 1.0);
    assert_eq!(page.value(&requests("GET", "/wait", "499")), 1.0);
}

#[test]
fn connections_bytes_and_malformed_requests_are_counted() {
    let server = server();
    let refused = ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"].map(|bytes| {
        let mut client = server.connect();
        client.send(bytes);
        let answer = client.rest().len();
        drop(client);
        answer
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response();
    // Until the server has noticed that the others are gone.
    let begin = Instant::now();
    let mut scrapes = 1;
    let mut page = scrape(&mut client);
    while page.value("http_connections_open") != 1.0 {
        assert!(begin.elapsed() < DEADLINE, "they stay open");
        page = scrape(&mut client);
        scrapes += 1;
    }
    assert_eq!(page.value("http_refused_requests_total"), 2.0);
    assert_eq!(page.value("http_connections_accepted_total"), 3.0);
    let received = 12 + 18 + 27 + scrapes * METRICS.len();
    assert_eq!(page.value("http_received_bytes_total"), received as f64);
    assert!(page.value("http_sent_bytes_total") > (refused[0] + refused[1]) as f64 + 100.0);
    assert_eq!(page.value(r#"squall_workers{state="ready"}"#), 1.0);
    assert_eq!(page.value(r#"squall_worker_restarts_total{worker="0"}"#), 0.0);
    assert!(page.value(r#"squall_worker_resident_memory_bytes{worker="0"}"#) > 1e6);
}

#[test]
fn the_time_of_a_request_is_that_of_its_handler() {
    let client = squall::testing::TestClient::new(Application::new([route(
        "/",
        get(async || {
            IOLoop::current().advance(Duration::from_millis(20));
            squall::sleep(Duration::from_secs(2)).await;
        }),
    )]));
    client.get("/").send();
    let page = Exposition::parse(&metrics::render());
    let sum = page.value(r#"http_request_duration_seconds_sum{method="GET",route="/"}"#);
    assert!((2.020..2.023).contains(&sum), "{sum}");
    let bucket = |le: &str| {
        let labels = format!(r#"method="GET",route="/",le="{le}""#);
        page.value(&format!("http_request_duration_seconds_bucket{{{labels}}}"))
    };
    assert_eq!((bucket("1.048576"), bucket("2.097152"), bucket("+Inf")), (0.0, 1.0, 1.0));
}

#[test]
fn metrics_of_the_users_own_are_shown() {
    thread_local! {
        static MADE: RefCell<Option<(Gauge, Histogram)>> = const { RefCell::new(None) };
    }
    let server = Server::start(|| {
        let made = Counter::new("made_total", "What was made,\nby \\ or \".").unwrap();
        let labelled = |size| Counter::with_labels("sold_total", "", &[("size", size)]).unwrap();
        let (small, large) = (labelled("sm\"all\\"), labelled("large\n"));
        MADE.set(Some((
            Gauge::new("stock", "What is left.").unwrap(),
            Histogram::with_labels("work_seconds", "Work.", &[("by", "hand")]).unwrap(),
        )));
        let work = async move || {
            made.inc();
            small.add(2);
            large.inc();
            MADE.with_borrow(|made| {
                let (stock, work) = made.as_ref().unwrap();
                stock.add(2.5);
                stock.dec();
                work.observe(Duration::from_millis(3));
            });
        };
        Application::new([route("/work", get(work)), route("/metrics", metrics::handler())])
    });
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("GET /work HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response();
    }
    let page = scrape(&mut client);
    assert_eq!(page.value("made_total"), 2.0);
    assert_eq!(page.value(r#"sold_total{size="sm\"all\\"}"#), 4.0);
    assert_eq!(page.value(r#"sold_total{size="large\n"}"#), 2.0);
    assert_eq!(page.value("stock"), 3.0);
    assert_eq!(page.value(r#"work_seconds_count{by="hand"}"#), 2.0);
    assert_eq!(page.value(r#"work_seconds_sum{by="hand"}"#), 0.006);
    assert_eq!(page.value(r#"work_seconds_bucket{by="hand",le="0.002048"}"#), 0.0);
    assert_eq!(page.value(r#"work_seconds_bucket{by="hand",le="0.004096"}"#), 2.0);
    assert_eq!(page.value(r#"work_seconds_bucket{by="hand",le="+Inf"}"#), 2.0);
}

#[test]
fn two_servers_of_different_threads_count_apart() {
    let servers = [server(), server()];
    let mut clients = [servers[0].connect(), servers[1].connect()];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response();
        assert_eq!(scrape(client).sum("http_requests_total"), 1.0);
    }
}

#[test]
fn health_is_answered_to_get_and_head() {
    let server = server();
    let mut client = server.connect();
    for (path, text) in [("/livez", "live\n"), ("/readyz", "ready: 1 of 1 workers\n")] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, text));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response_to_head().status, 200);
    }
}

/// Computes for longer than the threshold.
fn block() {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(30) {
        std::hint::spin_loop();
    }
}

#[test]
fn a_handler_that_keeps_the_loop_is_named_in_the_log() {
    async fn slow(cx: &mut Context, id: String) -> Result {
        block();
        cx.write(id)
    }
    async fn slow_then_waits() {
        block();
        yield_now().await;
    }
    let server = Server::with(|| {
        HTTPServer::new(Application::new([
            route("/fast", get(async || "fast")),
            route("/slow/{id}", get(slow)),
            route("/waits", get(slow_then_waits)),
        ]))
        .slow_callback(Duration::from_millis(20))
    });
    let mut client = server.connect();
    let mut lines_after = |path: &str| {
        let before = server.log().len();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response();
        client.let_server_run();
        let is_about_tasks = |line: &String| line.contains("event loop blocked for");
        server.log()[before..]
            .iter()
            .filter(|line| is_about_tasks(line))
            .cloned()
            .collect::<Vec<_>>()
    };
    for (path, route) in [("/slow/7", "GET /slow/{id}"), ("/waits", "GET /waits")] {
        let lines = lines_after(path);
        // The machine may be busy, so that there are more.
        let line = lines.first().expect("it is logged");
        assert!(line.starts_with("WARN squall::general: event loop blocked for "), "{line}");
        assert!(line.ends_with(&format!("ms, serving {route}")), "{line}");
    }
    assert!((0..20).any(|_| lines_after("/fast").is_empty()));
}

#[test]
fn without_slow_callback_no_slow_task_is_logged() {
    let server = Server::with(|| {
        let slow = async || block();
        HTTPServer::new(Application::new([route("/", get(slow))])).slow_callback(None)
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response();
    client.let_server_run();
    assert!(
        !server.log().iter().any(|line| line.contains("event loop blocked for")),
        "{:?}",
        server.log()
    );
}
