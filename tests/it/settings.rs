use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use squall::{Application, Context, HTTPServer, Result, get, post, route, sleep};

use crate::wire::Server;

fn server() -> HTTPServer {
    HTTPServer::new(Application::new([]))
}

/// Panics where the setting is set, and says which it is.
fn refuses<T>(setting: &str, set: impl FnOnce() -> T) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(set)) else {
        panic!("{setting} takes what is out of its range")
    };
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with(&format!("`{setting}` must be ")), "{text}");
}

#[test]
fn a_setting_out_of_its_range_is_refused_where_it_is_set() {
    const ZERO: Duration = Duration::ZERO;
    for size in [0, (1 << 30) + 1, usize::MAX] {
        refuses("HTTPServer::max_header_size", || server().max_header_size(size));
        refuses("HTTPServer::max_header_count", || server().max_header_count(size));
        refuses("HTTPServer::max_target_size", || server().max_target_size(size));
    }
    refuses("HTTPServer::idle_connection_timeout", || server().idle_connection_timeout(ZERO));
    refuses("HTTPServer::header_timeout", || server().header_timeout(ZERO));
    refuses("HTTPServer::body_timeout", || server().body_timeout(Some(ZERO)));
    refuses("HTTPServer::handler_timeout", || server().handler_timeout(ZERO));
    refuses("HTTPServer::write_timeout", || server().write_timeout(ZERO));
    refuses("HTTPServer::max_requests_per_connection", || server().max_requests_per_connection(0));
    refuses("HTTPServer::max_requests_per_worker", || server().max_requests_per_worker(0));
    refuses("HTTPServer::max_connections", || server().max_connections(0));
    refuses("Route::handler_timeout", || route("/", get(async || "")).handler_timeout(ZERO));
}

#[test]
fn a_server_serves_with_the_least_and_the_most_of_each_setting() {
    async fn echo(cx: &mut Context) -> Result {
        sleep(Duration::from_millis(1)).await;
        cx.write(cx.body().await?)?;
        cx.flush().await?;
        cx.write("!")
    }
    fn with(time: Duration, rate: u64, size: usize) -> HTTPServer {
        HTTPServer::new(Application::new([
            route("/", post(echo)).handler_timeout(time.max(Duration::from_secs(60))),
            route("/streamed", post(echo)).stream_request_body(),
        ]))
        .max_header_size(size.max(1000))
        .max_header_count(size)
        .max_target_size(size.max(100))
        .max_body_size(u64::MAX)
        .idle_connection_timeout(Duration::MAX)
        .header_timeout(Duration::MAX)
        .body_timeout(Duration::MAX)
        .min_body_rate(rate)
        .handler_timeout(Duration::MAX)
        .max_requests_per_connection(u32::MAX)
        .max_requests_per_worker(u64::MAX)
        .max_connections(size)
        .write_timeout(Duration::MAX)
        .min_write_rate(rate)
        .shutdown_timeout(time)
        .drain_delay(Duration::ZERO)
        .drain_idle(time)
        .slow_callback(Duration::MAX)
    }
    let settings =
        [(Duration::MAX, 0, 1 << 30), (Duration::MAX, u64::MAX, 1 << 30), (Duration::ZERO, 1, 3)];
    for (time, rate, size) in settings {
        let server = Server::with(move || with(time, rate, size));
        for target in ["/", "/streamed"] {
            let mut client = server.connect();
            client
                .send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo"));
            client.let_server_run();
            client.send("dy");
            assert_eq!(client.response().text(), "body!", "{time:?} {rate} {size}");
        }
    }
}
