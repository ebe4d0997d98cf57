//! The control view, for the operator of a server.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;

use squall::{
    Application, BindOptions, Context, HTTPServer, IOLoop, control, get, health, metrics, route,
};

use crate::exposition::Exposition;
use crate::wire::{DEADLINE, Server};

fn application() -> Application {
    Application::new([
        route("/users/{id}", get(async |cx: &mut Context, id: String| cx.write(id))),
        route("/metrics", metrics::handler()),
        route("/readyz", health::readyz()),
    ])
}

/// One for a socket, which is removed.
struct Folder(PathBuf);

impl Folder {
    fn make(name: &str) -> Self {
        let name = format!("squall-control-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ask(mut stream: impl Read + Write, target: &str) -> String {
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn the_page_shows_routes_and_hides_nothing_in_them() {
    let server = Server::start(|| {
        let hello = async || "hello";
        Application::new([
            route("/a&b/{id}", get(async |_: &mut Context, _: String| "")),
            route("/", get(hello)),
            route("/status", control::page()),
        ])
    });
    let mut client = server.connect();
    for path in ["/", "/a&b/1"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response();
    }
    client.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    let page = client.response();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("<td class=t>/a&amp;b/{id}<td>1<td>"), "{}", page.text());
    client.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response().text().contains("<h1>3 requests</h1>"));
}

#[test]
fn the_control_socket_shows_everything_and_is_not_counted() {
    let folder = Folder::make("all");
    let path = folder.0.join("app.sock");
    let address = path.clone();
    let server = Server::with(move || {
        let server = HTTPServer::new(application());
        server.control(address).unwrap();
        server
    });
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = server.connect();
    client.send("GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response();
    let ask = |target| ask(UnixStream::connect(&path).unwrap(), target);
    for _ in 0..2 {
        let json: serde_json::Value = serde_json::from_str(&ask("/")).unwrap();
        assert_eq!(json["requests"]["count"], 1, "{json:#}");
        assert_eq!(json["workers"][0]["state"], "ready");
        assert_eq!(json["workers"][0]["pid"], std::process::id());
        assert_eq!(json["workers"][0]["requests"], 1);
        assert_eq!(json["connections"], 1);
        let route = &json["routes"][0];
        assert_eq!((&route["method"], &route["route"]), (&"GET".into(), &"/users/{id}".into()));
        assert_eq!(route["by_status"], serde_json::json!([["2xx", 1]]));
        assert_eq!(route["duration"]["buckets"][0][1], 1);
        assert!(route["duration"]["p99"].as_f64().unwrap() > 0.0);
    }
    let page = Exposition::parse(&ask("/metrics"));
    assert_eq!(page.sum("http_requests_total"), 1.0);
    assert!(ask("/status").contains("/users/{id}"));
    assert_eq!(ask("/readyz"), "ready: 1 of 1 workers\n");
}

#[test]
fn a_server_that_serves_already_can_be_asked_from_then_on() {
    let (tell, told) = mpsc::channel();
    let _server = Server::with(move || {
        let server = HTTPServer::new(application());
        let later = server.clone();
        IOLoop::current().add_callback(move || {
            let folder = Folder::make("later");
            later.control(folder.0.join("app.sock")).unwrap();
            let answer = UnixStream::connect(folder.0.join("app.sock")).unwrap();
            tell.send(answer).unwrap();
        });
        server
    });
    let stream = told.recv_timeout(DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(ask(stream, "/livez"), "live\n");
}

#[test]
fn the_control_view_is_open_to_others_only_by_setting() {
    let server = HTTPServer::new(application());
    for open in ["0.0.0.0:0", "[::]:0"] {
        let error = server.control(open).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`control_with`"), "{error}");
    }
    server.control_with(&BindOptions::new(), "0.0.0.0:0").unwrap();
    server.control("127.0.0.1:0").unwrap().control("[::1]:0").unwrap();
}
